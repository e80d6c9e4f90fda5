"""What figures of a host app share: each database in turn, a host on it, and a server while it listens."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.databases import NoServer, database_of
from tests.support.hosts import Host, dispose, listens, make_host

from .harness import Row, say

KINDS = ("sqlite", "postgresql")


def on_each_database(doing: str, measure: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
    """The figures of each kind of database whose server answers."""
    for kind in KINDS:
        say(f"{doing} with {kind}")
        try:
            yield from measure(kind)
        except NoServer as error:
            say(f"no {kind} server: {error}")


@contextmanager
def hosted(kind: str, **settings: Any) -> Iterator[Host]:
    """A host on a fresh database, with its context pushed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uri = stack.enter_context(database_of(kind, folder)).uri
        host = make_host(folder, SQLALCHEMY_DATABASE_URI=uri, **settings)
        stack.callback(dispose, host)
        stack.enter_context(host.app.app_context())
        yield host


@contextmanager
def started(server: subprocess.Popen[bytes], port: int) -> Iterator[None]:
    """A server while it listens; it is ended afterwards."""
    try:
        deadline = time.monotonic() + 30
        while not listens(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no server listens: {server.args!r}")
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait(timeout=20)
