"""Read a list of another system, one row at a time and in bounded memory."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote

from ..addresses import Address, parse
from ..errors import AddressError, ListError, OpportunityError
from ..links.tokens import check_opportunity
from .columns import (
    ADDRESS,
    BEST,
    OPT_OUTS,
    UNDECODED,
    Columns,
    Meaning,
    check,
    rank,
    understand,
    unknown,
)

DELIMITERS = ",;\t|"
#: Most characters of a line; a longer one is no line of a list of people.
LONGEST_LINE = 65_536
#: Most characters read of a column's name.
LONGEST_NAME = 500
#: Lines that one quoted field may span before its quote counts as unclosed.
MOST_LINES = 50
#: Rows from which the meaning of columns is found, and lines among which their names are.
SAMPLE, HEAD = 200, 20
#: A first line that tells Excel the delimiter.
SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
#: A list, in which each row is an opt-out, or an export, whose columns say which row is one.
FORMATS = LIST, EXPORT = "list", "export"
#: Invisible characters of cells: soft hyphen, zero-width space, word joiner, byte order mark, direction marks.
UNSEEN = [0xAD, 0x61C, 0x180E, 0x200B, 0x2060, 0xFEFF, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
#: Replacements of characters in cells: of the invisible ones, and of the @ of Chinese and Japanese keyboards.
SEEN: dict[int, str | None] = {**dict.fromkeys(UNSEEN), 0xFF20: "@", 0xFE6B: "@"}
#: What cannot begin or end an address: joiners, bullets, quotes, symbols. The marks of some scripts may end one.
START, END = re.compile(r"[^\w\x00-\x7f]*"), "\u200c\u200d’”»›…"
MAILTO = re.compile(r"<?mailto:(?://)?([^?>]*).*", re.IGNORECASE | re.DOTALL)
QUOTED = re.compile('"[^"]*"')
#: The first bytes of archives (.xlsx is one), older sheets, PDFs, JSON, RTF, HTML, XML, vCards and LDIF.
NO_LIST = re.compile(
    rb"PK\x03\x04|\x1f\x8b\x08[\x00\x08]|\xd0\xcf\x11\xe0|%PDF|"
    rb"(?:\xef\xbb\xbf)?\s*(?:[{[]\s*[\"{[\\]|<[!?a-z][^@\n]*\n|begin:|dn:)",
    re.IGNORECASE,
)
SEPARATORS = re.compile(r"[,;|\s]+")


class MuteRow(NamedTuple):
    """A row that counts: who wants no invitation to what; several people if its cell has several addresses."""

    addresses: list[Address]
    opportunity: str


class Skipped(NamedTuple):
    """A row that does not count: the number of its first line, and the reason, which quotes nothing of the row."""

    line: int
    reason: str


#: The reasons of rows that are understood, and just no opt-outs.
NO_OPT_OUTS = {Meaning.BOUNCE, Meaning.NO_OPT_OUT, Meaning.OPPOSITE, Meaning.OTHER_WAY}


class MuteList:
    """A list of people who opted out, read lazily from its beginning.

    :param opportunity: that of each row, for a list without a column for it.
    :param format: one of ``FORMATS``; ``None`` to tell by the columns.
    :param encoding: ``None`` for UTF-8, or for UTF-16 if the file begins with its byte order mark.
    :param column: the name or the number of the address column.
    :raises ListError: when it cannot be told what its columns mean.
    """

    def __init__(
        self,
        file: BinaryIO,
        opportunity: str | None = None,
        format: str | None = None,
        encoding: str | None = None,
        column: str | None = None,
    ) -> None:
        self.opportunity = opportunity
        self._lines, self._ahead, self._number = _decode_lines(file, encoding), deque[str](), 0
        self.names: Sequence[str] = []
        self._sample = self._begin()
        self.columns: Columns = understand(self.names, [cells for _, cells in self._sample], column)
        check(self.columns, opportunity, format)
        #: Whether the columns say who opted out; otherwise each row counts.
        self.decided: bool = format != LIST and bool(self.columns.deciding)
        self._guessed = format is None and not self.decided
        counting = {self.columns.address, *(place for place, _ in self.columns.deciding)}
        #: Whether another column comes before one that counts.
        self._movable = self.decided and max(counting) >= len(counting)

    def _begin(self) -> list[tuple[int, list[str]]]:
        """Read the delimiter, the names of the columns and the first rows; return these rows."""
        head = [line.lstrip("\ufeff") for line in islice(iter(self._read_line, None), HEAD)]
        sep = SEP.fullmatch(head[0]) if head else None
        rows = [_split_cells(line, sep[1] if sep else _find_delimiter([line])) for line in head]
        start = _find_start(rows)
        self._give_back(head[start:])
        self._delimiter = sep[1] if sep else _find_delimiter([line for line in head[start:] if line.strip()])
        above = range(1 if sep else 0, start)
        self._above = [Skipped(n + 1, "It stands above the names of the columns") for n in above if any(rows[n])]
        first = next(self._read_rows(), (0, []))
        self.names = [name[:LONGEST_NAME] for name in first[1]]
        sample = [*islice(self._read_rows(), SAMPLE)]
        if any(map(ADDRESS.search, first[1])):  # a row like the others
            sample = [first, *sample]
            width = max(len(cells) for _, cells in sample)
            self.names = [""] * width
            sample = [(number, cells + [""] * (width - len(cells))) for number, cells in sample]
        return sample

    def __iter__(self) -> Iterator[MuteRow | Skipped]:
        yield from self._above
        for number, cells in chain(self._sample, self._read_rows()):
            yield self._read_row(number, cells)

    def _read_row(self, number: int, cells: list[str]) -> MuteRow | Skipped:
        if cells[0] == UNDECODED and not any(cells[1:]):
            return Skipped(number, "The line is too long")
        if "@" not in cells[self.columns.address] and rank(cells[self.columns.address]) == BEST:
            raise ListError(
                f"Line {number} names columns anew, as if a second list began there.",
                "Its columns may mean something else than those of the first.",
                "Import each list by itself.",
            )
        if self._is_torn(cells):
            return Skipped(number, Meaning.UNCLEAR)
        if self.decided:
            if (meaning := self.columns.interpret(cells)) not in OPT_OUTS:
                return Skipped(number, meaning)
        elif self._guessed and (late := self.columns.late(self.names, cells)) is not None:
            raise unknown(late)
        place = self.columns.opportunity
        about = self.opportunity if place is None else cells[place].strip()
        if UNDECODED in f"{cells[self.columns.address]}{about}":
            return Skipped(number, "It has a character that is not in the encoding of the file; see --encoding")
        if "**" in cells[self.columns.address]:
            return Skipped(number, "The address is masked")
        try:
            return MuteRow(find_addresses(cells[self.columns.address]), check_opportunity(about))
        except (AddressError, OpportunityError) as error:
            return Skipped(number, error.what.rstrip("."))

    def _is_torn(self, cells: list[str]) -> bool:
        """Return whether a delimiter in a cell, or one unlike the header's, has shifted the cells that count."""
        surplus, address = [*filter(str.strip, cells[len(self.names) :])], cells[self.columns.address]
        if surplus and (self._movable or any(map(ADDRESS.search, surplus))):
            return True
        return self.decided and not set(DELIMITERS).isdisjoint(address) and not _is_address(address)

    def _read_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows that are not blank, filled up with blank cells, each with the number of its first line."""
        while (line := self._read_line()) is not None:
            number = self._number
            cells = self._read_quoted(line) if '"' in line else line.rstrip("\n").split(self._delimiter)
            if any(cells):
                yield number, cells + [""] * (len(self.names) - len(cells))

    def _read_quoted(self, line: str) -> list[str]:
        """Return the row that begins with this line; with a stray or unclosed quote, it ends with the line."""
        taken = [line]

        def lines() -> Iterator[str]:
            yield line
            while len(taken) < MOST_LINES and (more := self._read_line()) is not None:
                taken.append(more)
                yield more

        try:
            cells = next(csv.reader(lines(), delimiter=self._delimiter, skipinitialspace=True, strict=True))
            if len(taken) == 1 or not self.names or len(cells) == len(self.names):
                return cells
        except csv.Error:
            pass
        self._give_back(taken[1:])
        return _split_cells(line, self._delimiter)

    def _read_line(self) -> str | None:
        line = self._ahead.popleft() if self._ahead else next(self._lines, None)
        self._number += line is not None
        return line

    def _give_back(self, lines: Sequence[str]) -> None:
        self._ahead.extendleft(reversed(lines))
        self._number -= len(lines)


def _split_cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _find_delimiter(lines: Sequence[str]) -> str:
    """Return the commonest delimiter outside quotes in the first line, preferably one of the second as well."""
    counts = {each: [QUOTED.sub("", line).count(each) for line in lines[:2]] for each in DELIMITERS}
    return max(counts, key=lambda each: (min(counts[each], default=0), counts[each]))


def _find_start(rows: Sequence[Sequence[str]]) -> int:
    """Return which line names the columns: the first, if none does. No address may come before it."""
    start, best = 0, (0, 0)
    for place, cells in enumerate(rows):
        if any(map(_is_address, filter(None, cells))):
            break
        worth = max(map(rank, cells), default=0), sum(map(bool, cells))
        if worth > best and not any(map(ADDRESS.search, cells)):
            start, best = place, worth
    return start


def _is_address(cell: str) -> bool:
    with suppress(AddressError):
        return bool(find_addresses(cell))
    return False


def find_addresses(cell: str) -> list[Address]:
    """Return the addresses in a cell: mostly one, or several with nothing but separators between them.

    :raises AddressError: when it holds anything besides these, a ``mailto:`` (RFC 6068), and what Excel adds.
    """
    if not cell.isascii():
        cell = START.sub("", cell.translate(SEEN), count=1).rstrip().rstrip(END)
    cell = cell.strip().strip("'")
    if link := MAILTO.fullmatch(cell):
        cell = unquote(link[1])
    try:
        return [parse(cell)]
    except AddressError:
        parts = [part for part in SEPARATORS.split(cell) if part]
        if not parts or not all("@" in part for part in parts):
            raise
    return [parse(part) for part in parts]


def _mark_undecoded(error: UnicodeError) -> tuple[str, int]:
    """Mark what is not in a file's encoding, and decode it as Windows-1252, as column names mostly are."""
    assert isinstance(error, UnicodeDecodeError)
    return UNDECODED + error.object[error.start : error.end].decode("cp1252", "replace"), error.end


MARKED = "optout-marked"
codecs.register_error(MARKED, _mark_undecoded)


def _decode_lines(file: BinaryIO, encoding: str | None) -> Iterator[str]:
    """Yield the lines of a file, which stays open; ``UNDECODED`` in place of one that is too long."""
    file.seek(0)
    start, is_text = file.read(1_000), True
    file.seek(0)
    if encoding is None:
        encoding = "utf-16" if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
        is_text = (b"\0\0" if encoding == "utf-16" else b"\0") not in start[:4]
    if not is_text or NO_LIST.match(start):
        raise ListError(
            "The file is no list, but a sheet, an archive, JSON or the like, or its encoding is not named.",
            "Only the rows of a text can be read.",
            "Save it as CSV, unpack it, or name its encoding, such as --encoding utf-16-le.",
        )
    text, whole = io.TextIOWrapper(file, encoding, MARKED, newline=None), True
    try:
        while line := text.readline(LONGEST_LINE):
            ends = line.endswith("\n")
            if whole:
                yield line if ends or len(line) < LONGEST_LINE else f"{UNDECODED}\n"
            whole = ends
    finally:
        with suppress(ValueError):  # when it was closed before its end, as by Ctrl-C
            text.detach()
