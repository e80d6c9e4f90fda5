"""The tables of choices: SQLAlchemy Core, on the host's metadata, so that create_all and Flask-Migrate find them.

No migration drops them while they hold mutes.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from functools import lru_cache, partial
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ..errors import ConfigurationError, StoreUnavailable
from ..links.tokens import DIGEST_SIZE, SCOPE_SIZE
from .store import Store

#: Characters of a choice's source, and of an import's name.
SOURCE_SIZE, NAME_SIZE = 16, 80
#: Tables without which nobody could tell who opted out.
UNDROPPABLE = ("optout_choice", "optout_meta")
#: The prefix of the copy with which Alembic replaces an SQLite table.
COPY = "_alembic_tmp_"


def _import_dialect(name: str) -> Any:
    # Imported late, as each imports the adapters of all its drivers.
    return import_module(f"sqlalchemy.dialects.{name}")


# _Blob and ByteArray are for parameters only: in a column, Alembic's migrations would have to import them.
class _Blob(sa.LargeBinary):
    """Parameters passed as they are: SQLAlchemy's wrapping takes a quarter of an import's time."""

    def bind_processor(self, dialect: sa.Dialect) -> None:
        return None


class ByteArray(sa.types.TypeDecorator[list[bytes]]):
    """An array for PostgreSQL, sent as text: with standard_conforming_strings off, psycopg writes wrong bytes."""

    impl: Any = sa.Text
    cache_ok: bool | None = True

    def process_bind_param(self, value: list[bytes] | None, dialect: sa.Dialect) -> str:
        return "{" + ",".join([f'"\\\\x{one.hex()}"' for one in value or ()]) + "}"

    def bind_expression(self, bindvalue: sa.BindParameter[list[bytes]]) -> sa.ColumnElement[Any]:
        return sa.cast(bindvalue, sa.ARRAY(sa.LargeBinary))


def binary(size: int) -> sa.types.TypeEngine[bytes]:
    """Return a column type of ``size`` bytes; MySQL and MariaDB cannot make a BLOB a primary key."""
    return sa.LargeBinary(size).with_variant(_import_dialect("mysql").BINARY(size), "mysql", "mariadb")


def string(size: int) -> sa.types.TypeEngine[str]:
    """Return a type of at most ``size`` characters, compared by code point, so that a prefix is one range."""
    exact = _import_dialect("mysql").VARCHAR(size, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(size).with_variant(exact, "mysql", "mariadb").with_variant(sa.String(size, "C"), "postgresql")


def text() -> sa.types.TypeEngine[str]:
    """Return a type of text of any length, compared as :func:`string`."""
    exact = _import_dialect("mysql").LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Text().with_variant(exact, "mysql", "mariadb")


def number() -> sa.types.TypeEngine[int]:
    """Return a 64-bit integer type; SQLite clusters a table by its key only when the key is an INTEGER."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def today() -> datetime.date:
    """Return the current day in UTC."""
    return datetime.datetime.now(datetime.UTC).date()


class TableSet:
    """A set of tables, each an attribute."""

    def all(self) -> list[sa.Table]:
        return list(vars(self).values())


class ChoiceTables(TableSet):
    """The tables of choices; none holds an address, an exact time or an order."""

    def __init__(self, metadata: sa.MetaData) -> None:
        # The last choice of each candidate about each opportunity.
        self.choice: sa.Table = table(
            metadata,
            "optout_choice",
            *mark_columns(),
            sa.Column("muted", sa.Boolean, nullable=False),
            sa.Column("source", string(SOURCE_SIZE), nullable=False),
            sa.Column("day", sa.Date, nullable=False),
            # The import that made it, if any, so that the import can be taken back.
            sa.Column("batch", sa.Integer),
            # Clustered by opportunity, so that its mutes are read in one range.
            sqlite_with_rowid=False,
        )
        # The slots of the data key, and the numbers of the journal's newest lines.
        self.meta: sa.Table = table(
            metadata,
            "optout_meta",
            sa.Column("name", string(32), primary_key=True),
            sa.Column("value", string(255), nullable=False),
        )
        # The imports.
        self.batch: sa.Table = table(
            metadata,
            "optout_import",
            sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("day", sa.Date, nullable=False),
            sa.Column("name", string(NAME_SIZE), nullable=False),
            sa.Column("rows", number(), nullable=False),
            sa.Column("taken_back", sa.Boolean, nullable=False),
        )
        # Mutes of one import that another import contains, too.
        self.repeat: sa.Table = table(
            metadata,
            "optout_import_repeat",
            *mark_columns(),
            sa.Column("batch", sa.Integer, primary_key=True, autoincrement=False),
            sqlite_with_rowid=False,
        )


def mark_columns() -> list[sa.Column[bytes]]:
    """Return the primary key columns for one person and one opportunity: the fields of a Mark."""
    sizes = ("scope", SCOPE_SIZE), ("digest", DIGEST_SIZE)
    return [sa.Column(name, binary(size), primary_key=True) for name, size in sizes]


def table(metadata: sa.MetaData, name: str, *columns: sa.schema.SchemaItem, **options: Any) -> sa.Table:
    """Return the metadata's table of this name, created if missing, in the metadata's schema."""
    return sa.Table(name, metadata, *columns, keep_existing=True, **options)


