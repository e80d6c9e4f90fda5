"""A journal of choices outside the database, so that a restored old backup is noticed and nobody's mute is lost.

The file has one line per choice, with pseudonyms only and a keyed checksum. A choice is journaled after it is
committed and before it is confirmed to anybody, so the journal is never ahead of its database.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import sqlalchemy as sa

from ..errors import JournalError, StoreUnavailable
from ..links.tokens import DataKey, Mark
from .key_slots import KEY_SCOPE
from .store import Store
from .tables import ChoiceTables, upsert

#: The first line of a journal: what it is, and the version of its format.
HEADER = "flask-optout-journal 1"
#: Bytes at the end of the file that contain its last whole line.
TAIL = 4_096
#: Seconds to wait while another process writes.
TIMEOUT = 5.0
#: The row of optout_meta that :func:`select_numbers` reads.
NUMBER = "journal"
#: Rows in one transaction.
BATCH = 500
#: Called with the share of the work that is done, from 0 to 1.
Progress = Callable[[float], None]


class JournalEntry(NamedTuple):
    """A committed choice; those of one transaction have the same number."""

    number: int
    scope: bytes
    digest: bytes
    muted: bool
    source: str
    day: datetime.date


class Journal:
    """The journal of one app; reading raises JournalError, writing StoreUnavailable."""

    def __init__(self, path: Path, key: Callable[[], DataKey]) -> None:
        self._path = path
        self._data_key = key

    @cached_property
    def _key(self) -> bytes:
        return self._data_key().derive("journal")

    def newest_number(self) -> int:
        """Return the number of the newest line, 0 in a new journal."""
        with self._open() as file:
            last, _ = _read_last_line(file)
        return 0 if last == self._format_line(HEADER) else self._parse_entry(last).number

    def read_entries(self) -> Iterator[JournalEntry]:
        """Yield all entries, oldest first."""
        with self._open() as file:
            for line in file:
                if line.endswith(b"\n"):  # an unfinished line was never confirmed to anybody
                    yield self._parse_entry(line)

    @contextmanager
    def writing(self) -> Iterator[Callable[[Iterable[JournalEntry]], None]]:
        """Lock out other writers; yield a function that appends entries and returns once they are on disk."""
        import fcntl  # imported here, as Windows has none; the journal is optional there

        deadline = time.monotonic() + TIMEOUT
        try:
            with self._sibling("lock").open("ab") as lock:
                while True:
                    try:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        if time.monotonic() > deadline:
                            raise
                    time.sleep(0.002)
                yield self._append
        except OSError as error:
            raise StoreUnavailable(
                f"The journal {self._path.name} could not be written ({error.strerror}).",
                "A choice that is not journaled could be lost with the database, so nobody is told that it was "
                "recorded.",
                "Make the file named by OPTOUT_JOURNAL and its folder writable for the app, and try again.",
            ) from None

    def begin(self, entries: Iterable[JournalEntry]) -> None:
        """Create a journal that holds ``entries``.

        :raises JournalError: when there is one already.
        """
        with self.writing():
            if self._path.exists():
                raise JournalError(
                    f"The journal {self._path.name} is there already.",
                    "A new one would forget what the old one holds.",
                    "Run 'flask optout replay' without --new; only if the file is damaged beyond repair, move it "
                    "away.",
                )
            with self._sibling("new").open("wb") as file:
                file.write(self._format_line(HEADER))
                self._write(file, entries)
            self._sibling("new").replace(self._path)

    def _append(self, entries: Iterable[JournalEntry]) -> None:
        with self._path.open("r+b") as file:
            _, end = _read_last_line(file)
            file.truncate(end)  # the partial line of a killed process was never confirmed
            file.seek(end)
            self._write(file, entries)

    def _write(self, file: BinaryIO, entries: Iterable[JournalEntry]) -> None:
        for number, scope, digest, muted, source, day in entries:
            state = "mute" if muted else "undo"
            file.write(self._format_line(f"{number} {scope.hex()} {digest.hex()} {state} {source} {day}"))
        file.flush()
        os.fsync(file.fileno())

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        """Open the file, positioned after its header."""
        try:
            with self._path.open("rb") as file:
                if file.readline() != self._format_line(HEADER):
                    raise self._unusable("is damaged")
                yield file
        except OSError as error:
            raise self._unusable(f"cannot be read ({error.strerror})") from None

    def _sibling(self, suffix: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{suffix}")

    def _format_line(self, text: str) -> bytes:
        checksum = hashlib.blake2b(text.encode(), digest_size=8, key=self._key, person=b"optout.journal")
        return f"{text} {checksum.hexdigest()}\n".encode()

    def _parse_entry(self, line: bytes) -> JournalEntry:
        text = line.decode("ascii", "replace").rpartition(" ")[0]
        if line != self._format_line(text):
            raise self._unusable("is damaged")
        number, scope, digest, state, source, day = text.split(" ")
        marks = bytes.fromhex(scope), bytes.fromhex(digest)
        return JournalEntry(int(number), *marks, state == "mute", source, datetime.date.fromisoformat(day))

    def _unusable(self, how: str) -> JournalError:
        return JournalError(
            f"The journal {self._path.name} {how}.",
            "Without it nobody can tell whether the database is an old backup, so no invitation leaves.",
            "Put the file named by OPTOUT_JOURNAL back; if it is new or lost for good, run 'flask optout replay "
            "--new'.",
        )


def _read_last_line(file: BinaryIO) -> tuple[bytes, int]:
    """Return the last whole line and the position after it, ignoring a line that is just being written."""
    start = max(0, file.seek(0, os.SEEK_END) - TAIL)
    file.seek(start)
    whole = file.read().rpartition(b"\n")[0] + b"\n"
    return whole[whole.rfind(b"\n", 0, -1) + 1 :], start + len(whole)


def select_numbers(meta: sa.Table) -> sa.Select[Any]:
    """Select, as one string, the last number assigned and that of the newest line known to be in the journal."""
    return sa.select(meta.c.value).where(meta.c.name == NUMBER)


def advance_number(connection: sa.Connection, meta: sa.Table, newest: int) -> int:
    """Store in the database the number of the line that is about to be written, and return it.

    It is greater than every number before, including that of a line that a killed process did not write.
    """
    stored = connection.scalar(select_numbers(meta))
    check_database(stored, newest)
    check_journal(stored, newest)
    number = parse_numbers(stored)[0] + 1
    connection.execute(meta.update().where(meta.c.name == NUMBER).values(value=f"{number} {newest}"))
    return number


def check_database(stored: str | None, newest: int) -> None:
    """Raise JournalError when the database is older than the journal."""
    if parse_numbers(stored)[0] < newest:
        raise JournalError(
            "The database is older than the journal.",
            "A backup was restored, and people who opted out since then would be invited.",
            "Run 'flask optout replay', which puts their mutes back.",
        )


def check_journal(stored: str | None, newest: int) -> None:
    """Raise JournalError when the journal is older than the database.

    :param stored: must be read before ``newest``, as a line may be written in between.
    """
    if newest < parse_numbers(stored)[1]:
        raise JournalError(
            "The journal lacks choices that the database holds.",
            "An old copy of it was put back, or another machine writes another file; a restored backup of the "
            "database could then lose what candidates said.",
            "Put the newest copy back, and have every process use the same file. If there is none, run 'flask optout "
            "replay', move the file away, and run 'flask optout replay --new'.",
        )


def parse_numbers(stored: str | None) -> tuple[int, int]:
    """Parse the result of :func:`select_numbers`, which is ``None`` in a database from before the journal."""
    number, known = (stored or "-1 0").split()
    return int(number), int(known)


@dataclass(frozen=True)
class Recovery:
    """Makes database and journal agree again; each method may be killed at any time and run again."""

    store: Store
    tables: ChoiceTables
    journal: Journal

    def replay(self, progress: Progress) -> None:
        """Restore each mute that the database lacks.

        It un-mutes nobody: people who undid a mute after the backup was made are muted again, and can undo it again.
        Progress counts all people in the journal, so that it does not reveal how many are muted.
        """
        newest, highest = {}, self.journal.newest_number()
        for entry in self.journal.read_entries():
            newest[Mark(entry.scope, entry.digest)] = entry
            highest = max(highest, entry.number)
            progress(entry.number / max(highest, 1) / 2)
        people = list(newest.values())
        for start in range(0, len(people), BATCH):
            self.store.write(partial(self._mute, people=people[start : start + BATCH]))
            progress((1 + start / len(people)) / 2)
        check_journal(self._read_numbers(), highest)
        self._store_numbers()

    def begin(self, progress: Progress) -> None:
        """Create a journal of the choices in the database; there must be no journal yet."""
        # Numbered after the previous journal's lines, so that a backup from its time is older than this journal.
        self.journal.begin(self._read_choices(parse_numbers(self._read_numbers())[0] + 1, progress))
        self._store_numbers()

    def _mute(self, connection: sa.Connection, people: list[JournalEntry]) -> None:
        mutes = (entry._asdict() for entry in people if entry.muted)
        # Detached from its import, as the candidate may have confirmed it since.
        rows = [{name: row[name] for name in row if name != "number"} | {"batch": None} for row in mutes]
        upsert(connection, self.tables.choice, *rows)

    def _read_numbers(self) -> str | None:
        known: str | None = self.store.read(lambda connection: connection.scalar(select_numbers(self.tables.meta)))
        return known

    def _store_numbers(self) -> None:
        with self.journal.writing():
            newest = self.journal.newest_number()
            row = {"name": NUMBER, "value": f"{max(parse_numbers(self._read_numbers())[0], newest)} {newest}"}
            self.store.write(lambda connection: upsert(connection, self.tables.meta, row))

    def _read_choices(self, number: int, progress: Progress) -> Iterator[JournalEntry]:
        count = sa.select(sa.func.count()).select_from(self.tables.choice)
        held, read = self.store.read(lambda connection: connection.scalar(count) or 0), 0
        after = Mark(KEY_SCOPE, b"\xff" * 16)  # after the row of the data key
        while rows := self.store.read(partial(self._read_page, after=after)):
            yield from (JournalEntry(number, *row) for row in rows)
            read += len(rows)
            progress(read / max(held, read))
            after = Mark(rows[-1].scope, rows[-1].digest)

    def _read_page(self, connection: sa.Connection, after: Mark) -> Sequence[Any]:
        choice = self.tables.choice.c
        query = sa.select(*(choice[name] for name in JournalEntry._fields[1:]))
        query = query.where(sa.tuple_(choice.scope, choice.digest) > tuple(after))
        query = query.order_by(choice.scope, choice.digest).limit(BATCH)
        return connection.execute(query).all()
