"""Add mutes from another system's list: CSV in, mutes out, one line at a time; nothing else comes of it."""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from ..addresses import Address, parse
from ..errors import AddressError, ListError, OpportunityError
from ..links.tokens import checked_opportunity
from .exports import PLAIN, recognised

ADDRESS_COLUMNS = ("email", "address", "e-mail", "email address", "emailaddress")
OPPORTUNITY_COLUMN = "opportunity"
DELIMITERS = ",;\t"
#: Octets in one line; what is longer is no line of a list of people.
LONGEST_LINE = 65_536
#: Lines that one quoted field may span before its quote counts as unclosed.
MOST_LINES = 50
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Entry(NamedTuple):
    """One good row: who wants no invitation to what."""

    address: Address
    opportunity: str


@dataclass(frozen=True)
class Refusal:
    """One row that cannot be used, by the number of its first line; it quotes nothing of the row."""

    line: int
    reason: str


class Skipped(NamedTuple):
    """One row that is no opt-out, and what it is instead."""

    reason: str


class MuteList:
    """A list of mutes, read lazily and in bounded memory.

    :param opportunity: for a list without a column of that name.
    :param format: what kind of file it is, by its name in ``exports.py``; ``None`` to tell by its columns.
    :raises ListError: when its first line is no header that names an address column, when an opportunity is missing,
        or when its columns are not those of the format.
    """

    def __init__(self, file: BinaryIO, opportunity: str | None = None, format: str | None = None) -> None:
        self.position = 0
        self._lines = self._decoded(file)
        self._ahead: deque[tuple[int, str | None]] = deque()
        self._opportunity = opportunity
        header = self._line()
        if header is None or not header[1]:
            raise _bad_header("The list is empty, or its first line cannot be read.")
        self._delimiter = max(DELIMITERS, key=header[1].count)
        names = [name.strip().lower() for name in self._parsed(header[1]) or []]
        self._width = len(names)
        self._address_at = _only(names, ADDRESS_COLUMNS, "an address")
        if opportunity is None:
            self._opportunity_at = _only(names, (OPPORTUNITY_COLUMN,), "an opportunity")
        elif OPPORTUNITY_COLUMN in names:
            raise _bad_header("The list has a column for the opportunity, and an opportunity was given as well.")
        # What names opportunities was made for an import, whatever its other columns are called.
        export = recognised(names, PLAIN.name if OPPORTUNITY_COLUMN in names else format)
        if export is None:
            raise _bad_header(f"The list has not the columns of an export of {format}.")
        self._names, self._excuse = names, export.excuse
        used = {*ADDRESS_COLUMNS, OPPORTUNITY_COLUMN, *export.columns}
        #: Columns that decide nothing here, such as a status: an import only ever adds mutes.
        self.ignored: list[str] = [name for name in names if name not in used]

    def __iter__(self) -> Iterator[Entry | Refusal | Skipped]:
        while (line := self._line()) is not None:
            number, text = line
            if text is None:
                yield Refusal(number, "The line is too long, or not in the encoding of the list.")
            elif text:
                yield self._row(number, text)

    def _row(self, number: int, text: str) -> Entry | Refusal | Skipped:
        fields = self._fields(text)
        if fields is None or len(fields) != self._width:
            return Refusal(number, "The row has another number of columns than the header, or an unclosed quote.")
        excuse = self._excuse(dict(zip(self._names, fields, strict=True)))
        if excuse is not None:
            return Skipped(excuse)
        opportunity = self._opportunity if self._opportunity is not None else fields[self._opportunity_at].strip()
        try:
            return Entry(parse(fields[self._address_at]), checked_opportunity(opportunity))
        except (AddressError, OpportunityError) as error:
            return Refusal(number, error.what)

    def _fields(self, text: str) -> list[str] | None:
        """The fields of a row, which goes on in the following lines while a quote is open."""
        taken: list[tuple[int, str | None]] = []
        while text.count('"') % 2 and len(taken) < MOST_LINES:
            line = self._line()
            if line is None:
                break
            taken.append(line)
            if line[1] is None:
                break
            text += "\n" + line[1]
        fields = self._parsed(text)
        if taken and (fields is None or len(fields) != self._width):
            # The quote was never meant to be closed there: the lines behind it are rows of their own.
            self._ahead.extendleft(reversed(taken))
            return None
        return fields

    def _parsed(self, text: str) -> list[str] | None:
        if text.count('"') % 2:
            return None
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        return rows[0] if len(rows) == 1 else None

    def _line(self) -> tuple[int, str | None] | None:
        return self._ahead.popleft() if self._ahead else next(self._lines, None)

    def _decoded(self, file: BinaryIO) -> Iterator[tuple[int, str | None]]:
        """The number and the text of each line; no text when it is too long or cannot be decoded."""
        buffered = io.BufferedReader(_Counted(file, self))  # type: ignore[type-var]
        start = buffered.peek(4)[:4]
        mark = next((mark for mark in BYTE_ORDER_MARKS if start.startswith(mark)), b"")
        buffered.read(len(mark))
        text = io.TextIOWrapper(buffered, BYTE_ORDER_MARKS.get(mark, "utf-8"), "replace", newline=None)
        number, whole = 0, True
        while line := text.readline(LONGEST_LINE):
            number += whole
            ends = line.endswith("\n")
            if whole:
                good = (ends or len(line) < LONGEST_LINE) and "\N{REPLACEMENT CHARACTER}" not in line
                yield number, line.rstrip("\n") if good else None
            whole = ends


class _Counted(io.RawIOBase):
    """Passes a file through and notes how far it was read, for a progress bar."""

    def __init__(self, file: BinaryIO, list: MuteList) -> None:
        self._file = file
        self._list = list

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._list.position += len(data)
        return len(data)


def _only(names: list[str], wanted: tuple[str, ...], what: str) -> int:
    found = [place for place, name in enumerate(names) if name in wanted]
    if len(found) != 1:
        raise _bad_header(f"The list has {'no' if not found else 'more than one'} column for {what}.")
    return found[0]


def _bad_header(what: str) -> ListError:
    return ListError(
        what,
        "The first line names the columns, and an address and an opportunity say who is muted for what.",
        "Begin the list with a line such as 'email,opportunity', or give the opportunity with --opportunity.",
    )
