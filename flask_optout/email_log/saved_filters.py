"""Filters of the Email Log that operators gave a name: of one opportunity, or of the whole app."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from ..choices.store import Store
from ..choices.tables import upsert
from .tables import LogTables


class SavedFilter(NamedTuple):
    """A named query string; ``opportunity`` is ``""`` where it is of the whole app."""

    opportunity: str
    name: str
    query: str


class SavedFilters:
    """The saved filters of one app. Every method raises StoreUnavailable when the database does not answer."""

    def __init__(self, store: Store, tables: LogTables) -> None:
        self._store = store
        self._table = tables.saved_filter

    def of(self, opportunity: str) -> list[SavedFilter]:
        """Those of the whole app, and those of this opportunity."""
        table = self._table.c
        query = sa.select(table.opportunity, table.name, table.query).order_by(table.opportunity, table.name)
        query = query.where(table.opportunity.in_(["", opportunity]))
        return self._store.read(lambda connection: [SavedFilter(*row) for row in connection.execute(query)])

    def save(self, saved: SavedFilter) -> None:
        """Save a filter, in place of the one of its name."""
        self._store.record(lambda connection: upsert(connection, self._table, saved._asdict()))

    def delete(self, opportunity: str, name: str) -> None:
        """Delete a filter, if it is there."""
        table = self._table.c
        delete = self._table.delete().where(table.opportunity == opportunity, table.name == name)
        self._store.record(lambda connection: connection.execute(delete))
