"""The tables of choices: SQLAlchemy Core, on the host's metadata, so that create_all and Flask-Migrate find them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ..links.keys import DIGEST_SIZE, SCOPE_SIZE


def _dialect(name: str) -> Any:
    # Each imports the adapters of all its drivers, so not before a table is made.
    return import_module(f"sqlalchemy.dialects.{name}")


def binary(size: int) -> sa.types.TypeEngine[bytes]:
    """A column of ``size`` bytes; MySQL and MariaDB cannot make a BLOB a primary key."""
    return sa.LargeBinary(size).with_variant(_dialect("mysql").BINARY(size), "mysql", "mariadb")


def string(size: int) -> sa.types.TypeEngine[str]:
    """A column of at most ``size`` characters that are compared one by one, unlike MySQL's default collations do."""
    exact = _dialect("mysql").VARCHAR(size, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(size).with_variant(exact, "mysql", "mariadb")


def text() -> sa.types.TypeEngine[str]:
    """A column of any length; compared as :func:`string`."""
    exact = _dialect("mysql").LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Text().with_variant(exact, "mysql", "mariadb")


def number() -> sa.types.TypeEngine[int]:
    """A 64-bit integer; SQLite clusters a table by its key only when the key is an INTEGER."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


@dataclass(frozen=True)
class ChoiceTables:
    """``choice``: what a candidate last said about one opportunity, one row for each pseudonym, without an address,
    an exact time or an order. ``meta``: the slots of the data key, and the number of the journal's newest line.
    """

    choice: sa.Table
    meta: sa.Table

    @classmethod
    def on(cls, metadata: sa.MetaData) -> ChoiceTables:
        """The tables on this metadata; made once, however often it is called."""
        return cls(
            choice=table(
                metadata,
                "optout_choice",
                sa.Column("scope", binary(SCOPE_SIZE), primary_key=True),
                sa.Column("digest", binary(DIGEST_SIZE), primary_key=True),
                sa.Column("muted", sa.Boolean, nullable=False),
                sa.Column("source", sa.String(16), nullable=False),
                sa.Column("day", sa.Date, nullable=False),
                # Of an import, so that it can be taken back.
                sa.Column("batch", sa.Integer),
                # Clustered by opportunity: its mutes are read in one stretch.
                sqlite_with_rowid=False,
            ),
            meta=table(
                metadata,
                "optout_meta",
                sa.Column("name", sa.String(32), primary_key=True),
                sa.Column("value", sa.String(255), nullable=False),
            ),
        )

    def all(self) -> list[sa.Table]:
        return [self.choice, self.meta]


def table(metadata: sa.MetaData, name: str, *columns: sa.schema.SchemaItem, **options: Any) -> sa.Table:
    """The table of this name on the metadata, made unless it is there; a schema of the metadata applies to it."""
    return sa.Table(name, metadata, *columns, keep_existing=True, **options)


class KeyTaken(Exception):
    """Another row has this primary key already."""


def insert(connection: sa.Connection, table: sa.Table, *rows: dict[str, Any]) -> None:
    """Insert rows, or raise KeyTaken when another row has the key of one."""
    try:
        connection.execute(table.insert(), rows)
    except IntegrityError:
        raise KeyTaken from None


def upsert(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> None:
    """Insert a row, or replace the one with its primary key, in one atomic statement where the database has one."""
    statement = _upsert(connection.dialect.name, table, tuple(values))
    if statement is not None:
        connection.execute(statement, values)
        return
    at = [column == values[column.name] for column in table.primary_key]
    update = table.update().where(*at).values(values)
    if connection.execute(update).rowcount == 0:
        try:
            with connection.begin_nested():
                connection.execute(table.insert().values(values))
        except IntegrityError:  # another transaction was faster
            connection.execute(update)


@lru_cache(100)
def _upsert(dialect: str, table: sa.Table, names: tuple[str, ...]) -> Any:
    # Cached, as building it takes as long as running it.
    keys = [column.name for column in table.primary_key]
    rest = [name for name in names if name not in keys] or keys[:1]
    if dialect in ("sqlite", "postgresql"):
        insert = _dialect(dialect).insert(table)
        return insert.on_conflict_do_update(index_elements=keys, set_={name: insert.excluded[name] for name in rest})
    if dialect in ("mysql", "mariadb"):
        insert = _dialect("mysql").insert(table)
        return insert.on_duplicate_key_update({name: insert.inserted[name] for name in rest})
    return None
