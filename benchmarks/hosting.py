"""What figures of a host app share: each database in turn, a host on it, and a server while it listens."""

from __future__ import annotations

import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.support.databases import NoServer, database_of
from tests.support.hosts import Host, dispose, listens, make_host

from .harness import Row, say

#: SQLite as it is by default, and with the write-ahead log, which makes a commit ten times as fast.
SQLITE, WAL = "SQLite", "SQLite WAL"
#: What each kind of database is called in the table, and its name in the tests.
KINDS = {SQLITE: "sqlite", WAL: "sqlite", "PostgreSQL": "postgresql", "MariaDB": "mariadb"}


def on_databases(doing: str, kinds: Iterable[str], measure: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
    """The figures of each of these kinds of database whose server answers."""
    for kind in kinds:
        say(f"{doing}: {kind}")
        try:
            yield from measure(kind)
        except NoServer as error:
            say(f"no {kind} server: {error}")


@contextmanager
def empty_database(kind: str) -> Iterator[tuple[Path, sa.URL]]:
    """A fresh database, and a folder for what stands beside it."""
    with tempfile.TemporaryDirectory() as name, database_of(KINDS[kind], Path(name)) as database:
        if kind == WAL:
            with closing(sqlite3.connect(Path(name) / "host.db")) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
        yield Path(name), database.url


@contextmanager
def hosted(kind: str, **settings: Any) -> Iterator[Host]:
    """A host on a fresh database, with its context pushed."""
    with empty_database(kind) as (folder, url), ExitStack() as stack:
        uri = url.render_as_string(hide_password=False)
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
