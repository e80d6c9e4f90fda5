"""What can go wrong with a store, made to happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.support.databases import Database
from tests.support.hosts import Host, Mailbox, dispose, make_host
from tests.support.proxies import Proxy

PORTS = {"postgresql": 5432, "mariadb": 3306}
#: Time-outs as a host sets them on its engine; drivers set none by themselves.
ENGINE: dict[str, dict[str, Any]] = {
    "sqlite": {"connect_args": {"timeout": 0.5}, "pool_timeout": 0.5},
    "postgresql": {
        "connect_args": {"connect_timeout": 2, "options": "-c statement_timeout=500"},
        "pool_timeout": 0.5,
    },
    "mariadb": {
        "connect_args": {"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1},
        "pool_timeout": 0.5,
    },
}


@dataclass
class Scene:
    """A host on a database, reached through a proxy where there is a network."""

    host: Host
    database: Database
    smtp: Mailbox
    proxy: Proxy | None
    #: Past the proxy, for the one who makes the trouble.
    engine: sa.Engine

    def run(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement))

    @property
    def hosts_engine(self) -> sa.Engine:
        with self.host.app.app_context():
            return self.host.db.engine

    @contextmanager
    def connecting(self, statement: str) -> Iterator[None]:
        """Meanwhile each connection of the host's begins with this statement."""
        engine = self.hosts_engine

        def on_connect(connection: Any, record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute(statement)
            cursor.close()
            connection.commit()

        engine.dispose()
        sa.event.listen(engine, "connect", on_connect)
        yield
        sa.event.remove(engine, "connect", on_connect)
        engine.dispose()


@contextmanager
def scene(database: Database, smtp: Mailbox, folder: Path, **config: Any) -> Iterator[Scene]:
    proxy = None
    uri = database.uri
    if database.kind != "sqlite":
        proxy = Proxy(database.url.port or PORTS[database.kind])
        uri = database.through(proxy.port)
    config = {"SQLALCHEMY_ENGINE_OPTIONS": ENGINE[database.kind], **config}
    host = make_host(folder, SQLALCHEMY_DATABASE_URI=uri, MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, **config)
    engine = sa.create_engine(database.url, poolclass=sa.NullPool)
    try:
        yield Scene(host, database, smtp, proxy, engine)
    finally:
        if proxy is not None:
            proxy.close()
        dispose(host)
        engine.dispose()


Trouble = Callable[[Scene], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """One way to go wrong.

    ``sends`` says whether an invitation to somebody who is not muted still leaves, ``presses`` whether a press is
    recorded; ``None`` where either may happen.
    """

    name: str
    make: Trouble
    kinds: tuple[str, ...] = ("sqlite", "postgresql", "mariadb")
    sends: bool | None = False
    presses: bool | None = False


@contextmanager
def refused(scene: Scene) -> Iterator[None]:
    assert scene.proxy is not None
    with scene.proxy.refusing():
        yield


@contextmanager
def cut_connections(scene: Scene) -> Iterator[None]:
    assert scene.proxy is not None
    scene.proxy.cut()
    yield


@contextmanager
def killed_backends(scene: Scene) -> Iterator[None]:
    if scene.database.kind == "postgresql":
        scene.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    else:
        with scene.engine.connect() as connection:
            query = sa.text(
                "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
            )
            for (id,) in connection.execute(query).all():
                connection.execute(sa.text(f"KILL {id}"))
    yield


@contextmanager
def slow(scene: Scene) -> Iterator[None]:
    assert scene.proxy is not None
    scene.proxy.delay = 5.0
    yield
    scene.proxy.delay = 0.0


@contextmanager
def silent(scene: Scene) -> Iterator[None]:
    assert scene.proxy is not None
    scene.proxy.swallow = True
    yield
    scene.proxy.swallow = False
    scene.proxy.cut()


@contextmanager
def silent_to_newcomers(scene: Scene) -> Iterator[None]:
    assert scene.proxy is not None
    scene.proxy.cut()
    with silent(scene):
        yield


@contextmanager
def locked(scene: Scene) -> Iterator[None]:
    statements = {
        "sqlite": ["BEGIN EXCLUSIVE"],
        "postgresql": ["LOCK TABLE optout_choice, optout_meta IN ACCESS EXCLUSIVE MODE"],
        "mariadb": ["LOCK TABLES optout_choice WRITE, optout_meta WRITE"],
    }
    with scene.engine.connect() as connection:
        for statement in statements[scene.database.kind]:
            connection.exec_driver_sql(statement)
        yield
        if scene.database.kind == "mariadb":
            connection.exec_driver_sql("UNLOCK TABLES")


@contextmanager
def locked_for_writing(scene: Scene) -> Iterator[None]:
    with scene.engine.connect() as connection:
        match scene.database.kind:
            case "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            case "postgresql":
                connection.exec_driver_sql("LOCK TABLE optout_choice IN SHARE MODE")
            case _:
                connection.exec_driver_sql("LOCK TABLES optout_choice READ, optout_meta READ")
        yield
        if scene.database.kind == "mariadb":
            connection.exec_driver_sql("UNLOCK TABLES")


@contextmanager
def read_only(scene: Scene) -> Iterator[None]:
    """The host's connections can read and not write."""
    statements = {
        "sqlite": "PRAGMA query_only = ON",
        "postgresql": "SET default_transaction_read_only = on",
        "mariadb": "SET SESSION TRANSACTION READ ONLY",
    }
    with scene.connecting(statements[scene.database.kind]):
        yield


@contextmanager
def full(scene: Scene) -> Iterator[None]:
    """Every page of the file is full, and no page more is to be had."""
    filler = (
        "INSERT INTO optout_choice (scope, digest, muted, source, day) "
        "SELECT randomblob(8), randomblob(16), 0, '', '2026-01-01' FROM optout_meta"
    )
    with scene.engine.connect() as filling:
        pages = filling.exec_driver_sql("PRAGMA page_count").scalar()
        filling.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        failures = 0
        while failures < 50:
            try:
                filling.exec_driver_sql(filler)
                failures = 0
            except sa.exc.OperationalError:
                failures += 1
        filling.commit()
    with scene.connecting(f"PRAGMA max_page_count = {pages}"):
        yield


@contextmanager
def pool_exhausted(scene: Scene) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(15):
            stack.enter_context(scene.hosts_engine.connect())
        yield


def renamed(table: str) -> Trouble:
    @contextmanager
    def missing(scene: Scene) -> Iterator[None]:
        scene.run(f"ALTER TABLE {table} RENAME TO set_aside")
        yield
        scene.run(f"ALTER TABLE set_aside RENAME TO {table}")

    return missing


@contextmanager
def made_anew(scene: Scene) -> Iterator[None]:
    """The table of choices is dropped and made anew under the running process."""
    with renamed("optout_choice")(scene):
        scene.run("CREATE TABLE optout_choice AS SELECT * FROM set_aside WHERE muted IS NULL")
        yield
        scene.run("DROP TABLE optout_choice")


SERVERS_ONLY = ("postgresql", "mariadb")
FAULTS = [
    Fault("server refuses connections", refused, SERVERS_ONLY),
    Fault("open connections cut", cut_connections, SERVERS_ONLY, sends=True, presses=True),
    Fault("backends killed", killed_backends, SERVERS_ONLY, sends=True, presses=True),
    # Nothing ends a wait for an answer that never comes on PostgreSQL, neither ours nor the host's own.
    Fault("answers take 5 s", slow, ("mariadb",)),
    Fault("no answer", silent, ("mariadb",)),
    Fault("no answer to new connections", silent_to_newcomers, SERVERS_ONLY),
    Fault("tables locked", locked),
    Fault("locked for writing", locked_for_writing, sends=None),
    Fault("read-only", read_only),
    Fault("disk full", full, ("sqlite",), sends=None),
    Fault("pool exhausted", pool_exhausted),
    Fault("table of choices missing", renamed("optout_choice")),
    Fault("table of choices made anew", made_anew),
    # A process that runs has opened its data key already, and the choices are there.
    Fault("table of keys missing", renamed("optout_meta"), sends=True, presses=True),
]
