"""Connections and transactions on the host's engine: ours stand by themselves, the host's stay the host's."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool

from flask_optout import StoreUnavailable
from flask_optout.choices import store as module
from flask_optout.choices.store import KeyTaken, Store, insert

word = sa.Table("word", sa.MetaData(), sa.Column("word", sa.String(9)))


def emit_begin(engine: sa.Engine) -> None:
    """The recipe of SQLAlchemy's manual for SQLite's transactions, which many hosts have installed."""

    @sa.event.listens_for(engine, "connect")
    def no_implicit_begin(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    engine.dispose()


def write_ahead(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")


MEMORY: dict[str, dict[str, Any]] = {
    "in memory, StaticPool": {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}},
    "in memory, SingletonThreadPool": {"poolclass": SingletonThreadPool},
}
FILES: dict[str, tuple[dict[str, Any], list[Callable[[sa.Engine], None]]]] = {
    "a file": ({}, []),
    "a file, write-ahead log": ({}, [write_ahead]),
    "a file, emits BEGIN": ({}, [emit_begin]),
    "a file, write-ahead log, emits BEGIN": ({}, [write_ahead, emit_begin]),
    "a file, AUTOCOMMIT": ({"isolation_level": "AUTOCOMMIT"}, []),
    "a file, NullPool": ({"poolclass": NullPool}, []),
}
#: Without a write-ahead log a host that begins transactions for its reads keeps everybody else from writing.
BLOCKED = "a file, emits BEGIN"
#: Those where a transaction of the host's that is open has written, if the driver says that one is.
SURE = [name for name in (*FILES, *MEMORY) if "emits BEGIN" not in name and "AUTOCOMMIT" not in name]


def engine_of(name: str, folder: Path) -> sa.Engine:
    if name in MEMORY:
        engine = sa.create_engine("sqlite://", **MEMORY[name])
    else:
        options, recipes = FILES[name]
        connect = {"timeout": 0.3, **options.pop("connect_args", {})}
        engine = sa.create_engine(f"sqlite:///{folder / 'store.db'}", connect_args=connect, **options)
        for recipe in recipes:
            recipe(engine)
    word.create(engine)
    return engine


class Host:
    """An engine, a session of the host's on it, and our store on the same engine."""

    def __init__(self, name: str, engine: sa.Engine) -> None:
        self.name = name
        self.engine = engine
        self.session = Session(engine)
        self.store = Store(lambda: engine, lambda: self.session)

    def writes(self, text: str = "host's") -> None:
        self.session.execute(word.insert().values(word=text))

    def reads(self) -> None:
        self.session.execute(sa.select(word)).all()

    def stored(self) -> list[str]:
        """What is committed, once the host's session is at its end."""
        self.session.close()
        with self.engine.connect() as connection:
            return list(connection.scalars(sa.select(word.c.word).order_by(word.c.word)))


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    name = getattr(request, "param", "a file")
    host = Host(name, engine_of(name, tmp_path))
    yield host
    host.session.close()
    host.engine.dispose()


every = pytest.mark.parametrize("host", [*FILES, *MEMORY], indirect=True)
surely = pytest.mark.parametrize("host", SURE, indirect=True)


def add(connection: sa.Connection) -> None:
    connection.execute(word.insert().values(word="ours"))


def look(connection: sa.Connection) -> list[str]:
    return list(connection.scalars(sa.select(word.c.word)))


@every
def test_a_write_is_committed_when_it_returns_and_a_read_commits_nothing(host: Host) -> None:
    host.store.write(add)
    assert host.store.read(look) == ["ours"]
    assert host.stored() == ["ours"]


@every
def test_what_fails_inside_a_write_leaves_nothing(host: Host) -> None:
    def fail(connection: sa.Connection) -> None:
        add(connection)
        raise ZeroDivisionError

    for write in (host.store.write, host.store.record):
        with pytest.raises(ZeroDivisionError):
            write(fail)
    assert host.stored() == []


@every
@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_our_look_leaves_the_hosts_flushed_rows_to_the_host(host: Host, end: str) -> None:
    host.writes()
    host.store.read(look)
    with host.store.held() as read:
        read(look)
    getattr(host.session, end)()
    assert host.stored() == (["host's"] if end == "commit" or "AUTOCOMMIT" in host.name else [])


@surely
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_record_shares_the_fate_of_what_the_host_has_written(host: Host, end: str) -> None:
    host.writes()
    host.store.record(add)
    assert host.session.scalar(sa.select(sa.func.count()).select_from(word)) == 2
    getattr(host.session, end)()
    assert host.stored() == (["host's", "ours"] if end == "commit" else [])