def upsert(connection: sa.Connection, table: sa.Table, *rows: dict[str, Any], keep: str | None = None) -> None:
    """Insert rows, or replace those with the same primary keys, in one atomic statement where supported.

    :param keep: a boolean column; an existing row where it is true stays as it is.
    """
    if not rows:
        return
    names, dialect = tuple(rows[0]), connection.dialect.name
    arrays: tuple[str, ...] = ()
    values: Any = rows
    if dialect == "postgresql" and len(rows) > 1:
        # Sent as arrays, as the driver is slow with many parameters.
        arrays = tuple(name for name in names if any(row[name] != rows[0][name] for row in rows))
        values = {**rows[0], **{name: [row[name] for row in rows] for name in arrays}}
    statement = _build_upsert(dialect, table, names, keep, arrays)
    if statement is not None:
        connection.execute(statement, values)
        return
    for row in rows:
        at = [column == row[column.name] for column in table.primary_key]
        kept = connection.scalar(sa.select(table.c[keep]).where(*at)) if keep else False
        update = table.update().where(*at).values(row)
        if not kept and connection.execute(update).rowcount == 0:
            try:
                with connection.begin_nested():
                    connection.execute(table.insert().values(row))
            except IntegrityError:  # another transaction was faster
                if not keep:
                    connection.execute(update)


@lru_cache(100)
def _build_upsert(
    dialect: str, table: sa.Table, names: tuple[str, ...], keep: str | None, arrays: tuple[str, ...]
) -> Any:
    # Cached, as building it takes as long as running it.
    keys = [column.name for column in table.primary_key]
    # The kept column last: MySQL assigns from left to right, and later expressions see the new values.
    rest = sorted({*names} - {*keys}, key=lambda name: name == keep) or keys
    if dialect not in ("sqlite", "postgresql", "mysql", "mariadb"):
        return None
    insert: Any = _import_dialect("mysql" if dialect == "mariadb" else dialect).insert(table)
    types = {name: table.c[name].type for name in names}
    blobs = [name for name, kind in types.items() if isinstance(kind, sa.LargeBinary)]
    if arrays:
        types |= {name: ByteArray() if name in blobs else sa.ARRAY(types[name]) for name in arrays}
        one = {name: sa.bindparam(name, type_=types[name]) for name in names}
        columns = (sa.func.unnest(one[name]) if name in arrays else one[name] for name in names)
        insert = insert.from_select(names, sa.select(*columns))
    elif dialect == "sqlite":
        insert = insert.values({name: sa.bindparam(name, type_=_Blob() if name in blobs else None) for name in names})
    new = insert.inserted if dialect in ("mysql", "mariadb") else insert.excluded
    if keep is None:
        assigned = [(name, new[name]) for name in rest]
    else:
        assigned = [(name, sa.case((table.c[keep], table.c[name]), else_=new[name])) for name in rest]
    if dialect in ("mysql", "mariadb"):
        return insert.on_duplicate_key_update(assigned)
    return insert.on_conflict_do_update(index_elements=keys, set_=dict(assigned))


def create_tables(store: Store, tables: Iterable[sa.Table]) -> list[str]:
    """Create those of these tables that are missing; return their names."""
    made = []
    for table in tables:
        try:
            new = store.write(partial(_create, table=table))
        except StoreUnavailable:  # another process may have created it meanwhile
            new = store.write(partial(_create, table=table))
        made += [table.name] * new
    return made


def _create(connection: sa.Connection, table: sa.Table) -> bool:
    new = not sa.inspect(connection).has_table(table.name, connection.schema_for_object(table))
    table.create(connection, checkfirst=True)
    return new


def keep_mutes() -> None:
    """Make Alembic refuse to drop our tables while they hold mutes; a host's own DROP is not prevented."""
    if not sa.event.contains(sa.Table, "before_drop", _refuse_to_drop):
        sa.event.listen(sa.Table, "before_drop", _refuse_to_drop)


def _refuse_to_drop(table: sa.Table, connection: sa.Connection | None, **context: Any) -> None:
    runner = context.get("_ddl_runner")
    if table.name not in UNDROPPABLE or not type(runner).__module__.startswith("alembic."):
        return
    if connection is not None and not getattr(runner, "as_sql", False):
        has, schema = sa.inspect(connection).has_table, table.schema
        choice = sa.table("optout_choice", sa.column("muted", sa.Boolean), schema=schema)
        if not has(choice.name, schema) or not _count_rows(connection, choice, choice.c.muted):
            return
        copy = sa.table(COPY + table.name, schema=schema)
        if has(copy.name, schema) and _count_rows(connection, copy) == _count_rows(connection, table):
            return
    raise ConfigurationError(
        f"This migration would drop {table.name}, in which it is stored who opted out.",
        "Everybody who opted out would be invited again.",
        "Take the drop out of the migration; to remove Flask-OptOut for good, empty optout_choice yourself first. "
        "Where Alembic only writes SQL, it cannot look, and refuses as well.",
    )


def _count_rows(connection: sa.Connection, table: sa.FromClause, *where: sa.ColumnElement[bool]) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0
