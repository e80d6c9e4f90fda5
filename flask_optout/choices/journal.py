"""A journal of choices outside the database, so that a restored old backup is noticed and nobody's mute is lost.

A file of one line for each choice, pseudonyms only, each line with a keyed checksum. A choice is journaled when it is
committed and before anybody is told, so the journal is never ahead of the database that it belongs to.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple

import sqlalchemy as sa

from ..errors import ConfigurationError, JournalError, StoreUnavailable
from ..links.keys import DataKey

#: The first line of a journal: what it is, and the version of its format.
HEADER = "flask-optout-journal 1"
#: Bytes from the end of the file in which its last whole line is found.
TAIL = 4_096
#: Seconds to wait for another process that writes.
TIMEOUT = 5.0
#: The row of optout_meta that holds the number of the newest line that the database knows.
NUMBER = "journal"


class Entry(NamedTuple):
    """A choice as it was committed; those of one transaction have the same number."""

    number: int
    scope: bytes
    digest: bytes
    muted: bool
    source: str
    day: datetime.date


def no_journal() -> ConfigurationError:
    """The error for whoever needs a journal where none is kept."""
    return ConfigurationError(
        "OPTOUT_JOURNAL is not set.",
        "Without a journal there is nothing to replay.",
        "Set OPTOUT_JOURNAL to a file that is backed up apart from the database.",
    )


class Journal:
    """The journal of one app.

    Reading raises JournalError when the file is missing or damaged; writing raises StoreUnavailable when it fails.
    """

    def __init__(self, path: Path, key: Callable[[], DataKey]) -> None:
        self._path = path
        self._data_key = key

    @cached_property
    def _key(self) -> bytes:
        return self._data_key().derive("journal")

    def number(self) -> int:
        """The number of the newest line, 0 in a new journal."""
        with self._opened() as file:
            last, _ = _last_line(file)
        return 0 if last == self._line(HEADER) else self._entry(last).number

    def entries(self) -> Iterator[Entry]:
        """What was journaled, oldest first."""
        with self._opened() as file:
            for line in file:
                if line.endswith(b"\n"):  # else it was never finished, and nobody was told
                    yield self._entry(line)

    @contextmanager
    def writing(self) -> Iterator[Callable[[Iterable[Entry]], None]]:
        """Keep other writers out; gives the function that appends entries, which are on the disk when it returns."""
        import fcntl  # there is none on Windows, where no journal is asked for

        deadline = time.monotonic() + TIMEOUT
        try:
            with self._beside("lock").open("ab") as lock:
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

    def begin(self, entries: Iterable[Entry]) -> None:
        """Make a new journal that holds ``entries``.

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
            with self._beside("new").open("wb") as file:
                file.write(self._line(HEADER))
                self._write(file, entries)
            self._beside("new").replace(self._path)

    def _append(self, entries: Iterable[Entry]) -> None:
        with self._path.open("r+b") as file:
            _, end = _last_line(file)
            file.truncate(end)  # what a killed process began was told to nobody
            file.seek(end)
            self._write(file, entries)

    def _write(self, file: BinaryIO, entries: Iterable[Entry]) -> None:
        for number, scope, digest, muted, source, day in entries:
            state = "mute" if muted else "undo"
            file.write(self._line(f"{number} {scope.hex()} {digest.hex()} {state} {source} {day}"))
        file.flush()
        os.fsync(file.fileno())

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The file behind its header."""
        try:
            with self._path.open("rb") as file:
                if file.readline() != self._line(HEADER):
                    raise self._unusable("is damaged")
                yield file
        except OSError as error:
            raise self._unusable(f"cannot be read ({error.strerror})") from None

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{suffix}")

    def _line(self, text: str) -> bytes:
        checksum = hashlib.blake2b(text.encode(), digest_size=8, key=self._key, person=b"optout.journal")
        return f"{text} {checksum.hexdigest()}\n".encode()

    def _entry(self, line: bytes) -> Entry:
        text = line.decode("ascii", "replace").rpartition(" ")[0]
        if line != self._line(text):
            raise self._unusable("is damaged")
        number, scope, digest, state, source, day = text.split(" ")
        marks = bytes.fromhex(scope), bytes.fromhex(digest)
        return Entry(int(number), *marks, state == "mute", source, datetime.date.fromisoformat(day))

    def _unusable(self, how: str) -> JournalError:
        return JournalError(
            f"The journal {self._path.name} {how}.",
            "Without it nobody can tell whether the database is an old backup, so no invitation leaves.",
            "Put the file named by OPTOUT_JOURNAL back; if it is new or lost for good, run 'flask optout replay "
            "--new'.",
        )


def _last_line(file: BinaryIO) -> tuple[bytes, int]:
    """The last line that is whole, and the position behind it; one that is being written just now is not."""
    start = max(0, file.seek(0, os.SEEK_END) - TAIL)
    file.seek(start)
    whole = file.read().rpartition(b"\n")[0] + b"\n"
    return whole[whole.rfind(b"\n", 0, -1) + 1 :], start + len(whole)


def advance(connection: sa.Connection, meta: sa.Table, newest: int) -> int:
    """Note in the database the number of the line that is about to be written, and give it.

    It is greater than every number before, also than that of a line which a killed process did not write.

    :param newest: the number of the journal's newest line.
    :raises JournalError: when the database does not know that line.
    """
    row = meta.c.name == NUMBER
    stored = connection.scalar(sa.select(meta.c.value).where(row))
    check_number(stored, newest)
    number = int(stored or 0) + 1
    connection.execute(meta.update().where(row).values(value=str(number)))
    return number


def check_number(stored: str | None, newest: int) -> None:
    """Compare the number that the database knows with that of the journal's newest line.

    :raises JournalError: when the database is older than the journal.
    """
    if stored is None or int(stored) < newest:
        raise JournalError(
            "The database is older than the journal.",
            "A backup was restored, and people who opted out since then would be invited.",
            "Run 'flask optout replay', which puts their mutes back.",
        )
