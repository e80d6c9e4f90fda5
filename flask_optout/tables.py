"""The tables: SQLAlchemy Core, on the host's metadata, so that create_all and Flask-Migrate find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from .keys import DIGEST_SIZE, ID_SIZE, SCOPE_SIZE, TAG_SIZE


def _bytes(size: int) -> sa.types.TypeEngine[bytes]:
    # MySQL and MariaDB cannot make a BLOB a primary key.
    return sa.LargeBinary(size).with_variant(mysql.BINARY(size), "mysql", "mariadb")


@dataclass(frozen=True)
class Tables:
    """What Flask-OptOut keeps.

    ``choice``: what a candidate last said about one opportunity, one row for each digest. No row holds an address,
    and none an exact time. ``key``: the ids of the keys under which choices were written.
    """

    choice: sa.Table
    key: sa.Table

    @classmethod
    def on(cls, metadata: sa.MetaData) -> Tables:
        """The tables on this metadata, made there once however often it is asked."""
        return cls(
            choice=_table(
                metadata,
                "optout_choice",
                sa.Column("scope", _bytes(SCOPE_SIZE), primary_key=True),
                sa.Column("digest", _bytes(DIGEST_SIZE), primary_key=True),
                sa.Column("muted", sa.Boolean, nullable=False),
                sa.Column("source", sa.String(16), nullable=False),
                sa.Column("day", sa.Date, nullable=False),
                sa.Column("domain_tag", _bytes(TAG_SIZE), nullable=False),
                sa.Column("key_id", _bytes(ID_SIZE), nullable=False),
                # Orders the choices that one person made under several keys, whatever the clocks said.
                sa.Column("sequence", sa.BigInteger, nullable=False, index=True),
                # Clustered by opportunity: all its mutes are read in one stretch.
                sqlite_with_rowid=False,
            ),
            key=_table(metadata, "optout_key", sa.Column("id", _bytes(ID_SIZE), primary_key=True)),
        )

    def all(self) -> list[sa.Table]:
        return [self.choice, self.key]


def _table(metadata: sa.MetaData, name: str, *columns: sa.Column[Any], **options: Any) -> sa.Table:
    existing = metadata.tables.get(name)
    return existing if existing is not None else sa.Table(name, metadata, *columns, **options)


def upsert(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> None:
    """Insert a row or replace the one with its primary key: one atomic statement where the database has one."""
    keys = [column.name for column in table.primary_key]
    rest = [name for name in values if name not in keys]
    insert: Any
    match connection.dialect.name:
        case "sqlite" | "postgresql" as dialect:
            insert = (sqlite if dialect == "sqlite" else postgresql).insert(table).values(values)
            insert = insert.on_conflict_do_update(keys, set_={name: insert.excluded[name] for name in rest})
        case "mysql" | "mariadb":
            insert = mysql.insert(table).values(values)
            insert = insert.on_duplicate_key_update({name: insert.inserted[name] for name in rest})
        case _:
            update = table.update().where(*(table.c[name] == values[name] for name in keys)).values(values)
            if connection.execute(update).rowcount == 0 and not _inserted(connection, table.insert().values(values)):
                connection.execute(update)
            return
    connection.execute(insert)


def insert_if_absent(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> None:
    """Insert a row unless one with its primary key is there, without locking the one that is."""
    present = sa.exists().where(*(table.c[column.name] == values[column.name] for column in table.primary_key))
    row = sa.select(*(sa.literal(values[name], table.c[name].type) for name in values)).where(~present)
    insert: Any
    match connection.dialect.name:
        case "sqlite" | "postgresql" as dialect:
            insert = (sqlite if dialect == "sqlite" else postgresql).insert(table).from_select(list(values), row)
            connection.execute(insert.on_conflict_do_nothing())
        case "mysql" | "mariadb":
            connection.execute(table.insert().prefix_with("IGNORE").from_select(list(values), row))
        case _:
            _inserted(connection, table.insert().from_select(list(values), row))


def _inserted(connection: sa.Connection, insert: sa.Insert) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(insert)
    except IntegrityError:  # another transaction was faster
        return False
    return True
