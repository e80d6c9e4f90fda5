"""What a database cannot do is one error that names nobody, told at once or after tries that may help."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import QueuePool, SingletonThreadPool, StaticPool

from flask_optout import StoreUnavailable
from flask_optout.choices import store as module
from flask_optout.choices.store import Store, insert
from tests.support.host_engines import Shared, add, look, word


@pytest.mark.parametrize("error", [OSError("connection reset"), sa.exc.InvalidRequestError(), sqlite3.Error()])
def test_errors_of_the_hosts_own_code_stay_what_they_are(shared: Shared, error: Exception) -> None:
    """A mail server's errors are OSErrors, and they are raised while a connection is held."""
    with pytest.raises(type(error)) as raised, shared.store.held() as read:
        read(look)
        raise error
    assert raised.value is error


def test_an_error_of_the_database_names_no_address_and_no_parameter(shared: Shared) -> None:
    def fail(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT :who FROM missing"), {"who": "jane@example.org"})

    for call in (shared.store.read, shared.store.write, shared.store.record):
        with pytest.raises(StoreUnavailable, match="no such table: missing") as failed:
            call(fail)
        assert "jane" not in str(failed.value) and failed.value.__cause__ is None


@pytest.mark.parametrize(
    "error", [UnicodeEncodeError("latin-1", "jane@example.org \u2603", 17, 18, ""), ValueError("a literal with NUL")]
)
def test_a_value_that_the_driver_cannot_write_is_an_error_of_the_database(shared: Shared, error: Exception) -> None:
    def fail(connection: sa.Connection) -> None:
        raise error

    for call in (shared.store.read, shared.store.write, shared.store.record):
        with pytest.raises(StoreUnavailable, match=type(error).__name__) as failed:
            call(fail)
        assert "jane" not in str(failed.value) and failed.value.__cause__ is None


def test_a_value_that_may_not_be_missing_is_an_error_and_no_key_that_is_taken(shared: Shared) -> None:
    """As where a server takes an empty text for NULL: whoever tries another key would try for ever."""
    strict = sa.Table("strict", sa.MetaData(), sa.Column("word", sa.String(9), nullable=False))
    strict.create(shared.engine)
    with pytest.raises(StoreUnavailable, match="NOT NULL"):
        shared.store.write(lambda connection: insert(connection, strict, {"word": None}))


def test_a_value_that_a_database_quotes_is_left_out(shared: Shared) -> None:
    def fail(connection: sa.Connection) -> None:
        raise sa.exc.DataError("INSERT", {}, sqlite3.DataError("bad value 'jane@example.org'"))

    with pytest.raises(StoreUnavailable, match=r"could not be used \(DataError\)"):
        shared.store.write(fail)


class Conflict(Exception):
    """What a driver raises, with what it says about it."""

    def __init__(self, *args: object, **facts: object) -> None:
        super().__init__(*args)
        self.__dict__.update(facts)


CONFLICTS = {
    "a PostgreSQL deadlock": Conflict("deadlock", sqlstate="40P01"),
    "a PostgreSQL serialization failure": Conflict("serialize", pgcode="40001"),
    "a PostgreSQL deadlock, said by pg8000": Conflict({"S": "ERROR", "C": "40P01", "M": "deadlock detected"}),
    "a MariaDB deadlock": Conflict(1213, "Deadlock found"),
    "a MariaDB snapshot conflict": Conflict(1020, "Record has changed"),
    "SQLite busy": Conflict("database is locked", sqlite_errorname="SQLITE_BUSY"),
    "SQLite's shared cache locked": Conflict(
        "database table is locked", sqlite_errorname="SQLITE_LOCKED_SHAREDCACHE"
    ),
    "an SQLite snapshot conflict": Conflict("database is locked", sqlite_errorname="SQLITE_BUSY_SNAPSHOT"),
}


@pytest.mark.parametrize("conflict", CONFLICTS)
def test_a_transaction_that_met_a_conflict_is_run_again(shared: Shared, conflict: str) -> None:
    failures = [CONFLICTS[conflict]] * 3

    def work(connection: sa.Connection) -> None:
        add(connection)
        if failures:
            raise sa.exc.OperationalError("INSERT", {}, failures.pop())

    shared.store.write(work)
    assert shared.stored() == ["ours"]


def test_any_other_error_is_told_at_once(shared: Shared) -> None:
    runs = []

    def work(connection: sa.Connection) -> None:
        runs.append(1)
        raise sa.exc.OperationalError("INSERT", {}, Conflict("disk full", sqlite_errorname="SQLITE_FULL"))

    with pytest.raises(StoreUnavailable, match="disk full"):
        shared.store.write(work)
    assert runs == [1]


def test_a_locked_file_is_unavailable_and_works_again(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    with shared.engine.connect() as other:
        other.exec_driver_sql("BEGIN EXCLUSIVE")
        for call in (shared.store.read, shared.store.write, shared.store.record):
            with pytest.raises(StoreUnavailable, match="database is locked"):
                call(look)
        other.rollback()
    shared.store.write(add)
    assert shared.stored() == ["ours"]


@pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool, QueuePool])
def test_a_commit_that_fails_leaves_no_transaction_open(pool: type[sa.Pool], tmp_path: Path) -> None:
    file = tmp_path / "host.db"
    engine = sa.create_engine(f"sqlite:///{file}", poolclass=pool, connect_args={"timeout": 0.1})
    word.create(engine)
    store, reader = Store(lambda: engine, lambda: None), sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM word").fetchall()
    with pytest.raises(StoreUnavailable, match="database is locked"):
        store.write(add)
    reader.execute("ROLLBACK")
    store.write(add)
    assert reader.execute("SELECT * FROM word").fetchall() == [("ours",)]
    reader.close()
    engine.dispose()


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
