"""Connections and transactions on the host's engine: ours stand by themselves, the host's stay the host's."""

from __future__ import annotations

import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool, SingletonThreadPool, StaticPool

from flask_optout import StoreUnavailable
from flask_optout.choices.store import KeyTaken, Store, insert
from tests.support.host_engines import AUTOCOMMIT, BLOCKED, FILES, MEMORY, Shared, add, engine_of, look, word

every = pytest.mark.parametrize("shared", [*FILES, *MEMORY], indirect=True)
#: Those where what the host has written stays open until the host ends it.
OPEN = [name for name in (*FILES, *MEMORY) if name not in AUTOCOMMIT]
open_ones = pytest.mark.parametrize("shared", OPEN, indirect=True)


@every
def test_a_write_is_committed_when_it_returns_and_a_read_commits_nothing(shared: Shared) -> None:
    shared.store.write(add)
    assert shared.store.read(look) == ["ours"]
    assert shared.stored() == ["ours"]


@every
def test_what_fails_inside_a_write_leaves_nothing(shared: Shared) -> None:
    def fail(connection: sa.Connection) -> None:
        add(connection)
        raise ZeroDivisionError

    for write in (shared.store.write, shared.store.record):
        with pytest.raises(ZeroDivisionError):
            write(fail)
    assert shared.stored() == []


@every
@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_our_look_leaves_the_hosts_flushed_rows_to_the_host(shared: Shared, end: str) -> None:
    shared.host_writes()
    shared.store.read(look)
    with shared.store.hold() as read:
        read(look)
    getattr(shared.session, end)()
    assert shared.stored() == (["host's"] if end == "commit" or shared.name in AUTOCOMMIT else [])


@open_ones
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_record_shares_the_fate_of_what_the_host_has_written(shared: Shared, end: str) -> None:
    shared.host_writes()
    shared.store.record(add)
    assert shared.session.scalar(sa.select(sa.func.count()).select_from(word)) == 2
    getattr(shared.session, end)()
    assert shared.stored() == (["host's", "ours"] if end == "commit" else [])


@every
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_record_stands_where_the_host_has_only_read(shared: Shared, end: str) -> None:
    shared.host_reads()
    shared.store.record(add)
    getattr(shared.session, end)()
    assert shared.stored() == ([] if shared.name in BLOCKED and end == "rollback" else ["ours"])


@every
def test_a_record_that_fails_spoils_nothing_of_the_hosts(shared: Shared) -> None:
    shared.host_writes()
    with pytest.raises(StoreUnavailable):
        shared.store.record(lambda connection: connection.exec_driver_sql("INSERT INTO nothing VALUES (1)"))
    shared.session.commit()
    assert shared.stored() == ["host's"]


@every
def test_a_record_spoils_no_savepoint_of_the_hosts(shared: Shared) -> None:
    with shared.session.begin_nested():
        shared.host_writes("kept")
    with pytest.raises(ZeroDivisionError), shared.session.begin_nested():
        shared.host_writes("undone")
        shared.store.record(add)
        raise ZeroDivisionError
    shared.session.commit()
    assert "kept" in shared.stored() and "undone" not in shared.stored()


@open_ones
def test_what_must_stand_is_refused_while_the_host_has_written(shared: Shared) -> None:
    shared.host_writes()
    with pytest.raises(StoreUnavailable, match="Commit the session"):
        shared.store.write(add)
    shared.session.commit()
    shared.store.write(add)
    assert shared.stored() == ["host's", "ours"]


@pytest.mark.parametrize("shared", AUTOCOMMIT, indirect=True)
def test_but_not_where_what_the_host_has_written_is_committed_at_once(shared: Shared) -> None:
    shared.host_writes()
    shared.store.write(add)
    assert shared.stored() == ["host's", "ours"]


@pytest.mark.parametrize("shared", [name for name in FILES if name not in BLOCKED], indirect=True)
def test_what_must_stand_is_written_where_the_host_has_only_read(shared: Shared) -> None:
    shared.host_reads()
    shared.store.write(add)
    shared.session.rollback()
    assert shared.stored() == ["ours"]


@pytest.mark.parametrize("shared", MEMORY, indirect=True)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_transaction_on_the_engine_itself_stays_the_hosts_too(shared: Shared, end: str) -> None:
    with shared.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(word.insert().values(word="host's"))
        shared.store.read(look)
        shared.store.record(add)
        with pytest.raises(StoreUnavailable, match="Commit the session"):
            shared.store.write(add)
        getattr(transaction, end)()
    assert shared.stored() == (["host's", "ours"] if end == "commit" else [])


@pytest.mark.parametrize("shared", MEMORY, indirect=True)
def test_what_the_host_has_set_on_its_one_connection_stays(shared: Shared) -> None:
    seen: list[sa.Connection] = []
    driver: sqlite3.Connection = shared.session.connection().connection.driver_connection  # type: ignore[assignment]
    driver.create_function("regexp", 2, lambda pattern, text: "the host's")
    for event in ("begin", "commit", "rollback"):
        sa.event.listen(shared.engine, event, lambda connection: seen.append(connection))
    shared.store.write(add)
    shared.store.read(look)
    shared.store.record(add)
    assert seen == []
    assert driver.execute("SELECT 'a' REGEXP 'b'").fetchone() == ("the host's",)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sqlite3 has these modes from Python 3.12 on")
@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool])
def test_every_mode_of_pythons_own_transactions_in_memory(pool: Any, autocommit: bool) -> None:
    engine = sa.create_engine("sqlite://", poolclass=pool, connect_args={"autocommit": autocommit})
    word.create(engine)
    shared = Shared("", engine)

    def fail(connection: sa.Connection) -> None:
        add(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        shared.store.write(fail)
    shared.store.write(add)
    shared.store.record(add)
    shared.host_writes()
    shared.store.record(add)
    shared.session.rollback()
    assert shared.stored() == (["host's"] if autocommit else []) + ["ours"] * (3 if autocommit else 2)
    engine.dispose()


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
    with store.hold() as read:
        assert read(look) == ["ours", "ours"]
        with pytest.raises(StoreUnavailable, match="TimeoutError"):
            store.read(look)
    engine.dispose()


def test_each_read_over_a_held_connection_sees_what_was_committed_before_it(shared: Shared) -> None:
    with shared.store.hold() as read:
        assert read(look) == []
        Store(lambda: shared.engine, lambda: None).write(add)
        assert read(look) == ["ours"]


def test_threads_of_one_pool_do_not_meet(shared: Shared) -> None:
    threads = [threading.Thread(target=shared.store.write, args=(add,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.stored() == ["ours"] * 8


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


@pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool, QueuePool])
def test_a_schema_that_the_host_has_mapped_to_another_is_that_one(pool: Any, tmp_path: Path) -> None:
    """As a host does that has schemas on its server, and none in its tests."""
    in_schema = sa.Table("word", sa.MetaData(schema="tenant"), sa.Column("word", sa.String(20)))
    url = f"sqlite:///{tmp_path / 'host.db'}" if pool is QueuePool else "sqlite://"
    engine = sa.create_engine(url, poolclass=pool, execution_options={"schema_translate_map": {"tenant": None}})
    in_schema.create(engine)
    store = Store(lambda: engine, lambda: None)
    for call in (store.write, store.record):
        call(lambda connection: connection.execute(in_schema.insert().values(word="ours")))
    assert store.read(lambda connection: connection.execute(sa.select(in_schema)).all()) == [("ours",)] * 2
    engine.dispose()
