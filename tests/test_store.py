"""Every wait for the database ends in time, whatever hangs, and the host's connections go back as they were."""

from __future__ import annotations

import contextvars
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask_optout.choices.time_limit import MOST_STUCK

from flask_optout import StoreUnavailable
from flask_optout.choices.store import Store
from tests.support.databases import Database

SLEEP = {"postgresql": "SELECT pg_sleep(3)", "mariadb": "SELECT sleep(3)"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'store.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE word (word TEXT)")
    yield engine
    engine.dispose()


def words(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT word FROM word")]


def add(connection: sa.Connection) -> None:
    connection.exec_driver_sql("INSERT INTO word VALUES ('hello')")


def test_a_write_is_committed_when_it_returns_and_a_read_commits_nothing(engine: sa.Engine) -> None:
    store = Store(lambda: engine)
    store.write(add)
    store.read(add)
    assert words(engine) == ["hello"]


def test_what_hangs_is_given_up_in_time_and_commits_nothing_later(engine: sa.Engine) -> None:
    store, release = Store(lambda: engine, timeout=0.2), threading.Event()

    def hang(connection: sa.Connection) -> None:
        release.wait()
        add(connection)

    start = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"no answer within 0\.2 s"):
        store.write(hang)
    assert 0.2 <= time.monotonic() - start < 2
    release.set()
    time.sleep(0.1)
    assert words(engine) == []
    store.write(add)


def test_the_usual_timeout_is_two_seconds(database: Database) -> None:
    if database.kind == "sqlite":
        pytest.skip("has no statement that sleeps")
    engine = sa.create_engine(database.url)
    start = time.monotonic()
    with pytest.raises(StoreUnavailable):
        Store(lambda: engine).read(lambda connection: connection.exec_driver_sql(SLEEP[database.kind]))
    assert 1.7 <= time.monotonic() - start < 2.9
    time.sleep(1.2)
    engine.dispose()


def test_when_too_many_hang_the_next_is_refused_at_once_until_they_end(engine: sa.Engine) -> None:
    store, release = Store(lambda: engine, timeout=0.1), threading.Event()
    for _ in range(MOST_STUCK):
        with pytest.raises(StoreUnavailable, match="no answer"):
            store.read(lambda connection: release.wait())
    start = time.monotonic()
    with pytest.raises(StoreUnavailable, match="earlier calls still hang"):
        store.read(add)
    assert time.monotonic() - start < 1
    release.set()
    deadline = time.monotonic() + 5
    while words(engine) == [] and time.monotonic() < deadline:
        with suppress(StoreUnavailable):
            store.write(add)
    assert words(engine) == ["hello"]


def test_threads_are_used_again_and_see_the_callers_context(engine: sa.Engine) -> None:
    store, name = Store(lambda: engine), contextvars.ContextVar[str]("name")
    name.set("caller")
    before = threading.active_count()
    seen = [store.read(lambda connection: (name.get(), threading.get_ident())) for _ in range(5)]
    assert {who for who, _ in seen} == {"caller"}
    assert len({thread for _, thread in seen}) == 1 and seen[0][1] != threading.get_ident()
    assert threading.active_count() <= before + 1


def test_it_works_in_a_process_that_was_forked(engine: sa.Engine) -> None:
    store = Store(lambda: engine)
    store.write(add)
    engine.dispose()
    child = os.fork()
    if child == 0:
        try:
            store.write(add)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert words(engine) == ["hello", "hello"]


def test_an_error_of_the_work_is_the_callers_and_nothing_is_committed(engine: sa.Engine) -> None:
    def fail(connection: sa.Connection) -> None:
        add(connection)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Store(lambda: engine).write(fail)
    assert words(engine) == []


def test_the_error_names_the_reason_and_no_parameter(engine: sa.Engine) -> None:
    query = sa.text("SELECT * FROM absent WHERE word = :word")
    with pytest.raises(StoreUnavailable, match="OperationalError: no such table: absent") as failed:
        Store(lambda: engine).read(lambda connection: connection.execute(query, {"word": "jane@x.org"}))
    assert "jane" not in str(failed.value) and failed.value.__cause__ is None and failed.value.__suppress_context__


def test_an_error_of_the_driver_itself_is_no_surprise(engine: sa.Engine) -> None:
    def fail(connection: sa.Connection) -> None:
        raise sqlite3.DatabaseError("file is not a database")

    with pytest.raises(StoreUnavailable, match="file is not a database"):
        Store(lambda: engine).read(fail)


def test_a_passing_conflict_is_tried_again(engine: sa.Engine) -> None:
    tries = []

    def conflict(connection: sa.Connection) -> None:
        add(connection)
        tries.append(1)
        if len(tries) < 3:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorname = "SQLITE_BUSY_SNAPSHOT"
            raise sa.exc.OperationalError("INSERT", {}, error)

    Store(lambda: engine).write(conflict)
    assert len(tries) == 3 and words(engine) == ["hello"]


SETTINGS = {
    "sqlite": "PRAGMA busy_timeout",
    "postgresql": "SHOW statement_timeout",
    "mariadb": "SELECT concat(@@lock_wait_timeout, ' ', @@innodb_lock_wait_timeout)",
}


@pytest.mark.parametrize("works", [True, False], ids=["after success", "after failure"])
def test_the_hosts_connection_goes_back_with_its_own_settings(database: Database, works: bool) -> None:
    engine = sa.create_engine(database.url, pool_size=1, max_overflow=0)

    def setting() -> object:
        with engine.connect() as connection:
            return connection.exec_driver_sql(SETTINGS[database.kind]).scalar()

    before = setting()
    store = Store(lambda: engine)
    during = store.read(lambda connection: connection.exec_driver_sql(SETTINGS[database.kind]).scalar())
    assert during != before
    if not works:
        with pytest.raises(StoreUnavailable):
            store.write(lambda connection: connection.exec_driver_sql("SELECT nonsense FROM nothing"))
    assert setting() == before
    engine.dispose()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_is_asked_again_and_again_is_planned_once(database: Database) -> None:
    engine = sa.create_engine(database.url, pool_size=1, max_overflow=0)
    if engine.driver != "psycopg":
        pytest.skip("this driver prepares nothing")
    store, question = Store(lambda: engine), sa.select(sa.func.abs(sa.bindparam("number", -1)))
    for _ in range(10):
        assert store.read(lambda connection: connection.scalar(question)) == 1
    planned = sa.text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%abs(%'")
    assert store.read(lambda connection: connection.scalar(planned)) == 1
    engine.dispose()
