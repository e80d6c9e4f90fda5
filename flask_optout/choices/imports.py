"""Imports of mutes, each of which can be taken back."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import sqlalchemy as sa

from ..addresses import Address
from ..links.tokens import Mark
from .repository import Choices, Statement
from .store import KeyTaken, insert
from .tables import NAME_SIZE, today, upsert

SOURCE = "import"
#: Mutes that are removed in one transaction.
PAGE = 50_000


class Import(NamedTuple):
    """One import; ``rows``: how many rows of its file counted, whatever their people had said before."""

    number: int
    day: datetime.date
    name: str
    rows: int
    taken_back: bool


class Imports:
    """The imports of one app. Every method raises what :meth:`Choices.transact` raises."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._tables = choices.tables

    def begin(self, name: str, rows: int) -> int:
        """Record an import before its first mute, so that an interrupted one can be taken back; gives its number."""
        batch = self._tables.batch

        def write(connection: sa.Connection) -> int:
            self._alone(connection)
            number = (connection.scalar(sa.select(sa.func.max(batch.c.number))) or 0) + 1
            row = Import(number, today(), name[:NAME_SIZE], rows, False)
            insert(connection, batch, row._asdict())
            return number

        self._choices.read(())
        while True:
            with suppress(KeyTaken):  # by another import
                return self._choices.store.write(write)

    def add(self, number: int, entries: Iterable[tuple[Address, str]]) -> None:
        """Mute people for opportunities; a choice that mutes already stays as it is."""
        marks = self._choices.key().marks_of(entries)
        choice, batch, repeat = self._tables.choice, self._tables.batch, self._tables.repeat
        same = choice.c.scope == repeat.c.scope, choice.c.digest == repeat.c.digest
        held = sa.exists().where(*same, choice.c.muted, choice.c.batch.is_not(None))

        def work(connection: sa.Connection) -> tuple[None, list[Statement]]:
            self._alone(connection)
            # It may have been taken back while it runs.
            connection.execute(batch.update().where(batch.c.number == number).values(taken_back=False))
            standing = self._choices.mutes_among(connection, marks)
            repeats = [mark for mark, holder in standing.items() if holder not in (None, number)]
            upsert(connection, repeat, *({**mark._asdict(), "batch": number} for mark in sorted(repeats)))
            said = [Statement(mark, True, SOURCE, number) for mark in marks if mark not in standing]
            if said:
                connection.execute(repeat.delete().where(~held))  # what candidates have said something about since
            return None, said

        self._choices.transact(work)

    def take_back(self, number: int) -> None:
        """Remove the mutes that an import made, except those that a candidate confirmed, made or changed since.

        A mute that another import contains too becomes that import's. This may be interrupted and run again.
        """
        choice, batch, repeat = self._tables.choice, self._tables.batch, self._tables.repeat
        same = repeat.c.scope == choice.c.scope, repeat.c.digest == choice.c.digest, repeat.c.batch != number
        own = sa.select(choice.c.scope, choice.c.digest).where(choice.c.batch == number, ~sa.exists().where(*same))
        other = sa.select(sa.func.min(repeat.c.batch)).where(*same).scalar_subquery()

        def page(connection: sa.Connection) -> tuple[bool, list[Statement]]:
            self._alone(connection)
            rows = connection.execute(own.limit(PAGE)).all()
            if not rows:
                connection.execute(choice.update().where(choice.c.batch == number).values(batch=other))
                connection.execute(repeat.delete().where(repeat.c.batch == number))
                connection.execute(batch.update().where(batch.c.number == number).values(taken_back=True))
            marks = sorted(Mark(bytes(scope), bytes(digest)) for scope, digest in rows)
            return bool(rows), [Statement(mark, False, SOURCE, number) for mark in marks]

        while self._choices.transact(page, self._remove):
            pass

    def all(self) -> list[Import]:
        """Every import, oldest first."""
        batch = self._tables.batch.c
        query = sa.select(*(batch[name] for name in Import._fields)).order_by(batch.number)
        return [Import(*row) for row in self._choices.store.read(lambda connection: list(connection.execute(query)))]

    def _alone(self, connection: sa.Connection) -> None:
        """Have other imports wait until this transaction ends, as it looks at what stands by one of them."""
        batch = self._tables.batch
        # The row of the first import, so that none waits for another in a circle; SQLite locks nothing for a SELECT.
        connection.execute(batch.update().where(batch.c.number == 1).values(number=1))

    def _remove(self, connection: sa.Connection, said: Sequence[Statement]) -> None:
        choice = self._tables.choice
        at = [choice.c[name] == sa.bindparam(f"at_{name}") for name in ("scope", "digest", "batch")]
        marks = [{"at_scope": one.mark.scope, "at_digest": one.mark.digest, "at_batch": one.batch} for one in said]
        if marks:
            connection.execute(choice.delete().where(*at), marks)
