"""The choices: set them and read them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from ..addresses import Address
from ..links.keys import ALL, KeyRing, Mark
from ..links.tokens import Claim, checked_opportunity
from .journal import Entry, Journal, behind
from .ledger import Ledger
from .questions import Questions, batches
from .store import Store
from .tables import Tables, upsert

T = TypeVar("T")
#: How many times the usual time a chunk of a large list may take.
PATIENCE = 15


class Choice(NamedTuple):
    """What a candidate last said about one opportunity, by which door and on which day."""

    muted: bool
    source: str
    day: datetime.date
    sequence: int


class _Found(NamedTuple):
    """Choices, and whether any hold stands anywhere: mostly there is none, and an index says so at once."""

    choices: dict[Mark, Choice]
    any_hold: bool


class Choices:
    """The choices of one app; each call takes its own connection and its own transaction.

    :param journal: where they are written a second time, if anywhere.
    """

    def __init__(self, store: Store, tables: Tables, ring: KeyRing, journal: Journal | None = None) -> None:
        self._store = store
        self._journal = journal
        self._tables = tables
        self._ring = ring
        self._ledger = Ledger(tables, ring)
        self._questions = Questions(tables)

    def set(
        self, claim: Claim, mark: Mark, muted: bool, source: str, note: Callable[[sa.Connection], None] | None = None
    ) -> None:
        """Store a choice in one atomic statement; when this returns, it is committed.

        :param note: writes what belongs to it, in the same transaction and before it.
        :raises StoreUnavailable: when the database does not take it.
        :raises ConfigurationError: as :meth:`read`.
        """
        self._put([self._row(mark, muted, source, claim.domain_tag)], 1, note)

    def add_mutes(self, entries: Iterable[tuple[Address, str]], source: str) -> None:
        """Mute people for opportunities; those who are muted already stay as they are.

        :raises StoreUnavailable: when the database does not take them.
        :raises ConfigurationError: as :meth:`read`.
        """
        tags = {self._ring.mark(address, about): self._ring.domain_tag(address.domain) for address, about in entries}
        choices = self.read(tags, PATIENCE)
        new = [mark for mark in tags if mark not in choices or not choices[mark].muted]
        if new:
            self._put([self._row(mark, True, source, tags[mark]) for mark in new], PATIENCE)

    def _row(self, mark: Mark, muted: bool, source: str, domain_tag: bytes) -> dict[str, Any]:
        return {
            "scope": mark.scope,
            "digest": mark.digest,
            "muted": muted,
            "source": source,
            "day": datetime.datetime.now(datetime.UTC).date(),
            "domain_tag": domain_tag,
            "key_id": self._ring.current.id,
            "sequence": self._questions.next,
        }

    def _put(
        self, rows: list[dict[str, Any]], patience: float, note: Callable[[sa.Connection], None] | None = None
    ) -> None:
        def write(connection: sa.Connection) -> list[Entry]:
            # Writes come first: SQLite gives up at once on a transaction that begins to write after it has read.
            if note is not None:
                note(connection)
            for row in rows:
                upsert(connection, self._tables.choice, row)
            self._ledger.enter(connection)
            return [] if self._journal is None else self._entries(connection, rows, journaled)

        if self._journal is None:
            self._store.write(write, patience)
            return
        with self._journal.writing() as pen:
            journaled = self._journal.sequence()
            pen.append(self._store.write(write, patience))

    def _entries(self, connection: sa.Connection, rows: list[dict[str, Any]], journaled: int) -> list[Entry]:
        """What was just written, with its sequence.

        :raises JournalError: when that is one that was journaled before, in a database that was lost.
        """
        written = self._look(connection, [Mark(row["scope"], row["digest"]) for row in rows]).choices
        entries = [Entry(**{**row, "sequence": written[Mark(row["scope"], row["digest"])].sequence}) for row in rows]
        if min(entry.sequence for entry in entries) <= journaled:
            raise behind()
        return entries

    def read(self, marks: Iterable[Mark], patience: float = 1.0) -> dict[Mark, Choice]:
        """The choices that stand at these marks, read afresh.

        :param patience: how many times the usual time it may take.
        :raises StoreUnavailable: when the database does not answer.
        :raises ConfigurationError: when choices are stored under keys that do not fit the ring.
        :raises JournalError: when the journal is missing or damaged, or the database is older than it.
        """
        wanted = list(marks)
        return self._ask(lambda connection: self._look(connection, wanted).choices, patience)

    def standing(self, claim: Claim, more: Callable[[sa.Connection, dict[Mark, Choice]], T]) -> T:
        """What ``more`` makes, in the same transaction, of the choices at the marks of a claim.

        :raises StoreUnavailable: as :meth:`read`.
        :raises ConfigurationError: as :meth:`read`.
        :raises JournalError: as :meth:`read`.
        """
        return self._ask(lambda connection: more(connection, self._standing(connection, claim)))

    def _standing(self, connection: sa.Connection, claim: Claim) -> dict[Mark, Choice]:
        """Also those that still stand under an older key.

        A link of the newest key cannot tell the digest under an older one, so until the keys are rotated all older
        choices about its opportunity are looked through.
        """
        wanted = [*claim.person, *(claim.base or ())]
        # The older places first, so that what a rotation moves meanwhile is found there or under the newest key.
        older = [
            (Mark(newest.scope, self._ring.lift(digest, key)), choice)
            for about, newest in zip((claim.opportunity, ALL), claim.person, strict=True)
            for key, scope in list(self._ring.scopes(about).items())[1:]
            for digest, choice in self._under(connection, scope)
        ]
        found = self._look(connection, wanted).choices
        for mark, choice in older:
            if mark in wanted and (mark not in found or _order(choice) > _order(found[mark])):
                found[mark] = choice
        return found

    def consult(self, rows: Callable[[sa.Connection], T], patience: float = 1.0) -> T:
        """What ``rows`` finds in a store that fits the key ring and is no older than the journal.

        :param patience: how many times the usual time it may take.
        :raises StoreUnavailable: as :meth:`read`.
        :raises ConfigurationError: as :meth:`read`.
        :raises JournalError: as :meth:`read`.
        """

        def checked(connection: sa.Connection) -> T:
            self._ledger.check(connection)
            return rows(connection)

        return self._ask(checked, patience)

    def _ask(self, rows: Callable[[sa.Connection], T], patience: float = 1.0) -> T:
        # Read before the database, or a choice that is made meanwhile would make the journal seem ahead.
        journaled = 0 if self._journal is None else self._journal.sequence()

        def checked(connection: sa.Connection) -> T:
            if journaled and self.newest_sequence(connection) < journaled:
                raise behind()
            return rows(connection)

        return self._store.read(checked, patience)

    def muted(self, address: Address, opportunity: str) -> bool:
        """Whether any choice, or a hold after a doubtful press, forbids to invite this address to this opportunity.

        :raises StoreUnavailable: as :meth:`read`.
        :raises ConfigurationError: as :meth:`read`.
        """
        groups = self._ring.marks(address, checked_opportunity(opportunity))
        return self.barred([groups])[0]

    def muted_before(self, opportunity: str, day: datetime.date) -> int:
        """How many were muted for an opportunity when this day began, as far as today's rows can tell.

        What was said since then is left out, so that a reading moves once for all of it.

        :raises StoreUnavailable: as :meth:`read`.
        """
        choice = self._tables.choice.c
        query = sa.select(sa.func.count()).where(
            choice.scope.in_(list(self._ring.scopes(opportunity).values())),
            sa.or_(sa.and_(choice.muted, choice.day < day), sa.and_(~choice.muted, choice.day >= day)),
        )
        return self._store.read(lambda connection: connection.scalar(query) or 0)

    def barred(self, people: list[list[list[Mark]]], patience: float = 1.0) -> list[bool]:
        """For each of these people, given by their marks, whether a choice or a hold forbids to invite them.

        :param patience: how many times the usual time it may take.
        :raises StoreUnavailable: as :meth:`read`.
        :raises ConfigurationError: as :meth:`read`.
        """
        marks = [mark for groups in people for group in groups for mark in group]

        def rows(connection: sa.Connection) -> tuple[dict[Mark, Choice], frozenset[Mark]]:
            choices, any_hold = self._look(connection, marks)
            if not any_hold:
                return choices, frozenset()
            # The hold first: it ends when the mute that it waited for is there.
            held = self._held(connection, marks)
            return self._look(connection, marks).choices, held

        choices, held = self._ask(rows, patience)
        return [
            any(_newest_is_mute(group, choices) or not held.isdisjoint(group) for group in groups)
            for groups in people
        ]

    def _held(self, connection: sa.Connection, marks: list[Mark]) -> frozenset[Mark]:
        return frozenset(
            Mark(bytes(scope), bytes(digest))
            for values in batches(marks)
            for scope, digest in connection.execute(self._questions.held, values)
        )

    def _look(self, connection: sa.Connection, marks: list[Mark]) -> _Found:
        """The choices at these marks, in a store that fits the key ring; in one statement, as each has its price."""
        choices: dict[Mark, Choice] = {}
        any_hold = False
        # Each person's newest mark last: what a rotation moves to it meanwhile is found there, or where it was.
        for values in batches(marks[::-1]):
            stored = {}
            for name, value, hold, scope, digest, *said in connection.execute(self._questions.at_marks, values):
                if name is not None:
                    stored[name] = value
                any_hold |= hold is not None
                if scope is not None:
                    choices[Mark(bytes(scope), bytes(digest))] = Choice(*said)
            self._ledger.compare(stored)
        return _Found(choices, any_hold)

    def _under(self, connection: sa.Connection, scope: bytes) -> Iterator[tuple[bytes, Choice]]:
        for digest, *rest in connection.execute(self._questions.in_scope, {"scope": scope}):
            yield bytes(digest), Choice(*rest)

    def newest_sequence(self, connection: sa.Connection) -> int:
        """The newest sequence that stands."""
        return connection.scalar(self._questions.newest) or 0


def _newest_is_mute(group: list[Mark], choices: dict[Mark, Choice]) -> bool:
    newest = max((choices[mark] for mark in group if mark in choices), key=_order, default=None)
    return newest is not None and newest.muted


def _order(choice: Choice) -> tuple[int, bool]:
    return choice.sequence, choice.muted
