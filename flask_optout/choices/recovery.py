"""Put the mutes of the journal back into a database that was restored from an old backup."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import sqlalchemy as sa

from ..links.keys import Mark
from .journal import NUMBER, Entry, Journal
from .key_slots import KEY_SCOPE
from .store import Store
from .tables import ChoiceTables, upsert

#: Rows in one transaction.
BATCH = 500
#: Is told which share of the work is done, from 0 to 1.
Progress = Callable[[float], None]


class Recovery:
    """Makes database and journal agree again; it may be killed at any time and run again."""

    def __init__(self, store: Store, tables: ChoiceTables, journal: Journal) -> None:
        self._store = store
        self._tables = tables
        self._journal = journal

    def replay(self, progress: Progress) -> None:
        """Put back each mute that the database lacks.

        It un-mutes nobody: who undid a mute after the backup was made is muted again, and can undo it again.

        :param progress: is told a share of the journal's people and not of those who are muted.
        :raises OptOutError: when the journal is damaged, or the database does not take the mutes.
        """
        highest = self._journal.number()
        newest = {}
        for entry in self._journal.entries():
            newest[Mark(entry.scope, entry.digest)] = entry
            highest = max(highest, entry.number)
            progress(entry.number / max(highest, 1) / 2)
        people = list(newest.values())
        for start in range(0, len(people), BATCH):
            mutes = [entry for entry in people[start : start + BATCH] if entry.muted]
            self._store.write(partial(self._mute, entries=mutes))
            progress((1 + start / len(people)) / 2)
        self._store.write(partial(self._agree, number=highest))

    def begin(self, progress: Progress) -> None:
        """Begin a journal with the choices that the database holds.

        :param progress: is told which share of them is written.
        :raises OptOutError: when there is a journal already, or it cannot be written.
        """
        self._journal.begin(self._stored(progress))
        self._store.write(partial(self._agree, number=0))

    def _mute(self, connection: sa.Connection, entries: list[Entry]) -> None:
        for entry in entries:
            upsert(connection, self._tables.choice, _row(entry))

    def _agree(self, connection: sa.Connection, number: int) -> None:
        upsert(connection, self._tables.meta, {"name": NUMBER, "value": str(number)})

    def _stored(self, progress: Progress) -> Iterator[Entry]:
        count = sa.select(sa.func.count()).select_from(self._tables.choice)
        held, read = self._store.read(lambda connection: connection.scalar(count) or 0), 0
        after = Mark(KEY_SCOPE, b"\xff" * 16)  # behind the row of the data key
        while rows := self._store.read(partial(self._page, after=after)):
            yield from rows
            read += len(rows)
            progress(read / max(held, read))
            after = Mark(rows[-1].scope, rows[-1].digest)

    def _page(self, connection: sa.Connection, after: Mark) -> list[Entry]:
        choice = self._tables.choice.c
        query = sa.select(*(choice[name] for name in Entry._fields[1:]))
        query = query.where(sa.tuple_(choice.scope, choice.digest) > tuple(after))
        query = query.order_by(choice.scope, choice.digest).limit(BATCH)
        return [Entry(0, *row) for row in connection.execute(query)]


def _row(entry: Entry) -> dict[str, Any]:
    # Of no import any more, as the candidate may have said it again since.
    return {**{name: value for name, value in entry._asdict().items() if name != "number"}, "batch": None}
