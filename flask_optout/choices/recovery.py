"""Put the mutes of the journal back into a database that was restored from an old backup."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from functools import partial

import sqlalchemy as sa

from ..cli.progress import Reach
from ..errors import JournalError
from ..links.keys import DIGEST_SIZE, SCOPE_SIZE, TAG_SIZE, KeyRing, Mark
from .journal import Entry, Journal
from .ledger import Ledger
from .store import Store
from .tables import Tables, put_newer

BATCH = 200
PATIENCE = 5
#: A row of nobody's: it says how far the database has caught up with the journal.
NOBODY = Mark(bytes(SCOPE_SIZE), bytes(DIGEST_SIZE))


class Recovery:
    """Brings database and journal together again; it can be killed at any time and run again."""

    def __init__(self, store: Store, tables: Tables, ring: KeyRing, journal: Journal) -> None:
        self._store = store
        self._choice = tables.choice
        self._ring = ring
        self._ledger = Ledger(tables, ring)
        self._journal = journal

    def replay(self, reach: Reach) -> None:
        """Put back each mute that the database lacks.

        It un-mutes nobody: who undid a mute after the backup was made is muted again, and can undo it again.

        :param reach: is told which share is done, of the journal's people and not of those who are muted.
        :raises OptOutError: when the journal is damaged, or the database does not take the mutes.
        """
        newest: dict[Mark, Entry] = {}
        highest = self._journal.sequence()
        for entry in self._journal.entries():
            lifted = self._lifted(entry)
            newest[Mark(lifted.scope, lifted.digest)] = lifted
            highest = max(highest, entry.sequence)
            reach(entry.sequence / max(highest, 1) / 2)
        people = list(newest.values())
        for start in range(0, len(people), BATCH):
            mutes = [entry for entry in people[start : start + BATCH] if entry.muted]
            self._store.write(partial(self._put, entries=mutes), PATIENCE)
            reach((1 + start / len(people)) / 2)
        day = datetime.datetime.now(datetime.UTC).date()
        end = Entry(highest, *NOBODY, False, "replay", day, bytes(TAG_SIZE), self._ring.current.id)
        self._store.write(partial(self._put, entries=[end]), PATIENCE)

    def begin(self, reach: Reach) -> None:
        """Begin a journal with the choices that the database holds.

        :param reach: is told which share of them is read.
        :raises OptOutError: when there is a journal already, or it cannot be written.
        """
        self._journal.begin(self._stored(reach))

    def _lifted(self, entry: Entry) -> Entry:
        key = next((key for key in self._ring.keys if key.id == entry.key_id), None)
        if key is None:
            raise JournalError(
                f"The journal holds choices under the key {entry.key_id.hex()}, which OPTOUT_KEYS lacks.",
                "Without that key nobody can tell whose they are.",
                "Put the key back into OPTOUT_KEYS, in its old place.",
            )
        scope, digest, tag = (self._ring.lift(old, key) for old in (entry.scope, entry.digest, entry.domain_tag))
        return entry._replace(scope=scope, digest=digest, domain_tag=tag, key_id=self._ring.current.id)

    def _put(self, connection: sa.Connection, entries: list[Entry]) -> None:
        for entry in entries:
            put_newer(connection, self._choice, entry._asdict())
        self._ledger.enter(connection)

    def _stored(self, reach: Reach) -> Iterator[Entry]:
        query = sa.select(sa.func.count()).select_from(self._choice)
        held, read = self._store.read(lambda connection: connection.scalar(query) or 0, PATIENCE), 0
        after: Mark | None = None
        while rows := self._store.read(partial(self._page, after=after), PATIENCE):
            yield from rows
            read += len(rows)
            reach(read / max(held, read))
            after = Mark(rows[-1].scope, rows[-1].digest)

    def _page(self, connection: sa.Connection, after: Mark | None) -> list[Entry]:
        self._ledger.check(connection)
        choice = self._choice
        query = sa.select(*(choice.c[name] for name in Entry._fields)).order_by(choice.c.scope, choice.c.digest)
        if after is not None:
            query = query.where(sa.tuple_(choice.c.scope, choice.c.digest) > tuple(after))
        return [Entry(*row) for row in connection.execute(query.limit(BATCH))]
