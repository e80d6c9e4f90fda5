"""Imports of mutes, each of which can be taken back."""

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
#: Mutes that are removed in one transaction.
PAGE = 5_000
#: Behind the row of the data key.
BEGINNING = Mark(KEY_SCOPE, b"\xff" * DIGEST_SIZE)


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
        """Mute people for opportunities; a choice that mutes already stays as it is."""
        marks = self._choices.get_key().marks_of(entries)
        batch, repeat = self._tables.batch, self._tables.repeat

        def work(connection: sa.Connection) -> tuple[None, list[Statement]]:
            self._lock(connection)
            # It may have been taken back while it runs.
            connection.execute(batch.update().where(batch.c.number == number).values(taken_back=False))
            standing = self._choices.find_mutes(connection, marks)
            repeats = [mark for mark, holder in standing.items() if holder not in (None, number)]
            upsert(connection, repeat, *({**mark._asdict(), "batch": number} for mark in sorted(repeats)))
            # Of all marks, as a log of the statements would tell how many of them are muted.
            noted = self._find_repeated(connection, marks)
            # What was noted before the candidate said something.
            _delete(connection, repeat, [mark for mark in noted if mark not in standing])
            return None, [Statement(mark, True, SOURCE, number) for mark in marks if mark not in standing]

        self._choices.transact(work)

    def take_back(self, number: int) -> None:
        """Remove the mutes that an import made, except those that a candidate confirmed, made or changed since.

        A mute that another import contains too becomes that import's. This may be interrupted and run again.
        """
        choice, batch, repeat = self._tables.choice, self._tables.batch, self._tables.repeat
        same = repeat.c.scope == choice.c.scope, repeat.c.digest == choice.c.digest, repeat.c.batch != number
        own = sa.select(choice.c.scope, choice.c.digest).where(choice.c.batch == number, ~sa.exists().where(*same))
        own = own.order_by(choice.c.scope, choice.c.digest).limit(PAGE)
        other = sa.select(sa.func.min(repeat.c.batch)).where(*same).scalar_subquery()

        def page(connection: sa.Connection) -> tuple[Mark | None, list[Statement]]:
            self._lock(connection)
            # Not as a pair, which MariaDB finds by reading the table from its beginning.
            same_scope = sa.and_(choice.c.scope == after.scope, choice.c.digest > after.digest)
            rows = connection.execute(own.where(sa.or_(choice.c.scope > after.scope, same_scope))).all()
            marks = [Mark(bytes(scope), bytes(digest)) for scope, digest in rows]
            if not marks and after == BEGINNING:
                connection.execute(choice.update().where(choice.c.batch == number).values(batch=other))
                connection.execute(repeat.delete().where(repeat.c.batch == number))
                connection.execute(batch.update().where(batch.c.number == number).values(taken_back=True))
                return None, []
            # From the beginning again after the last page: what another import held may be nobody's now.
            return (marks or [BEGINNING])[-1], [Statement(mark, False, SOURCE, number) for mark in marks]

        def remove(connection: sa.Connection, said: Sequence[Statement]) -> None:
            _delete(connection, choice, [one.mark for one in said], choice.c.batch == number)

        after = BEGINNING
        while (last := self._choices.transact(page, remove)) is not None:
            after = last

    def _find_repeated(self, connection: sa.Connection, marks: Sequence[Mark]) -> list[Mark]:
        """Those of the marks, which are sorted, that an import has noted as another's."""
        repeat, found = self._tables.repeat.c, list[Mark]()
        for scope, group in groupby(marks, lambda mark: mark.scope):
            query = sa.select(repeat.digest).where(repeat.scope == scope)
            rows = select_at(connection, query, repeat.digest, [mark.digest for mark in group])
            found += sorted({Mark(scope, bytes(row.digest)) for row in rows})
        return found

    def all(self) -> list[Import]:
        """Every import, oldest first."""
        batch = self._tables.batch.c
        query = sa.select(*(batch[name] for name in Import._fields)).order_by(batch.number)
        return [Import(*row) for row in self._choices.store.read(lambda connection: list(connection.execute(query)))]

    def _lock(self, connection: sa.Connection) -> None:
        """Have other imports wait until this transaction ends, as it looks at what stands by one of them."""
        batch = self._tables.batch
        # The row of the first import, so that none waits for another in a circle; SQLite locks nothing for a SELECT.
        connection.execute(batch.update().where(batch.c.number == 1).values(number=1))


def _delete(
    connection: sa.Connection, table: sa.Table, marks: Sequence[Mark], *where: sa.ColumnElement[bool]
) -> None:
    """Delete the rows at these marks, which are sorted."""
    if marks and connection.dialect.name not in ("mysql", "mariadb"):
        # PostgreSQL may compare every row of the table with a whole list.
        at = [table.c[name] == sa.bindparam(f"at_{name}") for name in ("scope", "digest")]
        values = [{"at_scope": mark.scope, "at_digest": mark.digest} for mark in marks]
        connection.execute(table.delete().where(*at, *where), values)
        return
    for scope, group in groupby(marks, lambda mark: mark.scope):  # PyMySQL sends one statement for each row
        digests = [mark.digest for mark in group]
        for start in range(0, len(digests), BATCH):
            some = table.c.digest.in_(digests[start : start + BATCH])
            connection.execute(table.delete().where(table.c.scope == scope, some, *where))
