"""Create the tables, and let no migration drop them while they hold mutes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import sqlalchemy as sa

from ..errors import ConfigurationError, StoreUnavailable
from .store import Store

#: Without one of these nobody could tell who opted out.
UNDROPPABLE = ("optout_choice", "optout_meta")
#: What Alembic names the copy with which it replaces a table of SQLite.
COPY = "_alembic_tmp_"


def create_tables(store: Store, tables: Iterable[sa.Table]) -> list[str]:
    """Create what is missing of these tables; gives the names of those that were made.

    :raises StoreUnavailable: when the database does not take them.
    """
    made = []
    for table in tables:
        try:
            new = store.write(partial(_create, table=table))
        except StoreUnavailable:  # another process may have created it meanwhile
            new = store.write(partial(_create, table=table))
        made += [table.name] * new
    return made


def _create(connection: sa.Connection, table: sa.Table) -> bool:
    new = not sa.inspect(connection).has_table(table.name, table.schema)
    table.create(connection, checkfirst=True)
    return new


def keep_mutes() -> None:
    """Make Alembic refuse to drop our tables while they hold mutes; what a host does by itself is its own affair."""
    if not sa.event.contains(sa.Table, "before_drop", _refuse_to_drop):
        sa.event.listen(sa.Table, "before_drop", _refuse_to_drop)


def _refuse_to_drop(table: sa.Table, connection: sa.Connection | None, **context: Any) -> None:
    runner = context.get("_ddl_runner")
    if table.name not in UNDROPPABLE or not type(runner).__module__.startswith("alembic."):
        return
    looked_at = None if getattr(runner, "as_sql", False) else connection
    if looked_at is not None and (_is_copied(looked_at, table) or not _has_mutes(looked_at, table)):
        return
    raise ConfigurationError(
        f"This migration would drop {table.name}, in which it is stored who opted out.",
        "Everybody who opted out would be invited again.",
        "Take the drop out of the migration; to remove Flask-OptOut for good, empty optout_choice yourself first. "
        "Where Alembic only writes SQL, it cannot look, and refuses as well.",
    )


def _has_mutes(connection: sa.Connection, dropped: sa.Table) -> bool:
    choice = sa.table("optout_choice", sa.column("muted", sa.Boolean), schema=dropped.schema)
    mute = sa.select(sa.literal(1)).select_from(choice).where(choice.c.muted).limit(1)
    return sa.inspect(connection).has_table(choice.name, choice.schema) and connection.scalar(mute) is not None


def _is_copied(connection: sa.Connection, table: sa.Table) -> bool:
    """Whether Alembic drops a table after it has copied every row of it."""
    copy = sa.table(COPY + table.name, schema=table.schema)
    if not sa.inspect(connection).has_table(copy.name, copy.schema):
        return False
    old, new = (connection.scalar(sa.select(sa.func.count()).select_from(each)) for each in (table, copy))
    return old == new
