"""A terminal in which the manual's commands are typed as they stand, but for the ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.hosts import free_port, listens, until

DONE = "the command is done"
#: Of the mail server and of the app.
MAIL, WEB = "1025", "5000"


class Terminal:
    """A shell in a folder, with its ``python`` and ``flask``; each port of the manual becomes a free one.

    :param python: the Python that has Flask-OptOut.
    """

    def __init__(self, folder: Path, python: str) -> None:
        self.ports = {port: str(free_port()) for port in (MAIL, WEB)}
        self._bin = folder / "bin"
        self._bin.mkdir()
        for name, command in (("python", ""), ("flask", "-m flask ")):
            (self._bin / name).write_text(f'#!/bin/sh\nexec "{python}" {command}"$@"\n')
            (self._bin / name).chmod(0o755)
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env={
                "PATH": f"{self._bin}:{os.environ['PATH']}",
                "HOME": str(folder),
                "FLASK_RUN_PORT": self.ports[WEB],
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def put(self, text: str) -> str:
        """The text with our ports."""
        for port, ours in self.ports.items():
            text = text.replace(port, ours)
        return text

    def type(self, line: str) -> str:
        """Type a command; gives what is printed until it is done, servers in the background included.

        :raises AssertionError: when it fails, or when the server that it starts does not come up.
        """
        assert self._shell.stdin is not None and self._shell.stdout is not None
        self._shell.stdin.write(f'{self.put(line)}\necho "{DONE}: $?"\n')
        self._shell.stdin.flush()
        said: list[str] = []
        for printed in self._shell.stdout:
            if printed.startswith(DONE):
                assert printed.strip() == f"{DONE}: 0", "".join(said)
                break
            said.append(printed)
        if line.endswith("&"):
            port = self.ports[MAIL if MAIL in line else WEB]
            until(lambda: listens(int(port)), line)
        return "".join(said)

    def close(self) -> None:
        os.killpg(self._shell.pid, signal.SIGTERM)
        self._shell.communicate()


@contextmanager
def terminal(folder: Path, python: str = sys.executable) -> Iterator[Terminal]:
    opened = Terminal(folder, python)
    try:
        yield opened
    finally:
        opened.close()
