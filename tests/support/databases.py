"""The databases that people run: a fresh one of each kind, on a server where one is reachable."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

KINDS = ["sqlite", "postgresql", "mariadb"]
SERVERS = {
    "postgresql": os.environ.get("OPTOUT_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
    "mariadb": os.environ.get("OPTOUT_TEST_MARIADB", "mysql+pymysql://root@127.0.0.1:3306/mysql"),
}


@dataclass(frozen=True)
class Database:
    """An empty database of its own."""

    kind: str
    url: sa.URL

    @property
    def uri(self) -> str:
        return self.url.render_as_string(hide_password=False)

    def through(self, port: int) -> str:
        """Its URL by way of a proxy on this machine."""
        return self.url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)


class NoServer(Exception):
    """No server of this kind answers."""


@contextmanager
def database_of(kind: str, folder: Path) -> Iterator[Database]:
    """A fresh database, dropped afterwards."""
    if kind == "sqlite":
        yield Database(kind, sa.make_url(f"sqlite:///{folder / 'host.db'}"))
        return
    name = f"optout_test_{uuid.uuid4().hex[:12]}"
    try:
        sa.make_url(SERVERS[kind]).get_dialect().import_dbapi()
    except ModuleNotFoundError:
        raise NoServer("pip install -e '.[integration]' brings the driver") from None
    server = sa.create_engine(SERVERS[kind], isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with server.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    except sa.exc.OperationalError:
        raise NoServer(
            f"start one on its usual port of 127.0.0.1, or set OPTOUT_TEST_{kind.upper()} to its URL"
        ) from None
    try:
        yield Database(kind, server.url.set(database=name))
    finally:
        force = " WITH (FORCE)" if kind == "postgresql" else ""
        with server.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name}{force}"))
        server.dispose()
