"""Put the mutes of the journal back into a database that was restored from an old backup."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

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


@dataclass(frozen=True)
class Recovery:
    """Makes database and journal agree again; it may be killed at any time and run again.

    Every method raises an OptOutError when the database or the journal cannot be used.
    """

    store: Store
    tables: ChoiceTables
    journal: Journal

    def replay(self, progress: Progress) -> None:
        """Put back each mute that the database lacks.

        It un-mutes nobody: who undid a mute after the backup was made is muted again, and can undo it again.

        :param progress: is told a share of the journal's people and not of those who are muted.
        """
        newest, highest = {}, self.journal.number()
        for entry in self.journal.entries():
            newest[Mark(entry.scope, entry.digest)] = entry
            highest = max(highest, entry.number)
            progress(entry.number / max(highest, 1) / 2)
        people = list(newest.values())
        for start in range(0, len(people), BATCH):
            self.store.write(partial(self._mute, people=people[start : start + BATCH]))
            progress((1 + start / len(people)) / 2)
        self._agree(highest)

    def begin(self, progress: Progress) -> None:
        """Begin a journal with the choices that the database holds; none may be there.

        :param progress: is told which share of them is written.
        """
        self.journal.begin(self._stored(progress))
        self._agree(0)

    def _mute(self, connection: sa.Connection, people: list[Entry]) -> None:
        for _, scope, digest, muted, source, day in people:
            if muted:  # of no import any more, as the candidate may have said it again since
                row = {"scope": scope, "digest": digest, "muted": True, "source": source, "day": day, "batch": None}
                upsert(connection, self.tables.choice, row)

    def _agree(self, number: int) -> None:
        row = {"name": NUMBER, "value": str(number)}
        self.store.write(lambda connection: upsert(connection, self.tables.meta, row))

    def _stored(self, progress: Progress) -> Iterator[Entry]:
        count = sa.select(sa.func.count()).select_from(self.tables.choice)
        held, read = self.store.read(lambda connection: connection.scalar(count) or 0), 0
        after = Mark(KEY_SCOPE, b"\xff" * 16)  # behind the row of the data key
        while rows := self.store.read(partial(self._page, after=after)):
            yield from rows
            read += len(rows)
            progress(read / max(held, read))
            after = Mark(rows[-1].scope, rows[-1].digest)

    def _page(self, connection: sa.Connection, after: Mark) -> list[Entry]:
        choice = self.tables.choice.c
        query = sa.select(*(choice[name] for name in Entry._fields[1:]))
        query = query.where(sa.tuple_(choice.scope, choice.digest) > tuple(after))
        query = query.order_by(choice.scope, choice.digest).limit(BATCH)
        return [Entry(0, *row) for row in connection.execute(query)]
