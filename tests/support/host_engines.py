"""The engines of SQLite that hosts have, and what a host and our store do on one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, SingletonThreadPool, StaticPool

from flask_optout.choices.store import Store

word = sa.Table("word", sa.MetaData(), sa.Column("word", sa.String(9)))


def emit_begin(engine: sa.Engine, statement: str = "BEGIN") -> None:
    """The recipe of SQLAlchemy's manual for SQLite's transactions, which many hosts have installed."""

    def no_implicit_begin(connection: Any, record: object) -> None:
        connection.isolation_level = None

    sa.event.listen(engine, "connect", no_implicit_begin)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(statement))
    engine.dispose()


def emit_begin_immediate(engine: sa.Engine) -> None:
    emit_begin(engine, "BEGIN IMMEDIATE")


def begin_nothing(engine: sa.Engine) -> None:
    """Half of that recipe."""
    sa.event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
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
    "a file, emits BEGIN IMMEDIATE": ({}, [emit_begin_immediate]),
    "a file, write-ahead log, emits BEGIN IMMEDIATE": ({}, [write_ahead, emit_begin_immediate]),
    "a file, AUTOCOMMIT": ({"isolation_level": "AUTOCOMMIT"}, []),
    "a file, begins nothing": ({}, [begin_nothing]),
    "a file, NullPool": ({"poolclass": NullPool}, []),
}
#: A host that begins transactions for its reads keeps others from writing, without a write-ahead log or at once.
BLOCKED = [name for name in FILES if name == "a file, emits BEGIN" or "IMMEDIATE" in name]
#: Where nothing that the host has written is open: it is committed at once.
AUTOCOMMIT = ["a file, AUTOCOMMIT", "a file, begins nothing"]


def engine_of(name: str, folder: Path) -> sa.Engine:
    if name in MEMORY:
        engine = sa.create_engine("sqlite://", **MEMORY[name])
    else:
        options, recipes = FILES[name]
        engine = sa.create_engine(f"sqlite:///{folder / 'store.db'}", connect_args={"timeout": 0.3}, **options)
        for recipe in recipes:
            recipe(engine)
    word.create(engine)
    return engine


class Shared:
    """One engine, a session of the host's on it, and our store on it too."""

    def __init__(self, name: str, engine: sa.Engine) -> None:
        self.name = name
        self.engine = engine
        self.session = Session(engine)
        self.store = Store(lambda: engine, lambda: self.session)

    def host_writes(self, text: str = "host's") -> None:
        self.session.execute(word.insert().values(word=text))

    def host_reads(self) -> None:
        self.session.execute(sa.select(word)).all()

    def stored(self) -> list[str]:
        """What is committed; this closes the host's session."""
        self.session.close()
        with self.engine.connect() as connection:
            return list(connection.scalars(sa.select(word.c.word).order_by(word.c.word)))


def add(connection: sa.Connection) -> None:
    connection.execute(word.insert().values(word="ours"))


def look(connection: sa.Connection) -> list[str]:
    return list(connection.scalars(sa.select(word.c.word)))
