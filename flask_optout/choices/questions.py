"""The questions about choices, each made once, as SQLAlchemy takes as long to make one as to ask it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ..links.keys import Mark
from .tables import Tables

#: Marks in one statement: SQLite before 3.32 takes 999 parameters, and each mark costs one beside its scopes.
BATCH = 900


class Questions:
    """Statements on the tables of one app.

    ``at_marks``: the names and values of the ledger, whether any hold stands, and what was said at some marks; each
    row with each, as there are few, and the way to the database costs more. ``held``: at which of some marks a hold
    stands. Both take what :func:`batches` gives. ``in_scope``: all that was said under one scope. ``newest``: the
    newest sequence that stands; ``next``: the one after it, to be written.
    """

    def __init__(self, tables: Tables) -> None:
        choice, press, meta = tables.choice.c, tables.press.c, tables.meta.c
        said = choice.muted, choice.source, choice.day, choice.sequence
        held = press.held_until > sa.bindparam("now")
        # Mostly there is none, and an index says so at once.
        any_hold = sa.select(sa.literal(1)).where(held).limit(1).scalar_subquery()
        one = sa.select(sa.literal(1).label("one")).subquery()
        ledger = sa.select(meta.name, meta.value).select_from(one.outerjoin(tables.meta, sa.true())).subquery()
        self.at_marks: sa.Select[Any] = sa.select(
            ledger.c.name, ledger.c.value, any_hold, choice.scope, choice.digest, *said
        ).select_from(ledger.outerjoin(tables.choice, sa.and_(*_at(tables.choice))))
        self.held: sa.Select[Any] = sa.select(press.scope, press.digest).where(held, *_at(tables.press))
        self.in_scope: sa.Select[Any] = sa.select(choice.digest, *said).where(choice.scope == sa.bindparam("scope"))
        newest = sa.func.max(choice.sequence)
        self.newest: sa.Select[Any] = sa.select(newest)
        # MariaDB reads a table that it writes to only through a derived table.
        number = sa.select(sa.func.coalesce(newest, 0).label("n")).subquery()
        self.next: sa.ScalarSelect[int] = sa.select(number.c.n + 1).scalar_subquery()


def batches(marks: list[Mark]) -> Iterator[dict[str, Any]]:
    """What the questions about these marks are asked with, at least once."""
    now = int(time.time() * 1000)
    for start in range(0, len(marks) or 1, BATCH):
        batch = marks[start : start + BATCH]
        yield {"scopes": list({mark.scope for mark in batch}), "digests": [mark.digest for mark in batch], "now": now}


def _at(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    """Digests are unique across opportunities; the scopes are named so that the primary key serves."""
    return tuple(
        table.c[name].in_(sa.bindparam(f"{name}s", expanding=True, type_=table.c[name].type))
        for name in ("scope", "digest")
    )