@every
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_record_stands_where_the_host_has_only_read(host: Host, end: str) -> None:
    host.reads()
    host.store.record(add)
    getattr(host.session, end)()
    assert host.stored() == ([] if host.name == BLOCKED and end == "rollback" else ["ours"])


@pytest.mark.parametrize("host", ["a file, emits BEGIN", "a file, write-ahead log, emits BEGIN"], indirect=True)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_where_the_host_begins_transactions_a_record_shares_their_fate_once_it_has_written(
    host: Host, end: str
) -> None:
    host.writes()
    host.store.record(add)
    getattr(host.session, end)()
    assert host.stored() == (["host's", "ours"] if end == "commit" else [])


@every
def test_a_record_that_fails_spoils_nothing_of_the_hosts(host: Host) -> None:
    host.writes()
    with pytest.raises(StoreUnavailable):
        host.store.record(lambda connection: connection.exec_driver_sql("INSERT INTO nothing VALUES (1)"))
    host.session.commit()
    assert host.stored() == ["host's"]


@every
def test_a_record_in_a_savepoint_of_the_hosts(host: Host) -> None:
    with host.session.begin_nested():
        host.writes("kept")
    with pytest.raises(ZeroDivisionError), host.session.begin_nested():
        host.writes("undone")
        host.store.record(add)
        raise ZeroDivisionError
    host.session.commit()
    assert "kept" in host.stored() and "undone" not in host.stored()


@every
def test_what_must_stand_is_refused_while_the_host_has_written(host: Host) -> None:
    host.writes()
    if "AUTOCOMMIT" in host.name:  # then nothing of the host's is open
        host.store.write(add)
        return
    with pytest.raises(StoreUnavailable, match="Commit the session"):
        host.store.write(add)
    host.session.commit()
    host.store.write(add)
    assert host.stored() == ["host's", "ours"]


@pytest.mark.parametrize("host", [name for name in FILES if name != BLOCKED], indirect=True)
def test_what_must_stand_is_written_where_the_host_has_only_read(host: Host) -> None:
    host.reads()
    host.store.write(add)
    host.session.rollback()
    assert host.stored() == ["ours"]


@pytest.mark.parametrize("host", MEMORY, indirect=True)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_transaction_on_the_engine_itself_stays_the_hosts_too(host: Host, end: str) -> None:
    with host.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(word.insert().values(word="host's"))
        host.store.read(look)
        host.store.record(add)
        with pytest.raises(StoreUnavailable, match="Commit the session"):
            host.store.write(add)
        getattr(transaction, end)()
    assert host.stored() == (["host's", "ours"] if end == "commit" else [])


@pytest.mark.parametrize("host", MEMORY, indirect=True)
def test_what_the_host_has_set_on_its_one_connection_stays(host: Host) -> None:
    seen: list[str] = []
    driver: sqlite3.Connection = host.session.connection().connection.driver_connection  # type: ignore[assignment]
    driver.create_function("regexp", 2, lambda pattern, text: "the host's")
    sa.event.listen(host.engine, "begin", lambda connection: seen.append("begin"))
    sa.event.listen(host.engine, "commit", lambda connection: seen.append("commit"))
    sa.event.listen(host.engine, "rollback", lambda connection: seen.append("rollback"))
    host.store.write(add)
    host.store.read(look)
    host.store.record(add)
    assert seen == []
    assert driver.execute("SELECT 'a' REGEXP 'b'").fetchone() == ("the host's",)


def test_a_session_without_a_connection_is_given_none(tmp_path: Path) -> None:
    """One that has only talked to another database must not take a connection from the pool of ours."""
    ours = sa.create_engine(f"sqlite:///{tmp_path / 'ours.db'}", poolclass=QueuePool, pool_size=1, max_overflow=0)
    other = sa.create_engine("sqlite://")
    word.create(ours)
    word.create(other)
    session = Session(binds={word: other}, bind=other)
    session.execute(word.insert().values(word="host's"))
    store = Store(lambda: ours, lambda: session)
    store.write(add)
    store.record(add)
    assert ours.pool.checkedout() == 0  # type: ignore[attr-defined]
    session.close()
    for engine in (ours, other):
        engine.dispose()


def test_a_pool_of_one_connection_is_enough(tmp_path: Path) -> None:
    engine = sa.create_engine(
        f"sqlite:///{tmp_path / 'one.db'}", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.2
    )
    word.create(engine)
    store = Store(lambda: engine, lambda: None)
    for call in (store.write, store.record):
        call(add)
    with store.held() as read:
        assert read(look) == ["ours", "ours"]
        with pytest.raises(StoreUnavailable, match="TimeoutError"):
            store.read(look)
    engine.dispose()


def test_each_read_over_a_held_connection_sees_what_was_committed_before_it(host: Host) -> None:
    with host.store.held() as read:
        assert read(look) == []
        Store(lambda: host.engine, lambda: None).write(add)
        assert read(look) == ["ours"]


