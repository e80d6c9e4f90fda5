"""Proxies: one that delays, swallows, cuts or refuses, as networks do, and nginx."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.hosts import wait_for


class Proxy:
    """Stands between an app and a server, and passes bytes on until it is told to do otherwise.

    ``delay`` holds each piece of an answer back by so many seconds. ``swallow`` accepts everything and answers
    nothing. ``cut_after`` closes a connection when so many more pieces of an answer have passed.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self.delay = 0.0
        self.swallow = False
        self.cut_after: int | None = None
        self._sockets: list[socket.socket] = []
        self.port = 0
        self._listen()

    def cut(self) -> None:
        """Close every connection that is open."""
        while self._sockets:
            with contextlib.suppress(OSError):
                self._sockets.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Refuse connections, and close those that are open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.cut()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        self.close()
        try:
            yield
        finally:
            self._listen()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = int(self._listener.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._sockets += [near, far]
                for source, sink, answers in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._pump, args=(source, sink, answers), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if answers and self.delay:
                    time.sleep(self.delay)
                if self.swallow:
                    continue
                if answers and self.cut_after is not None:
                    if self.cut_after <= 0:
                        self.cut()
                        break
                    self.cut_after -= 1
                sink.sendall(data)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


class NoNginx(Exception):
    """This machine has no nginx."""


@contextlib.contextmanager
def nginx(folder: Path, port: int, conf: str) -> Iterator[None]:
    """Run nginx with this in its ``http`` block, which listens on this port, until the block is left.

    :raises NoNginx: when there is none.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise NoNginx
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {folder / name};" for name in names)
    file = folder / "nginx.conf"
    file.write_text(
        f"user root; daemon off; pid {folder / 'pid'}; error_log stderr;"
        f"events {{}} http {{ access_log off; {temporary}\n{conf}}}"
    )
    subprocess.run([program, "-t", "-q", "-c", file], check=True)
    process = subprocess.Popen([program, "-c", file])
    try:
        wait_for(process, port)
        yield
    finally:
        process.terminate()
        process.wait()
