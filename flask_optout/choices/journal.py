"""A journal of choices outside the database, so that a restored old backup is noticed and nobody's mute is lost.

One line for each choice, pseudonyms only, each with a keyed checksum. A choice is journaled when it is committed and
before anybody is told, so the journal is never ahead of the database that it belongs to.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from ..errors import JournalError, StoreUnavailable
from ..links.keys import DataKey

#: Octets after which a new file begins; the old ones stay, as they hold what a backup may lack.
LONGEST_FILE = 64 * 1024 * 1024
HEADER = "flask-optout-journal"
FORMAT = "1"
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


class Journal:
    """The journal of one app.

    :param path: the file that is written; older ones stand beside it with a number behind the name.
    """

    def __init__(self, path: Path, key: DataKey) -> None:
        self._path = path
        self._key = key.derive("journal")
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] = (0, 0, 0)

    def number(self) -> int:
        """The number of the newest line; reads only what was added since the last call.

        :raises JournalError: when the journal is missing or damaged.
        """
        with self._lock:
            inode, offset, highest = self._seen
            try:
                with self._path.open("rb") as file:
                    status = os.fstat(file.fileno())
                    if (status.st_ino, status.st_size) == (inode, offset):
                        return highest
                    if status.st_ino != inode or status.st_size < offset:
                        offset = highest = 0
                    file.seek(offset)
                    # A line without its end is being written just now.
                    data = file.read(status.st_size - offset).rpartition(b"\n")[0]
            except FileNotFoundError:
                raise _damaged(f"The journal {self._path.name} is missing.") from None
            except OSError as error:
                raise _damaged(f"The journal {self._path.name} cannot be read ({error.strerror}).") from None
            lines = data.splitlines()
            highest = max([highest, *(self._number_of(line) for line in lines)])
            self._seen = (status.st_ino, offset + len(data) + bool(data), highest)
            return highest

    @contextmanager
    def writing(self) -> Iterator[Pen]:
        """Keep other writers out; the pen it gives appends.

        :raises StoreUnavailable: when the journal cannot be written.
        :raises JournalError: when it is missing.
        """
        if not self._path.exists():
            raise _damaged(f"The journal {self._path.name} is missing.")
        with self._locked():
            yield Pen(self, self._path)

    def entries(self) -> Iterator[Entry]:
        """What was journaled, oldest first.

        :raises JournalError: when a line is damaged; names the file and the line.
        """
        for path in [*self._older(), self._path]:
            try:
                lines = path.read_bytes().splitlines(keepends=True)
            except OSError:
                raise _damaged(f"The journal {path.name} is missing or cannot be read.") from None
            for number, line in enumerate(lines, 1):
                if line.endswith(b"\n"):  # else it was never finished, and nobody was told
                    fields = self._fields(line.rstrip(b"\n"), f"{path.name}, line {number}")
                    if fields[0] != HEADER:
                        yield _entry(fields)

    def begin(self, entries: Iterable[Entry]) -> None:
        """Make a new journal that holds ``entries``.

        :raises JournalError: when there is one already.
        :raises StoreUnavailable: when it cannot be written.
        """
        if self._path.exists():
            raise JournalError(
                f"The journal {self._path.name} is there already.",
                "A new one would forget what the old one holds.",
                "Run 'flask optout replay' without --new; only if the file is damaged beyond repair, move it away.",
            )
        with self._locked():
            Pen(self, self._path).begin(0)
            Pen(self, self._path).append(entries)

    def line(self, *fields: object) -> bytes:
        text = " ".join(str(field) for field in fields)
        return f"{text} {self._checksum(text)}\n".encode()

    def numbered(self) -> Path:
        """Where the file goes when the next one begins."""
        return self._path.with_name(f"{self._path.name}.{len(self._older()) + 1:06}")

    def _older(self) -> list[Path]:
        return sorted(self._path.parent.glob(f"{self._path.name}.[0-9][0-9][0-9][0-9][0-9][0-9]"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl  # there is none on Windows, where no journal is asked for

        deadline = time.monotonic() + TIMEOUT
        try:
            with self._path.with_name(f"{self._path.name}.lock").open("ab") as lock:
                while True:
                    with contextlib.suppress(BlockingIOError):
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    if time.monotonic() > deadline:
                        raise unwritable(self._path, "another process keeps it")
                    time.sleep(0.002)
                yield
        except OSError as error:
            raise unwritable(self._path, error.strerror or type(error).__name__) from None

    def _number_of(self, line: bytes) -> int:
        return int(self._fields(line, self._path.name)[2 if line.startswith(HEADER.encode()) else 0])

    def _fields(self, line: bytes, where: str) -> list[str]:
        text, _, checksum = line.decode("ascii", "replace").rpartition(" ")
        fields = text.split(" ")
        if checksum != self._checksum(text) or fields[:2] == [HEADER, FORMAT] and len(fields) != 3:
            raise _damaged(f"The journal is damaged ({where}).")
        return fields

    def _checksum(self, text: str) -> str:
        return hashlib.blake2b(text.encode(), digest_size=8, key=self._key, person=b"optout.journal").hexdigest()


class Pen:
    """Appends to the journal while its writer keeps others out."""

    def __init__(self, journal: Journal, path: Path) -> None:
        self._journal = journal
        self._path = path

    def append(self, entries: Iterable[Entry]) -> None:
        """Append entries; when this returns, they are on the disk."""
        lines = [
            self._journal.line(
                entry.number,
                entry.scope.hex(),
                entry.digest.hex(),
                "mute" if entry.muted else "undo",
                entry.source,
                entry.day,
            )
            for entry in entries
        ]
        with self._path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            if file.read(1) != b"\n":  # what a killed process began was told to nobody
                end = self._path.read_bytes().rfind(b"\n") + 1
                file.truncate(end)
            file.seek(end)
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
            full = file.tell() > LONGEST_FILE
        if full:
            os.link(self._path, self._journal.numbered())
            self.begin(self._journal.number())

    def begin(self, highest: int) -> None:
        """Begin a file; its first line says how far the files before it go."""
        new = self._path.with_name(f"{self._path.name}.new")
        with new.open("wb") as file:
            file.write(self._journal.line(HEADER, FORMAT, highest))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _entry(fields: list[str]) -> Entry:
    number, scope, digest, state, source, day = fields
    return Entry(
        int(number),
        bytes.fromhex(scope),
        bytes.fromhex(digest),
        state == "mute",
        source,
        datetime.date.fromisoformat(day),
    )


def unwritable(path: Path, reason: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"The journal {path.name} could not be written ({reason}).",
        "A choice that is not journaled could be lost with the database, so nobody is told that it was recorded.",
        "Make the file named by OPTOUT_JOURNAL and its folder writable for the app, and try again.",
    )


def _damaged(what: str) -> JournalError:
    return JournalError(
        what,
        "Without it nobody can tell whether the database is an old backup, so no invitation leaves.",
        "Put the file named by OPTOUT_JOURNAL back; if it is new or lost for good, run 'flask optout replay --new'.",
    )


def journaled(meta: sa.Table) -> sa.ScalarSelect[str]:
    """The number of the newest line that the database knows, as text; NULL where it knows none."""
    return sa.select(meta.c.value).where(meta.c.name == NUMBER).scalar_subquery()


def advance(connection: sa.Connection, meta: sa.Table, newest: int) -> int:
    """Note in the database the number of the line that is about to be written, and give it.

    It is greater than every number before, also than that of a line which a killed process did not write.

    :param newest: the number of the journal's newest line.
    :raises JournalError: when the database does not know that line.
    """
    stored = connection.scalar(sa.select(meta.c.value).where(meta.c.name == NUMBER))
    check_number(stored, newest)
    number = int(stored or 0) + 1
    connection.execute(meta.update().where(meta.c.name == NUMBER).values(value=str(number)))
    return number


def check_number(stored: str | None, newest: int) -> None:
    """Compare the number that the database knows with that of the journal's newest line.

    :raises JournalError: when the database is older than the journal.
    """
    if stored is None or int(stored) < newest:
        raise _behind()


def _behind() -> JournalError:
    return JournalError(
        "The database is older than the journal.",
        "A backup was restored, and people who opted out since then would be invited.",
        "Run 'flask optout replay', which puts their mutes back.",
    )