@pytest.mark.parametrize("error", [OSError("connection reset"), sa.exc.InvalidRequestError(), sqlite3.Error()])
def test_errors_of_the_hosts_own_code_stay_what_they_are(host: Host, error: Exception) -> None:
    """A mail server's errors are OSErrors, and they are raised while a connection is held."""
    with pytest.raises(type(error)) as raised, host.store.held() as read:
        read(look)
        raise error
    assert raised.value is error


def test_an_error_of_the_database_names_no_address_and_no_parameter(host: Host) -> None:
    def fail(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT :who FROM missing"), {"who": "jane@example.org"})

    for call in (host.store.read, host.store.write, host.store.record):
        with pytest.raises(StoreUnavailable, match="no such table: missing") as failed:
            call(fail)
        assert "jane" not in str(failed.value) and failed.value.__cause__ is None


def test_a_value_that_a_database_quotes_is_left_out() -> None:
    error = sa.exc.DataError("INSERT", {}, sqlite3.DataError("bad value 'jane@example.org'"))
    assert module._reason(error) == "DataError"


class Conflict(Exception):
    """What a driver raises, with what it says about it."""

    def __init__(self, *args: object, **facts: object) -> None:
        super().__init__(*args)
        self.__dict__.update(facts)


CONFLICTS = {
    "a PostgreSQL deadlock": Conflict("deadlock", sqlstate="40P01"),
    "a PostgreSQL serialization failure": Conflict("serialize", pgcode="40001"),
    "a MariaDB deadlock": Conflict(1213, "Deadlock found"),
    "a MariaDB snapshot conflict": Conflict(1020, "Record has changed"),
    "SQLite busy": Conflict("database is locked", sqlite_errorname="SQLITE_BUSY"),
    "an SQLite snapshot conflict": Conflict("database is locked", sqlite_errorname="SQLITE_BUSY_SNAPSHOT"),
}


@pytest.mark.parametrize("conflict", CONFLICTS)
def test_a_transaction_that_met_a_conflict_is_run_again(host: Host, conflict: str) -> None:
    failures = [CONFLICTS[conflict]] * 3

    def work(connection: sa.Connection) -> None:
        add(connection)
        if failures:
            raise sa.exc.OperationalError("INSERT", {}, failures.pop())

    host.store.write(work)
    assert host.stored() == ["ours"]


def test_any_other_error_is_told_at_once(host: Host) -> None:
    runs = []

    def work(connection: sa.Connection) -> None:
        runs.append(1)
        raise sa.exc.OperationalError("INSERT", {}, Conflict("disk full", sqlite_errorname="SQLITE_FULL"))

    with pytest.raises(StoreUnavailable, match="disk full"):
        host.store.write(work)
    assert runs == [1]


def test_a_locked_file_is_unavailable_and_works_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    with host.engine.connect() as other:
        other.exec_driver_sql("BEGIN EXCLUSIVE")
        for call in (host.store.read, host.store.write, host.store.record):
            with pytest.raises(StoreUnavailable, match="database is locked"):
                call(look)
        other.rollback()
    host.store.write(add)
    assert host.stored() == ["ours"]


@pytest.mark.parametrize(
    "url",
    ["sqlite:////dev/null/nowhere.db", "postgresql+psycopg://x@127.0.0.1:1/x", "mysql+pymysql://x@127.0.0.1:1/x"],
)
def test_a_missing_database_is_unavailable(url: str) -> None:
    engine = sa.create_engine(url)
    store = Store(lambda: engine, lambda: None)
    for call in (store.read, store.write, store.record):
        with pytest.raises(StoreUnavailable, match="SQLALCHEMY_DATABASE_URI"):
            call(look)
    with pytest.raises(StoreUnavailable), store.held():
        pass


def test_threads_of_one_pool_do_not_meet(host: Host) -> None:
    threads = [threading.Thread(target=host.store.write, args=(add,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert host.stored() == ["ours"] * 8


@pytest.mark.parametrize("name", [*FILES, *MEMORY])
def test_a_key_that_is_taken_is_said_and_the_rows_stay(name: str, tmp_path: Path) -> None:
    engine = engine_of(name, tmp_path)
    numbered = sa.Table("numbered", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    store = Store(lambda: engine, lambda: None)
    store.write(numbered.create)
    store.write(lambda connection: insert(connection, numbered, {"id": 1}, {"id": 2}))
    with pytest.raises(KeyTaken):
        store.write(lambda connection: insert(connection, numbered, {"id": 3}, {"id": 1}))
    assert store.read(lambda connection: connection.scalars(sa.select(numbered.c.id)).all()) == [1, 2]
    engine.dispose()
