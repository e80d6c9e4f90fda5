"""Read and write the candidates' choices."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from ..addresses import Address
from ..errors import StoreUnavailable
from ..links.tokens import DataKey, Mark, check_opportunity
from .journal import (
    Journal,
    JournalEntry,
    advance_number,
    check_database,
    check_journal,
    parse_numbers,
    select_numbers,
)
from .key_slots import KEY_SCOPE, KeySlots, choices_lost
from .store import Read, Store
from .tables import SOURCE_SIZE, ByteArray, ChoiceTables, today, upsert

T = TypeVar("T")
#: Characters not allowed in a source, which is one word in a line of the journal.
UNFIT = re.compile(r"[^A-Za-z0-9-]+")
#: Digests per statement: SQLite before 3.32 takes 999 parameters, and PostgreSQL gets an array.
BATCH, ARRAY = 900, 5_000
#: Seconds between deletions of expired recent presses.
EVERY = 60.0


class Choice(NamedTuple):
    """The last choice of a candidate about one opportunity, with its source and day."""

    muted: bool
    source: str
    day: datetime.date


class Statement(NamedTuple):
    """A choice to be stored."""

    mark: Mark
    muted: bool
    source: str
    batch: int | None = None


@dataclass(eq=False)
class Choices:
    """The choices of one app.

    Reading and writing raise StoreUnavailable when the database does not answer, ConfigurationError when no key opens
    the store or its choices are gone, and JournalError when it and the journal do not agree.

    ``tidy`` deletes expired recent presses; it is called after reads and writes.
    """

    store: Store
    tables: ChoiceTables
    slots: KeySlots
    journal: Journal | None
    tidy: Callable[[], None]
    clock: Callable[[], float]
    _next_tidy: float = field(default=0.0, init=False)

    def get_key(self) -> DataKey:
        """Return the data key, creating it in a store that never had one."""
        return self.slots.data_key or self.slots.open()

    def _open(self) -> None:
        """Open the data key, and add a slot for the newest key if it has none."""
        if not self.slots.is_open:
            self.slots.open()

    def is_new(self) -> bool:
        """Return whether the store is new: without a data key nobody can have opted out yet."""
        return self.journal is None and not (self.slots.data_key or self.slots.find())

    def tidy_up(self) -> None:
        """Delete expired recent presses, at most once in ``EVERY`` seconds."""
        if self.clock() >= self._next_tidy:
            self._next_tidy = self.clock() + EVERY
            with suppress(StoreUnavailable):  # a failure here must not fail the caller
                self.tidy()

    def is_muted(self, address: Address, opportunity: str, over: Read | None = None) -> bool:
        """Return whether a choice forbids inviting this address to this opportunity."""
        about = check_opportunity(opportunity)
        if self.is_new():
            return False
        self._open()
        marks = self.get_key().marks(address, about)
        return any(choice.muted for choice in self.read(marks, over).values())

    @contextmanager
    def looking(self) -> Iterator[Callable[[Address, str], bool]]:
        """Yield :meth:`is_muted` bound to one connection, for many calls in a row."""
        self._open()
        with self.store.hold() as read:
            yield partial(self.is_muted, over=read)
        self.tidy_up()

    def read(self, marks: Sequence[Mark], over: Read | None = None) -> dict[Mark, Choice]:
        """Return the choices at these marks, read ``over`` a held connection or one from the pool."""
        query, values = self.build_select(len(marks)), self.build_parameters(marks)
        rows = (over or self.store.read)(lambda connection: connection.execute(query, values).all())
        if over is None:
            self.tidy_up()
        return self.parse_rows(rows)

    def build_select(self, places: int) -> sa.Select[Any]:
        """Build the query of the choices at this many marks, the row of the data key and the journal's numbers.

        Callers may add columns and joins; the first six columns are for :meth:`parse_rows`.
        """
        return _build_select(self.tables, places, self.journal is not None)

    def build_parameters(self, marks: Sequence[Mark]) -> dict[str, Any]:
        """Build the parameters of :meth:`build_select`."""
        values: dict[str, Any] = {"key": self.get_key().id}
        for place, mark in enumerate(marks):
            values[f"scope{place}"], values[f"digest{place}"] = mark
        return values

    def parse_rows(self, rows: Iterable[Any]) -> dict[Mark, Choice]:
        """Return the choices in the rows of :meth:`build_select`."""
        choices = {Mark(bytes(row[0]), bytes(row[1])): row for row in rows}
        owner = choices.pop(Mark(KEY_SCOPE, self.get_key().id), None)
        if owner is None:
            raise choices_lost()
        if self.journal is not None:
            newest = self.journal.newest_number()
            check_journal(owner[5], newest)
            if parse_numbers(owner[5])[0] < newest:  # perhaps by a choice made since these rows were read
                again = select_numbers(self.tables.meta)
                check_database(self.store.read(lambda connection: connection.scalar(again)), newest)
        return {mark: Choice(*row[2:5]) for mark, row in choices.items()}

    def transact(
        self,
        work: Callable[[sa.Connection], tuple[T, Sequence[Statement]]],
        put: Callable[[sa.Connection, Sequence[Statement]], None] | None = None,
    ) -> T:
        """Commit ``work`` and the statements that it returns; return its other result. ``work`` may be run again.

        :param put: stores the statements; by default, each as the row of its mark.
        """
        self._open()
        journal, meta = self.journal, self.tables.meta

        def write(connection: sa.Connection) -> tuple[T, Sequence[Statement], int]:
            result, changes = work(connection)
            (put or self._put)(connection, changes)
            number = advance_number(connection, meta, journal.newest_number()) if journal and changes else 0
            return result, changes, number

        with nullcontext() if journal is None else journal.writing() as append:
            result, changes, number = self.store.write(write)
            if append and changes:
                append(JournalEntry(number, *one.mark, one.muted, one.source, today()) for one in changes)
        self.tidy_up()
        return result

    def _put(self, connection: sa.Connection, changes: Sequence[Statement]) -> None:
        # Sorted by pseudonym, so that the order of the rows reveals nothing and two writers cannot deadlock.
        day = today()
        rows = [
            {"scope": scope, "digest": digest, "muted": muted, "source": source, "day": day, "batch": batch}
            for (scope, digest), muted, source, batch in sorted(changes)
        ]
        # An import does not replace a mute that a candidate makes while it runs.
        imported = any(one.batch is not None for one in changes)
        upsert(connection, self.tables.choice, *rows, keep="muted" if imported else None)

    def add_mutes(self, entries: Iterable[tuple[Address, str]], source: str) -> None:
        """Mute people for opportunities; an existing mute stays, but is detached from its import."""
        marks = self.get_key().marks_of(entries)
        source = UNFIT.sub("-", str(source))[:SOURCE_SIZE]

        def mute(connection: sa.Connection) -> tuple[None, list[Statement]]:
            mutes = self.find_mutes(connection, marks)
            return None, [Statement(mark, True, source) for mark in marks if mutes.get(mark, 0) is not None]

        self.transact(mute)

    def find_mutes(self, connection: sa.Connection, marks: Sequence[Mark]) -> dict[Mark, int | None]:
        """Return the mutes among these marks, each with the number of its import."""
        choice = self.tables.choice.c
        at = choice.scope == KEY_SCOPE, choice.digest == self.get_key().id
        if connection.scalar(sa.select(sa.literal(1)).where(*at)) is None:
            raise choices_lost()
        mutes: dict[Mark, int | None] = {}
        for scope, group in groupby(sorted(marks), lambda mark: mark.scope):
            found = select_mutes(connection, self.tables, scope, [mark.digest for mark in group])
            mutes.update((Mark(scope, digest), batch) for digest, batch in found)
        return mutes


def select_mutes(
    connection: sa.Connection, tables: ChoiceTables, scope: bytes, digests: Sequence[bytes]
) -> Iterator[tuple[bytes, int | None]]:
    """Yield the mutes among these digests, each with the number of its import.

    :param digests: sorted, so that neighbours are on the same page of the table.
    """
    choice = tables.choice.c
    query = sa.select(choice.digest, choice.batch).where(choice.scope == scope, choice.muted)
    return ((bytes(digest), batch) for digest, batch in select_at(connection, query, choice.digest, digests))


def select_at(
    connection: sa.Connection, query: sa.Select[Any], column: sa.ColumnElement[bytes], digests: Sequence[bytes]
) -> Iterator[Any]:
    """Yield the rows of a query where a column is one of the digests; on PostgreSQL, one row per digest."""
    postgresql = connection.dialect.name == "postgresql"
    step = ARRAY if postgresql else BATCH
    for start in range(0, len(digests), step):
        some = digests[start : start + step]
        if postgresql:
            # Each is found by the primary key: with a list, PostgreSQL may compare it with every row of the table.
            wanted = (
                sa.func.unnest(sa.literal(some, ByteArray())).table_valued("digest", name="wanted").render_derived()
            )
            one = query.where(column == wanted.c.digest).limit(1).lateral()
            yield from connection.execute(sa.select(one).select_from(wanted.join(one, sa.true())))
        else:
            yield from connection.execute(query.where(column.in_(some)))


@lru_cache(100)
def _build_select(tables: ChoiceTables, places: int, journal: bool) -> sa.Select[Any]:
    choice = tables.choice.c
    at = [
        sa.and_(choice.scope == sa.bindparam(f"scope{place}"), choice.digest == sa.bindparam(f"digest{place}"))
        for place in range(places)
    ]
    owner = sa.and_(choice.scope == sa.literal(KEY_SCOPE, choice.scope.type), choice.digest == sa.bindparam("key"))
    number = select_numbers(tables.meta).scalar_subquery() if journal else sa.null()
    columns = choice.scope, choice.digest, choice.muted, choice.source, choice.day, number
    return sa.select(*columns).where(sa.or_(owner, *at))
