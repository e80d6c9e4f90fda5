"""A million addresses filtered by the choices about one opportunity, in their order and in bounded memory.

For each address the same digests as the gate's; where they are looked for depends on how many mutes there are:
see :mod:`flask_optout.choices.shelf`. Whoever opts out later than this has looked is stopped by the
gate, which looks again when the mail leaves.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial, reduce
from itertools import chain, compress, islice
from operator import length_hint, not_, or_

import sqlalchemy as sa

from ..addresses import Recipient, parse
from ..errors import AddressError
from ..links.keys import ALL, Key, KeyRing
from ..links.tokens import checked_opportunity
from .crowd import Crowd
from .repository import PATIENCE, Choices
from .shelf import MOST, MOST_CHANGES, Shelf
from .tables import Tables

#: Addresses looked at together: enough to hide the round trip, few enough that their digests stay in the cache.
CHUNK = 5_000
#: Seconds for which what was read is taken for what stands: some twenty chunks when nothing is done between them.
FRESH = 0.5
#: Choices that are looked at again: of two made at once, the earlier one may be committed later.
SLACK = 100
#: Holds read at once; with more of them, everybody is looked up.
MOST_HELD = 10_000

#: A shelf, and the digests under which the people of a chunk, and then the bases of the tagged ones, stand in it.
Wanted = list[tuple[Shelf, list[bytes]]]


class Filter:
    """Filters many addresses for one app."""

    def __init__(self, choices: Choices, tables: Tables, ring: KeyRing) -> None:
        self._choices = choices
        self._tables = tables
        self._ring = ring

    def invitable(self, addresses: Iterable[Recipient], opportunity: str) -> Iterator[Recipient]:
        """Those of ``addresses`` that may be invited, in their order, lazily and in bounded memory.

        Nobody is passed whose mute was committed a second before the chunk of ``CHUNK`` addresses that they are in
        was looked at.

        :raises AddressError: at the first malformed address, after everything before it was yielded.
        :raises StoreUnavailable: when the database does not answer.
        :raises ConfigurationError: when choices are stored under keys that do not fit the ring.
        :raises JournalError: when the journal is missing or damaged, or the database is older than it.
        """
        name = checked_opportunity(opportunity)
        run = _Run(self._choices, self._tables, self._ring, name, length_hint(addresses))
        return chain.from_iterable(self._passing(run, iter(addresses)))

    def _passing(self, run: _Run, source: Iterator[Recipient]) -> Iterator[list[Recipient]]:
        position = 0
        while chunk := list(islice(source, CHUNK)):
            crowd = Crowd()
            crowd.add(chunk)
            yield run.passing(chunk[: len(crowd.people)], crowd)
            position += len(crowd.people)
            if crowd.malformed is not None:
                error = crowd.malformed
                raise AddressError(f"Address {position + 1}: {error.what}", error.why, error.mend)


class _Run:
    """One call of :meth:`Filter.invitable`."""

    def __init__(self, choices: Choices, tables: Tables, ring: KeyRing, opportunity: str, hint: int) -> None:
        self._choices = choices
        self._tables = tables
        self._ring = ring
        self._opportunity = opportunity
        self._expected = hint
        self._seen = 0
        self._read_at = float("-inf")
        self._sequence: int | None = None
        self._held: set[bytes] | None = set()
        self._shelves: dict[str, dict[Key, Shelf]] = {
            about: {key: Shelf(tables.choice, scope) for key, scope in ring.scopes(about).items()}
            for about in dict.fromkeys((opportunity, ALL))
        }

    def passing(self, chunk: list[Recipient], crowd: Crowd) -> list[Recipient]:
        self._seen += len(chunk)
        suspected = self._suspected(self._wanted(crowd), crowd)
        if self._held is None or len(self._ring.keys) > 1:
            suspected = self._guilty(chunk, suspected)
        return list(compress(chunk, map(not_, suspected)))

    def _wanted(self, crowd: Crowd) -> Wanted:
        people = [*crowd.people, *crowd.bases.values()]
        wanted: Wanted = []
        oldest_first = self._ring.keys[::-1]
        for about, shelves in self._shelves.items():
            digests = oldest_first[0].digests(about, people)
            wanted.append((shelves[oldest_first[0]], digests))
            for key in oldest_first[1:]:
                digests = [key.rekey(digest) for digest in digests]
                wanted.append((shelves[key], digests))
        return wanted

    def _suspected(self, wanted: Wanted, crowd: Crowd) -> list[bool]:
        """Of each in the chunk, whether any mute or hold stands anywhere."""
        stale = time.monotonic() - self._read_at > FRESH or not all(shelf.whole for shelf, _ in wanted)
        muted = self._choices.consult(lambda c: self._muted(wanted, c), PATIENCE) if stale else self._muted(wanted)
        count = len(crowd.people)
        if self._held is None:
            return [True] * count
        if self._held:
            muted += [map(self._held.__contains__, digests) for _, digests in wanted]
        suspected = list(reduce(partial(map, or_), muted))
        for base, place in enumerate(crowd.bases, count):
            suspected[place] |= suspected[base]
        return suspected[:count]

    def _muted(self, wanted: Wanted, connection: sa.Connection | None = None) -> list[Iterator[bool]]:
        if connection is None:
            return [shelf.has(digests) for shelf, digests in wanted]
        # Before the choices: a hold ends when the mute that it waited for is there.
        self._held = self._holds(connection)
        now, sequence = time.monotonic(), self._choices.newest_sequence(connection)
        changes = self._changes(connection)
        muted: list[Iterator[bool]] = []
        older_was_read = False
        for place, (shelf, digests) in enumerate(wanted):
            # Those of one opportunity follow one another, the oldest key's first: what a rotation moves meanwhile to
            # the newest key's is found there, or where it was.
            older_was_read &= place % len(self._ring.keys) > 0
            since = None if older_was_read or changes is None else changes.get(shelf.scope, ())
            room = MOST - sum(other.weight for other, _ in wanted if other is not shelf)
            older_was_read |= shelf.refresh(connection, since, max(self._expected, self._seen), room)
            muted.append(shelf.has(digests, connection))
        self._read_at, self._sequence = now, sequence  # not before, as all this is tried again after a conflict
        return muted

    def _changes(self, connection: sa.Connection) -> dict[bytes, list[tuple[bytes, bool]]] | None:
        """What was said since the last look, by scope; by the sequence alone, whose index no planner then misses."""
        if self._sequence is None:
            return None
        choice = self._tables.choice.c
        query = sa.select(choice.scope, choice.digest, choice.muted).where(choice.sequence > self._sequence - SLACK)
        rows = connection.execute(query.order_by(choice.sequence).limit(MOST_CHANGES + 1)).all()
        if len(rows) > MOST_CHANGES:
            return None
        changes: dict[bytes, list[tuple[bytes, bool]]] = {}
        for scope, digest, muted in rows:
            changes.setdefault(bytes(scope), []).append((bytes(digest), muted))
        return changes

    def _holds(self, connection: sa.Connection) -> set[bytes] | None:
        press = self._tables.press.c
        scopes = [shelf.scope for shelves in self._shelves.values() for shelf in shelves.values()]
        query = sa.select(press.digest).where(press.held_until > int(time.time() * 1000), press.scope.in_(scopes))
        held = connection.execute(query.limit(MOST_HELD + 1)).all()
        return None if len(held) > MOST_HELD else {bytes(digest) for (digest,) in held}

    def _guilty(self, chunk: list[Recipient], suspected: list[bool]) -> list[bool]:
        """Under several keys the newest answer counts, so whoever has a mute anywhere is looked at in full."""
        people = [self._ring.marks(parse(one), self._opportunity) for one in compress(chunk, suspected)]
        barred = iter(self._choices.barred(people, PATIENCE) if people else ())
        return [suspect and next(barred) for suspect in suspected]
