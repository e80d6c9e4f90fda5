"""What candidates last said: read it and write it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from ..addresses import Address
from ..links.keys import DataKey, Mark
from ..links.tokens import checked_opportunity
from .journal import Entry, Journal, advance, check_number, journaled
from .key_slots import KEY_SCOPE, KeySlots, choices_lost, key_mark
from .store import Store
from .tables import ChoiceTables, upsert

T = TypeVar("T")
#: Marks in one statement: SQLite before 3.32 takes 999 parameters.
BATCH = 400


class Choice(NamedTuple):
    """What a candidate last said about one opportunity, how and on which day."""

    muted: bool
    source: str
    day: datetime.date


class Statement(NamedTuple):
    """A choice to be stored."""

    mark: Mark
    muted: bool
    source: str
    batch: int | None = None


class Choices:
    """The choices of one app.

    :param journal: where they are written a second time, if anywhere.
    :param afterwards: is called after every look and every change.
    """

    def __init__(
        self,
        store: Store,
        tables: ChoiceTables,
        slots: KeySlots,
        journal: Callable[[], Journal] | None,
        afterwards: Callable[[], None],
    ) -> None:
        self.store = store
        self.tables = tables
        self._slots = slots
        self._journal = journal
        self._afterwards = afterwards

    def key(self) -> DataKey:
        """The data key of the store; made in a store that never had one.

        :raises OptOutError: as :meth:`KeySlots.open`.
        """
        return self._slots.find() or self._slots.open()

    def is_new(self) -> bool:
        """Whether nobody can have said anything yet, as the store never had a data key.

        :raises OptOutError: as :meth:`KeySlots.find`.
        """
        return self._journal is None and self._slots.find() is None

    def muted(self, address: Address, opportunity: str) -> bool:
        """Whether a choice forbids to invite this address to this opportunity.

        :raises StoreUnavailable: when the database does not answer.
        :raises ConfigurationError: when no key opens the store, or its choices are gone.
        :raises JournalError: when the journal is missing or damaged, or the database is older than it.
        """
        about = checked_opportunity(opportunity)
        if self.is_new():
            return False
        marks = self._slots.open().marks(address, about)
        return any(choice.muted for choice in self.read(marks).values())

    @contextmanager
    def looking(self) -> Iterator[Callable[[Address, str], bool]]:
        """:meth:`muted` over one connection, for many in a row."""
        key = self._slots.open()
        with self.store.held() as read:

            def muted(address: Address, opportunity: str) -> bool:
                marks = key.marks(address, checked_opportunity(opportunity))
                found = self._compared(read, marks)
                return any(choice.muted for choice in found.values())

            yield muted
        self._afterwards()

    def read(self, marks: Sequence[Mark]) -> dict[Mark, Choice]:
        """The choices at these marks.

        :raises OptOutError: as :meth:`muted`.
        """
        found = self._compared(self.store.read, marks)
        self._afterwards()
        return found

    def check(self) -> None:
        """Check that the store holds the choices of its data key and is no older than the journal.

        :raises OptOutError: as :meth:`muted`.
        """
        self.read(())

    def _compared(self, read: Callable[..., Any], marks: Sequence[Mark]) -> dict[Mark, Choice]:
        # The journal first, or a choice that is made meanwhile would make it seem ahead of the database.
        number = self.journal_number()

        def look(connection: sa.Connection) -> list[Any]:
            return list(connection.execute(self.select(len(marks)), self.parameters(marks)))

        return self.found(read(look), number)

    def journal_number(self) -> int | None:
        """The number of the newest line of the journal, to be read before the choices; ``None`` without a journal.

        :raises JournalError: when it is missing or damaged.
        """
        return None if self._journal is None else self._journal().number()

    def select(self, places: int) -> sa.Select[Any]:
        """The statement that reads the choices at so many marks, the row of the data key and the journal's number.

        More columns and joins may be added; the first six columns are for :meth:`found`.
        """
        return _select(self.tables, places, self._journal is not None)

    def parameters(self, marks: Sequence[Mark]) -> dict[str, Any]:
        """The parameters of :meth:`select`."""
        values: dict[str, Any] = {"key": self.key().id}
        for place, mark in enumerate(marks):
            values[f"scope{place}"], values[f"digest{place}"] = mark
        return values

    def found(self, rows: Iterable[Any], number: int | None) -> dict[Mark, Choice]:
        """The choices in the rows of :meth:`select`.

        :param number: of :meth:`journal_number`, read before.
        :raises ConfigurationError: when the row of the data key is missing.
        :raises JournalError: when the database is older than the journal.
        """
        choices = {Mark(bytes(row[0]), bytes(row[1])): row for row in rows}
        owner = choices.pop(key_mark(self.key()), None)
        if owner is None:
            raise choices_lost()
        if number is not None:
            check_number(owner[5], number)
        return {mark: Choice(*row[2:5]) for mark, row in choices.items()}

    def transact(self, work: Callable[[sa.Connection], tuple[T, Sequence[Statement]]]) -> T:
        """Run ``work`` and store the statements that it returns, in one transaction; gives its other result.

        When this returns, they are committed. ``work`` may be run again after a conflict.

        :raises StoreUnavailable: when the database or the journal does not take them.
        :raises ConfigurationError: as :meth:`muted`.
        :raises JournalError: as :meth:`muted`.
        """
        self._slots.open()
        if self._journal is None:
            result, _ = self.store.write(lambda connection: self._put(connection, *work(connection)))
        else:
            result = self._journaled(self._journal(), work)
        self._afterwards()
        return result

    def _journaled(self, journal: Journal, work: Callable[[sa.Connection], tuple[T, Sequence[Statement]]]) -> T:
        with journal.writing() as pen:

            def write(connection: sa.Connection) -> tuple[T, Sequence[Statement], int]:
                result, said = self._put(connection, *work(connection))
                return result, said, advance(connection, self.tables.meta, journal.number()) if said else 0

            result, said, number = self.store.write(write)
            if said:
                pen.append(Entry(number, *one.mark, one.muted, one.source, _today()) for one in said)
            return result

    def _put(self, connection: sa.Connection, result: T, said: Sequence[Statement]) -> tuple[T, Sequence[Statement]]:
        # Sorted by pseudonym, so that the order of the rows says nothing and two writers cannot deadlock.
        for one in sorted(said):
            row = {"muted": one.muted, "source": one.source, "day": _today(), "batch": one.batch}
            upsert(connection, self.tables.choice, {**one.mark._asdict(), **row})
        return result, said

    def add_mutes(self, entries: Iterable[tuple[Address, str]], source: str, batch: int | None = None) -> None:
        """Mute people for opportunities; a choice that mutes already stays as it is.

        :param batch: the number of the import.
        :raises OptOutError: as :meth:`transact`.
        """
        key = self.key()
        marks = sorted({key.mark(address, about) for address, about in entries})

        def mute(connection: sa.Connection) -> tuple[None, list[Statement]]:
            muted = self._muted_among(connection, marks)
            return None, [Statement(mark, True, source, batch) for mark in marks if mark not in muted]

        self.transact(mute)

    def _muted_among(self, connection: sa.Connection, marks: Sequence[Mark]) -> set[Mark]:
        choice = self.tables.choice.c
        muted: set[Mark] = set()
        for start in range(0, len(marks), BATCH):
            part = marks[start : start + BATCH]
            query = sa.select(choice.scope, choice.digest, choice.muted).where(
                choice.scope.in_({KEY_SCOPE, *(mark.scope for mark in part)}),
                choice.digest.in_([key_mark(self.key()).digest, *(mark.digest for mark in part)]),
            )
            found = {
                Mark(bytes(scope), bytes(digest)): is_muted for scope, digest, is_muted in connection.execute(query)
            }
            if key_mark(self.key()) not in found:
                raise choices_lost()
            muted.update(mark for mark, is_muted in found.items() if is_muted)
        return muted


@cache
def _select(tables: ChoiceTables, places: int, journal: bool) -> sa.Select[Any]:
    choice = tables.choice.c
    at = [
        sa.and_(choice.scope == sa.bindparam(f"scope{place}"), choice.digest == sa.bindparam(f"digest{place}"))
        for place in range(places)
    ]
    owner = sa.and_(choice.scope == sa.literal(KEY_SCOPE, choice.scope.type), choice.digest == sa.bindparam("key"))
    number = journaled(tables.meta) if journal else sa.null()
    columns = choice.scope, choice.digest, choice.muted, choice.source, choice.day, number
    return sa.select(*columns).where(sa.or_(owner, *at))


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
