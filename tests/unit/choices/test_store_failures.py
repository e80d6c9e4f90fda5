"""What a database cannot do is one error that names nobody, told at once or after tries that may help."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import QueuePool, SingletonThreadPool, StaticPool

from flask_optout import StoreUnavailable
from flask_optout.choices import store as module
from flask_optout.choices.store import KeyTaken, Store, insert
from tests.support.host_engines import Shared, add, look, word


@pytest.mark.parametrize("error", [OSError("connection reset"), sa.exc.InvalidRequestError(), sqlite3.Error()])
def test_errors_of_the_hosts_own_code_stay_what_they_are(shared: Shared, error: Exception) -> None:
    """A mail server's errors are OSErrors, and they are raised while a connection is held."""
    with pytest.raises(type(error)) as raised, shared.store.hold() as read:
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


class Said(Exception):
    """What a driver raises, with what it says about it."""

    def __init__(self, *args: object, **facts: object) -> None:
        super().__init__(*args)
        self.__dict__.update(facts)


class Refusing(sa.Connection):
    """Executes nothing."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def execute(self, *args: Any, **options: Any) -> Any:
        raise sa.exc.IntegrityError("INSERT", {}, self.error)


TAKEN = {
    "psycopg": Said("duplicate key", sqlstate="23505"),
    "pg8000": Said({"S": "ERROR", "C": "23505", "M": "duplicate key"}),
    "SQLite": Said("UNIQUE constraint failed", sqlite_errorname="SQLITE_CONSTRAINT_PRIMARYKEY"),
    "PyMySQL": Said(1062, "Duplicate entry"),
    "MariaDB Connector/Python": Said("Duplicate entry", errno=1062, sqlstate="23000"),
    "oracledb": Said(SimpleNamespace(code=1, message="ORA-00001: unique constraint violated")),
    "pyodbc": Said("23000", "[23000] Violation of PRIMARY KEY constraint"),
    "one that says something else": Said(["a list"]),
    "one that says nothing": Said(),
}
MISSING = {
    "psycopg": Said("null value", sqlstate="23502"),
    "PyMySQL": Said(1048, "Column cannot be null"),
    "MariaDB Connector/Python": Said("Column cannot be null", errno=1048, sqlstate="23000"),
    "oracledb": Said(SimpleNamespace(code=1400, message="ORA-01400: cannot insert NULL")),
}


@pytest.mark.parametrize("error", TAKEN)
def test_a_key_that_is_taken_is_told_whatever_the_driver(error: str) -> None:
    with pytest.raises(KeyTaken):
        insert(Refusing(TAKEN[error]), word, {"word": "ours"})


@pytest.mark.parametrize("error", MISSING)
def test_and_a_value_that_may_not_be_missing_is_none(error: str) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        insert(Refusing(MISSING[error]), word, {"word": "ours"})


def test_a_value_that_a_database_quotes_is_left_out(shared: Shared) -> None:
    def fail(connection: sa.Connection) -> None:
        raise sa.exc.DataError("INSERT", {}, sqlite3.DataError("bad value 'jane@example.org'"))

    with pytest.raises(StoreUnavailable, match=r"could not be used \(DataError\)"):
        shared.store.write(fail)


CONFLICTS = {
    "a PostgreSQL deadlock": Said("deadlock", sqlstate="40P01"),
    "a PostgreSQL serialization failure": Said("serialize", pgcode="40001"),
    "a PostgreSQL deadlock, said by pg8000": Said({"S": "ERROR", "C": "40P01", "M": "deadlock detected"}),
    "a MariaDB deadlock": Said(1213, "Deadlock found"),
    "a MariaDB snapshot conflict": Said(1020, "Record has changed"),
    "SQLite busy": Said("database is locked", sqlite_errorname="SQLITE_BUSY"),
    "SQLite's shared cache locked": Said("database table is locked", sqlite_errorname="SQLITE_LOCKED_SHAREDCACHE"),
    "an SQLite snapshot conflict": Said("database is locked", sqlite_errorname="SQLITE_BUSY_SNAPSHOT"),
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
        raise sa.exc.OperationalError("INSERT", {}, Said("disk full", sqlite_errorname="SQLITE_FULL"))

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
    with pytest.raises(StoreUnavailable), store.hold():
        pass
