"""Read a list of another system, one row at a time and in bounded memory."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import BinaryIO, NamedTuple

from ..addresses import Address
from ..errors import AddressError, ListError, OpportunityError
from ..links.tokens import checked_opportunity
from .cells import addresses_in, looks_like_address
from .columns import Columns, Meaning, columns_of

DELIMITERS = ",;\t|"
#: Characters in one line; what is longer is no line of a list of people.
LONGEST_LINE = 65_536
#: Lines that one quoted field may span before its quote counts as unclosed.
MOST_LINES = 50
#: The row that stands for a line that is too long.
TOO_LONG = ["\N{REPLACEMENT CHARACTER}"]
#: Rows by which the columns are understood.
SAMPLE = 200
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
#: The first line with which Excel is told the delimiter.
SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
#: What a file is: people all of whom opted out, or an export whose columns say who did.
LIST, EXPORT = "list", "export"
FORMATS = (LIST, EXPORT)


class Entry(NamedTuple):
    """One row that counts: who wants no invitation to what; several people where its cell has several addresses."""

    addresses: list[Address]
    opportunity: str


class Skipped(NamedTuple):
    """One row that does not count, by the number of its first line; the reason quotes nothing of the row.

    ``bad``: whether it could not be used, and not just is no opt-out.
    """

    line: int
    reason: str
    bad: bool


class MuteList:
    """A list of people who opted out, read lazily.

    :param file: at its beginning.
    :param opportunity: for a list without a column of that name.
    :param format: one of ``FORMATS``; ``None`` to tell by its columns.
    :param encoding: ``None`` for UTF-8, or UTF-16 where it begins so. Octets that it does not know do not matter
        outside addresses.
    :param column: the name or the number of the address column.
    :raises ListError: when it cannot be told which column holds the address, or when an opportunity is missing.
    """

    def __init__(
        self,
        file: BinaryIO,
        opportunity: str | None = None,
        format: str | None = None,
        encoding: str | None = None,
        column: str | None = None,
    ) -> None:
        self._lines = _Lines(_decoded(file, encoding))
        head = next(self._lines, "")
        if sep := SEP.fullmatch(head):
            self._lines.begin_row()
            head = next(self._lines, "")
        self._lines.give_back()
        self._delimiter = sep[1] if sep else max(DELIMITERS, key=head.count)
        self._reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)
        self.names: Sequence[str] = []
        first = next(self._rows(), (0, []))
        if any(map(looks_like_address, first[1])):  # a row like the others
            self._sample = [first, *islice(self._rows(), SAMPLE)]
            self.names = [""] * max(len(cells) for _, cells in self._sample)
        else:
            self.names = first[1]
            self._sample = [*islice(self._rows(), SAMPLE)]
        columns = columns_of(self.names, [self._fitted(cells) for _, cells in self._sample], column)
        if columns is None:
            raise _unclear("It cannot be told which column holds the address, or the opportunity.", "--column email")
        self.columns: Columns = columns
        self._opportunity = opportunity
        if opportunity is None and columns.opportunity is None:
            raise _unclear("The list has no column for the opportunity.", "--opportunity beta-42")
        if opportunity is not None and columns.opportunity is not None:
            raise ListError(
                "The list has a column for the opportunity, and one was given as well.",
                "Each row must say who wants no invitation to what.",
                "Leave out --opportunity, or rename that column.",
            )
        #: Whether the columns say who opted out; without that, each row counts.
        self.decided: bool = format == EXPORT or (format is None and columns.known)
        if format == EXPORT and not columns.known:
            raise _unclear("No column says who opted out.", "--format list")

    def __iter__(self) -> Iterator[Entry | Skipped]:
        for number, cells in self._sample:
            yield self._row(number, cells)
        for number, cells in self._rows():
            yield self._row(number, cells)

    def _row(self, number: int, cells: list[str]) -> Entry | Skipped:
        if cells == TOO_LONG:
            return Skipped(number, "The line is too long", True)
        cells = self._fitted(cells)
        if self.decided:
            meaning = self.columns.meaning(cells)
            if meaning is not Meaning.OPTED_OUT:
                return Skipped(number, meaning, meaning is Meaning.UNCLEAR)
        about = self._opportunity
        try:
            if about is None:
                assert self.columns.opportunity is not None
                about = cells[self.columns.opportunity].strip()
            return Entry(addresses_in(cells[self.columns.address]), checked_opportunity(about))
        except (AddressError, OpportunityError) as error:
            return Skipped(number, error.what.rstrip("."), True)

    def _fitted(self, cells: list[str]) -> list[str]:
        """A row without its surplus cells, and with blanks for those that it lacks."""
        missing = len(self.names) - len(cells)
        return cells if missing <= 0 else cells + [""] * missing

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows that are not blank, by the number of their first line."""
        while True:
            self._lines.begin_row()
            try:
                cells = next(self._reader)
                if len(self._lines.taken) > 1 and self.names and len(cells) != len(self.names):
                    raise csv.Error
            except StopIteration:
                return
            except csv.Error:
                # A stray or unclosed quote: this line is a row as far as it can be read, and so are those behind it.
                self._lines.give_back(1)
                cells = next(csv.reader(self._lines.taken, delimiter=self._delimiter), [])
            if any(cells):
                yield self._lines.first, cells


class _Lines:
    """The lines of a text for a CSV reader; lines that it took for one row can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._ahead: deque[str] = deque()
        self._number = 0
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MOST_LINES:
            raise csv.Error
        line = self._ahead.popleft() if self._ahead else next(self._lines)
        self._number += 1
        self.taken.append(line)
        return line

    def begin_row(self) -> None:
        self.taken = []

    @property
    def first(self) -> int:
        """The number of the first line that was taken for this row."""
        return self._number - len(self.taken) + 1

    def give_back(self, keep: int = 0) -> None:
        """Give back what was taken for this row but for its first lines."""
        self._ahead.extendleft(reversed(self.taken[keep:]))
        self._number -= len(self.taken[keep:])
        del self.taken[keep:]


def _decoded(file: BinaryIO, encoding: str | None) -> Iterator[str]:
    """The lines of a file, which stays open; in place of one that is too long, what stands for it."""
    start = file.read(4)
    file.seek(0)
    if encoding is None:
        encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if start.startswith(mark)), None)
    if encoding is None:  # UTF-8, or UTF-16 without a mark
        zeros = start[:1] == b"\0", start[1:2] == b"\0"
        encoding = {(False, True): "utf-16-le", (True, False): "utf-16-be"}.get(zeros, "utf-8")
    text = io.TextIOWrapper(file, encoding, "replace", newline=None)
    try:
        whole = True
        while line := text.readline(LONGEST_LINE):
            ends = line.endswith("\n")
            if whole:
                yield line if ends or len(line) < LONGEST_LINE else f"{TOO_LONG[0]}\n"
            whole = ends
    finally:
        text.detach()


def _unclear(what: str, option: str) -> ListError:
    return ListError(
        what,
        "Each row must say who wants no invitation to what, and a wrong guess would mute other people.",
        f"Begin the list with a line such as 'email,opportunity', or add an option such as {option}.",
    )
