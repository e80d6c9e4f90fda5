"""The mutes of one scope, as a run over many addresses looks for them: in memory, or else in the table."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import contains
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from ..links.keys import DIGEST_SIZE

#: A set takes about 90 bytes for each digest: 4.5 MB here.
SMALL = 50_000
#: A pile takes 18 bytes for each digest, a fifth of a set.
SET = 5
#: For all shelves together, as digests of a pile: 20 MB, of the 24 MiB that a run may take. A million mutes of an
#: opportunity, and twenty thousand of all invitations in a set beside them.
MOST = 1_000_000 + 20_000 * SET
#: Reading a digest costs about a sixth of looking one up in the table.
WORTH = 6
#: Rows read at once: drivers hold the whole of an answer, and no answer is to be large.
PAGE = 20_000
#: Seconds after which a shelf is read anew, whatever the sequence says.
MOST_AGE = 60.0
#: With more changes than this, what is in memory is read anew.
MOST_CHANGES = 10_000
#: Digests in one statement: SQLite before 3.32 takes 999 parameters.
BATCH = 900

#: Digests and what was last said, oldest first.
Changes = Sequence[tuple[bytes, bool]]


class Pile:
    """Digests without an object for each: a run of bytes for all that begin with the same two bytes."""

    def __init__(self) -> None:
        self._runs = [b""] * 65_536

    def add(self, run: bytes) -> None:
        """Add these digests, which are sorted."""
        start = 0
        for beginning, count in Counter(_beginnings(run)).items():
            end = start + count * DIGEST_SIZE
            self._runs[beginning] += run[start:end]
            start = end

    def has(self, digests: list[bytes]) -> Iterator[bool]:
        """Of each digest, whether it is in here.

        Among a million, about fifteen begin alike: one search through 240 bytes. That a match straddles two of them
        is as likely as that two people share a digest.
        """
        return map(contains, map(self._runs.__getitem__, _beginnings(b"".join(digests))), digests)


def _beginnings(run: bytes) -> list[int]:
    """The first two bytes of each digest, as a number."""
    return memoryview(run).cast("H")[:: DIGEST_SIZE // 2].tolist()


class Shelf:
    """What a run knows about one scope."""

    def __init__(self, choice: sa.Table, scope: bytes) -> None:
        self._choice = choice
        self.scope = scope
        self._small: set[bytes] | None = None
        self._pile: Pile | None = None
        self._changes: dict[bytes, bool] = {}
        self._read_at = 0.0
        #: More mutes than this; 0 as long as that is not known.
        self._beyond = 0
        #: What it takes of the room for all shelves, in digests of a pile.
        self.weight: int = 0

    @property
    def whole(self) -> bool:
        """Whether it is in memory."""
        return self._small is not None or self._pile is not None

    def refresh(self, connection: sa.Connection, changes: Changes | None, expected: int, room: int) -> bool:
        """Bring it up to date; says whether the table was read, or is to be read, for that.

        :param changes: what was said about this scope since it was read, or ``None`` when that is too much.
        :param expected: how many addresses there are to look for, as far as is known.
        :param room: what it may take.
        """
        if self.whole and time.monotonic() - self._read_at < MOST_AGE and self._take(changes):
            return False
        self._small, self._pile, self._changes, self.weight = None, None, {}, 0
        limit = min(WORTH * expected, room)
        if self._beyond < room and limit >= min(2 * self._beyond, room):
            self._read_at = time.monotonic()
            self._load(connection, limit, min(SMALL, room // SET))
        return True

    def has(self, digests: list[bytes], connection: sa.Connection | None = None) -> Iterator[bool]:
        """Of each digest, whether it is muted.

        :param connection: needed unless it is in memory.
        """
        if self._small is not None:
            return map(self._small.__contains__, digests)
        if self._pile is not None:
            known = self._pile.has(digests)
            return map(self._changes.get, digests, known) if self._changes else known
        assert connection is not None
        return map(self._look_up(connection, sorted(digests)).__contains__, digests)

    def _take(self, changes: Changes | None) -> bool:
        """Take these changes in, unless with those before they are too many."""
        if changes is None or len(changes) + len(self._changes) > MOST_CHANGES:
            return False
        for digest, muted in changes:
            if self._small is None:
                self._changes[digest] = muted
            else:
                (self._small.add if muted else self._small.discard)(digest)
        return True

    def _load(self, connection: sa.Connection, limit: int, few: int) -> None:
        """Read all mutes, unless they turn out to be more than ``limit``; a few make a set."""
        runs: list[bytes] = []
        pile, size = None, 0
        for run in self._pages(connection, limit):
            size += len(run) // DIGEST_SIZE
            if size > limit:
                self._beyond = limit
                return
            runs.append(run)
            if size > few:
                pile = pile or Pile()
                while runs:
                    pile.add(runs.pop())
        self._pile, self.weight = pile, size
        if pile is None:
            self._small, self.weight = {digest for run in runs for digest in cut(run)}, SET * size

    def _pages(self, connection: sa.Connection, most: int) -> Iterator[bytes]:
        """Mutes in their order, each page as one run of bytes, until there is none or there are more than so many."""
        digest, last, left = self._choice.c.digest, b"", most + 1
        query = sa.select(digest).where(*self._mutes, digest > sa.bindparam("last")).order_by(digest)
        query = query.limit(sa.bindparam("page"))
        if connection.dialect.name == "postgresql":
            # Glued together there, as each row costs its drivers as much as the search.
            page = query.subquery().c.digest
            query = sa.select(sa.func.string_agg(page, aggregate_order_by(sa.literal(b""), page)))
        while left > 0:
            wanted = min(PAGE, left)
            run = b"".join(_raw(connection.execute(query, {"last": last, "page": wanted})))
            yield run
            size = len(run) // DIGEST_SIZE
            if size < wanted:
                return
            last, left = run[-DIGEST_SIZE:], left - size

    @property
    def _mutes(self) -> tuple[sa.ColumnElement[bool], ...]:
        return self._choice.c.scope == self.scope, self._choice.c.muted

    def _look_up(self, connection: sa.Connection, digests: list[bytes]) -> set[bytes]:
        """Sorted, so that neighbours are read from the same page."""
        digest = self._choice.c.digest
        query = sa.select(digest).where(*self._mutes)
        if connection.dialect.name == "postgresql":
            # One parameter, which every driver takes; a long list of them costs as much as the search.
            array = "{" + ",".join([f'"\\\\x{one.hex()}"' for one in digests]) + "}"
            any_of = sa.text("optout_choice.digest = ANY(CAST(:digests AS bytea[]))")
            return set(map(bytes, _raw(connection.execute(query.where(any_of), {"digests": array}))))
        found: set[bytes] = set()
        for start in range(0, len(digests), BATCH):
            batch = digests[start : start + BATCH]
            if connection.dialect.name == "sqlite":
                found.update(map(bytes, _raw(self._by_driver(connection, batch))))
            else:
                found.update(map(bytes, _raw(connection.execute(query.where(digest.in_(batch))))))
        return found

    def _by_driver(self, connection: sa.Connection, digests: list[bytes]) -> sa.CursorResult[Any]:
        """Past SQLAlchemy, whose price for each parameter is that of the search itself."""
        places = ",".join("?" * len(digests))
        statement = f"SELECT digest FROM optout_choice WHERE scope = ? AND muted AND digest IN ({places})"
        return connection.exec_driver_sql(statement, (self.scope, *digests))


def _raw(result: sa.CursorResult[Any] | sa.Result[Any]) -> Iterator[bytes | memoryview]:
    """The only column, past SQLAlchemy's rows, which cost more than the driver's."""
    cursor: Any = getattr(result, "cursor")  # noqa: B009
    rows = cursor.fetchall()
    result.close()
    return filter(None, chain.from_iterable(rows))


def cut(run: bytes) -> list[bytes]:
    """The digests that make up this run."""
    return [run[start : start + DIGEST_SIZE] for start in range(0, len(run), DIGEST_SIZE)]
