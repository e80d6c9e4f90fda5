"""Bring the tables to what this release needs, and let no migration drop them while they hold mutes.

A new release only adds tables, and columns that may be empty or have a default. So the statements below upgrade the
tables, can be interrupted anywhere and run again, and leave tables that the release before can still use.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from ..errors import ConfigurationError
from .ledger import VERSION
from .tables import SCHEMA, Tables, upsert

#: Without one of these nobody could tell who opted out.
KEPT = ("optout_choice", "optout_meta")
#: What Alembic names the copy with which it replaces a table of SQLite.
COPY = "_alembic_tmp_"


def bring_up(connection: sa.Connection, tables: Tables) -> None:
    """Create what is missing, and note the version.

    :raises ConfigurationError: when a table lacks its primary key.
    """
    for table in tables.all():
        table.create(connection, checkfirst=True)
        inspector = sa.inspect(connection)
        present = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in present:
                definition = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")
        key = inspector.get_pk_constraint(table.name)["constrained_columns"]
        if key != [column.name for column in table.primary_key]:
            raise ConfigurationError(
                f"The table {table.name} lacks its primary key.",
                "Without it one person could have two choices, and the wrong one could count.",
                f"Give {table.name} the primary key ({', '.join(column.name for column in table.primary_key)}).",
            )
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    upsert(connection, tables.meta, {"name": VERSION, "value": str(SCHEMA)})


def keep_mutes() -> None:
    """Make Alembic refuse to drop our tables while they hold mutes; what a host does by itself is its own affair."""
    if not sa.event.contains(sa.Table, "before_drop", _refuse_to_drop):
        sa.event.listen(sa.Table, "before_drop", _refuse_to_drop)


def _refuse_to_drop(table: sa.Table, connection: sa.Connection | None, **context: Any) -> None:
    runner = context.get("_ddl_runner")
    if table.name not in KEPT or not type(runner).__module__.startswith("alembic."):
        return
    writes_sql_only = getattr(runner, "as_sql", False)
    if connection is not None and not writes_sql_only and (_copied(connection, table.name) or not _mutes(connection)):
        return
    raise ConfigurationError(
        f"This migration would drop {table.name}, in which it is stored who opted out.",
        "Everybody who opted out would be invited again.",
        "Take the drop out of the migration; to remove Flask-OptOut for good, empty optout_choice yourself first. "
        "Where Alembic only writes SQL, it cannot look, and refuses as well.",
    )


def _mutes(connection: sa.Connection) -> bool:
    choice = sa.table("optout_choice", sa.column("muted", sa.Boolean))
    if not sa.inspect(connection).has_table(choice.name):
        return False
    return connection.scalar(sa.select(sa.literal(1)).select_from(choice).where(choice.c.muted).limit(1)) is not None


def _copied(connection: sa.Connection, name: str) -> bool:
    """Whether Alembic drops a table after it has copied every row of it."""
    if not sa.inspect(connection).has_table(COPY + name):
        return False
    count = sa.select(sa.func.count())
    old, new = (connection.scalar(count.select_from(sa.table(each))) for each in (name, COPY + name))
    return old == new
