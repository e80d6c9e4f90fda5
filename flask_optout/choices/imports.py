"""Imports of mutes, each of which can be taken back."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..addresses import Address
from ..errors import ListError
from ..links.keys import Mark
from .key_slots import KEY_SCOPE, today
from .repository import Choices, Statement
from .tables import NAME_SIZE, KeyTaken, insert, upsert

SOURCE = "import"
#: Mutes of which one transaction takes an import back.
PAGE = 5_000


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
        """Note an import before its first mute, so that one that was killed can be taken back; gives its number.

        :param name: of its file.
        """
        batch = self._tables.batch

        def write(connection: sa.Connection) -> int:
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

        def work(connection: sa.Connection) -> tuple[None, list[Statement]]:
            standing = self._choices.mutes_among(connection, marks)
            repeats = [mark for mark, batch in standing.items() if batch not in (None, number)]
            rows = ({**mark._asdict(), "batch": number} for mark in sorted(repeats))
            upsert(connection, self._tables.repeat, *rows)
            return None, [Statement(mark, True, SOURCE, number) for mark in marks if mark not in standing]

        self._choices.transact(work)

    def take_back(self, number: int) -> None:
        """Remove the mutes that an import made, but for those that a candidate confirmed, made or changed since.

        What another import would have muted as well becomes a mute of that one. It may be killed and run again.

        :raises ListError: when there is no such import.
        """
        batch, repeat = self._tables.batch, self._tables.repeat
        if not any(number == each.number for each in self.all()):
            raise ListError(
                f"There is no import {number}.",
                "An import is taken back by the number that it was given.",
                "Run 'flask optout import --list', which shows the numbers of all imports.",
            )
        after: Mark | None = Mark(KEY_SCOPE, b"\xff" * 16)  # behind the row of the data key
        while after is not None:
            after = self._choices.transact(partial(self._page, number, after), self._remove)

        def end(connection: sa.Connection) -> None:
            connection.execute(repeat.delete().where(repeat.c.batch == number))
            connection.execute(batch.update().where(batch.c.number == number).values(taken_back=True))

        self._choices.store.write(end)

    def all(self) -> list[Import]:
        """Every import, oldest first."""
        batch = self._tables.batch.c
        query = sa.select(*(batch[name] for name in Import._fields)).order_by(batch.number)
        return [Import(*row) for row in self._choices.store.read(lambda connection: list(connection.execute(query)))]

    def _page(self, number: int, after: Mark, connection: sa.Connection) -> tuple[Mark | None, Sequence[Statement]]:
        """The last of the next mutes of an import, and those of them that go; hand the others on."""
        choice, repeat = self._tables.choice.c, self._tables.repeat.c
        scope, digest = after
        other = sa.select(sa.func.min(repeat.batch)).where(
            repeat.scope == choice.scope, repeat.digest == choice.digest, repeat.batch != number
        )
        query = sa.select(choice.scope, choice.digest, other.scalar_subquery()).where(
            # Not as a pair, which MariaDB finds by reading the table from its beginning.
            sa.or_(choice.scope > scope, sa.and_(choice.scope == scope, choice.digest > digest)),
            choice.batch == number,
        )
        rows = connection.execute(query.order_by(choice.scope, choice.digest).limit(PAGE)).all()
        marks = [Mark(bytes(row[0]), bytes(row[1])) for row in rows]
        kept = {mark: row[2] for mark, row in zip(marks, rows, strict=True) if row[2] is not None}
        if handed_on := [{**_at(mark, number), "other": kept[mark]} for mark in marks if mark in kept]:
            connection.execute(
                self._tables.choice.update().where(*self._at).values(batch=sa.bindparam("other")), handed_on
            )
        gone = [Statement(mark, False, SOURCE, number) for mark in marks if mark not in kept]
        return (marks[-1] if marks else None), gone

    def _remove(self, connection: sa.Connection, said: Sequence[Statement]) -> None:
        if said:
            delete = self._tables.choice.delete().where(*self._at)
            connection.execute(delete, [_at(one.mark, one.batch) for one in said])

    @property
    def _at(self) -> tuple[sa.ColumnElement[bool], ...]:
        choice = self._tables.choice.c
        return tuple(choice[name] == sa.bindparam(f"at_{name}") for name in ("scope", "digest", "batch"))


def _at(mark: Mark, batch: int | None) -> dict[str, Any]:
    return {"at_scope": mark.scope, "at_digest": mark.digest, "at_batch": batch}
