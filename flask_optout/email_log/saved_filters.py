"""Filters of the Email Log that operators gave a name: of one opportunity, or of the whole app."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from ..choices.store import KeyTaken, Store, insert
from .tables import LogTables


class SavedFilter(NamedTuple):
    """A named query string, one of its name; ``opportunity`` is ``""`` where it is of the whole app."""

    name: str
    opportunity: str
    query: str


class SavedFilters:
    """The saved filters of one app. Every method raises StoreUnavailable when the database does not answer."""

    def __init__(self, store: Store, tables: LogTables) -> None:
        self._store = store
        self._table = tables.saved_filter

    def of(self, opportunity: str) -> list[SavedFilter]:
        """Those of the whole app, and those of this opportunity."""
        table = self._table.c
        query = sa.select(table.name, table.opportunity, table.query).order_by(table.name)
        query = query.where(table.opportunity.in_(["", opportunity]))
        return self._store.read(lambda connection: [SavedFilter(*row) for row in connection.execute(query)])

    def save(self, saved: SavedFilter) -> bool:
        """Save a filter, unless there is one of its name; says whether it did."""
        try:
            self._store.record(lambda connection: insert(connection, self._table, saved._asdict()))
        except KeyTaken:
            return False
        return True

    def rename(self, name: str, new: str) -> bool:
        """Give a filter another name, unless there is one of that; says whether it did."""
        table = self._table

        def write(connection: sa.Connection) -> bool:
            taken = connection.scalar(sa.select(sa.func.count()).where(table.c.name == new))
            if not taken:
                connection.execute(table.update().where(table.c.name == name).values(name=new))
            return not taken

        return self._store.record(write)

    def delete(self, name: str) -> None:
        """Delete a filter, if it is there."""
        delete = self._table.delete().where(self._table.c.name == name)
        self._store.record(lambda connection: connection.execute(delete))
