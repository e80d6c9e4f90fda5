"""Imports of mutes from other systems; each can be taken back."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple

import sqlalchemy as sa

from ..addresses import Address
from ..links.tokens import DIGEST_SIZE, Mark
from .key_slots import KEY_SCOPE
from .repository import BATCH, Choices, Statement, select_at
from .store import KeyTaken, insert
from .tables import NAME_SIZE, today, upsert

SOURCE = "import"
#: Mutes removed in one transaction.
PAGE = 5_000
#: The position after the data key's row, which is sorted first.
BEGINNING = Mark(KEY_SCOPE, b"\xff" * DIGEST_SIZE)


class Import(NamedTuple):
    """One import; ``rows`` is the number of valid rows in its file, whatever those people chose before."""

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
        """Record an import before its first mute, so that it can be taken back if interrupted; return its number."""
        batch = self._tables.batch

        def write(connection: sa.Connection) -> int:
            self._lock(connection)
            number = (connection.scalar(sa.select(sa.func.max(batch.c.number))) or 0) + 1
            row = Import(number, today(), name[:NAME_SIZE], rows, False)
            insert(connection, batch, row._asdict())
            return number

        self._choices.read(())
        while True:
            with suppress(KeyTaken):  # by another import
                return self._choices.store.write(write)

    def add(self, number: int, entries: Iterable[tuple[Address, str]]) -> None:
        """Mute people for opportunities; existing mutes stay as they are."""
        marks = self._choices.get_key().marks_of(entries)
        batch, repeat = self._tables.batch, self._tables.repeat

        def work(connection: sa.Connection) -> tuple[None, list[Statement]]:
            self._lock(connection)
            # The import may have been taken back while it runs.
            connection.execute(batch.update().where(batch.c.number == number).values(taken_back=False))
            mutes = self._choices.find_mutes(connection, marks)
            repeats = [mark for mark, holder in mutes.items() if holder not in (None, number)]
            upsert(connection, repeat, *({**mark._asdict(), "batch": number} for mark in sorted(repeats)))
            # Query all marks, as a log of the statements would reveal how many are muted.
            repeated = self._find_repeated(connection, marks)
            # Delete those of people who have undone their mute since.
            _delete(connection, repeat, [mark for mark in repeated if mark not in mutes])
            return None, [Statement(mark, True, SOURCE, number) for mark in marks if mark not in mutes]

        self._choices.transact(work)

    def take_back(self, number: int) -> None:
        """Remove the mutes that an import made, except those that a candidate confirmed, made or changed since.

        A mute that another import contains, too, is assigned to that one. This may be interrupted and run again.
        """
        choice, batch, repeat = self._tables.choice, self._tables.batch, self._tables.repeat
        same = repeat.c.scope == choice.c.scope, repeat.c.digest == choice.c.digest, repeat.c.batch != number
        own = sa.select(choice.c.scope, choice.c.digest).where(choice.c.batch == number, ~sa.exists().where(*same))
        own = own.order_by(choice.c.scope, choice.c.digest).limit(PAGE)
        other = sa.select(sa.func.min(repeat.c.batch)).where(*same).scalar_subquery()

        def page(connection: sa.Connection) -> tuple[Mark | None, list[Statement]]:
            self._lock(connection)
            # Not compared as a pair, for which MariaDB scans the table from its beginning.
            same_scope = sa.and_(choice.c.scope == after.scope, choice.c.digest > after.digest)
            rows = connection.execute(own.where(sa.or_(choice.c.scope > after.scope, same_scope))).all()
            marks = [Mark(bytes(scope), bytes(digest)) for scope, digest in rows]
            if not marks and after == BEGINNING:
                connection.execute(choice.update().where(choice.c.batch == number).values(batch=other))
                connection.execute(repeat.delete().where(repeat.c.batch == number))
                connection.execute(batch.update().where(batch.c.number == number).values(taken_back=True))
                return None, []
            # Start over after the last page: a mute that another import contained, too, may no longer be in it.
            return (marks or [BEGINNING])[-1], [Statement(mark, False, SOURCE, number) for mark in marks]

        def remove(connection: sa.Connection, changes: Sequence[Statement]) -> None:
            _delete(connection, choice, [one.mark for one in changes], choice.c.batch == number)

        after = BEGINNING
        while (last := self._choices.transact(page, remove)) is not None:
            after = last

    def _find_repeated(self, connection: sa.Connection, marks: Sequence[Mark]) -> list[Mark]:
        """Return those of these sorted marks that are in the table of repeats."""
        repeat, found = self._tables.repeat.c, list[Mark]()
        for scope, group in groupby(marks, lambda mark: mark.scope):
            query = sa.select(repeat.digest).where(repeat.scope == scope)
            rows = select_at(connection, query, repeat.digest, [mark.digest for mark in group])
            found += sorted({Mark(scope, bytes(row.digest)) for row in rows})
        return found

    def all(self) -> list[Import]:
        """Return every import, oldest first."""
        batch = self._tables.batch.c
        query = sa.select(*(batch[name] for name in Import._fields)).order_by(batch.number)
        return [Import(*row) for row in self._choices.store.read(lambda connection: list(connection.execute(query)))]

    def _lock(self, connection: sa.Connection) -> None:
        """Make other imports wait until this transaction ends, as it depends on their rows."""
        batch = self._tables.batch
        # All update the row of the first import, so none can deadlock; for a SELECT, SQLite locks nothing.
        connection.execute(batch.update().where(batch.c.number == 1).values(number=1))


def _delete(
    connection: sa.Connection, table: sa.Table, marks: Sequence[Mark], *where: sa.ColumnElement[bool]
) -> None:
    """Delete the rows at these sorted marks."""
    if marks and connection.dialect.name not in ("mysql", "mariadb"):
        # Row by row: PostgreSQL may compare every row of the table with a list of keys.
        at = [table.c[name] == sa.bindparam(f"at_{name}") for name in ("scope", "digest")]
        values = [{"at_scope": mark.scope, "at_digest": mark.digest} for mark in marks]
        connection.execute(table.delete().where(*at, *where), values)
        return
    for scope, group in groupby(marks, lambda mark: mark.scope):  # PyMySQL would send one statement for each row
        digests = [mark.digest for mark in group]
        for start in range(0, len(digests), BATCH):
            some = table.c.digest.in_(digests[start : start + BATCH])
            connection.execute(table.delete().where(table.c.scope == scope, some, *where))
