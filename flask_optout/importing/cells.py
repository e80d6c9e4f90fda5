"""The addresses in one cell of a list."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from ..addresses import Address, parse
from ..errors import AddressError

#: What a cell may hold unseen: soft hyphen, zero-width space, word joiner, byte order mark, marks of direction.
UNSEEN = dict.fromkeys([0xAD, 0x200B, 0x2060, 0xFEFF, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
#: Stands for an octet that the encoding of the file does not know.
UNDECODED = "\N{REPLACEMENT CHARACTER}"
SEPARATORS = re.compile(r"[,;|\s]+")
LOOKS_LIKE_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@.,]")


def addresses_in(cell: str) -> list[Address]:
    """The addresses in a cell: mostly one, or several with nothing but separators between them.

    Blanks, also invisible ones, a ``mailto:`` (RFC 6068) and angle brackets around an address are left out.

    :raises AddressError: when it holds anything else.
    """
    if not cell.isascii():
        if UNDECODED in cell:
            raise _unclear("The address has a character that is not in the encoding of the file.")
        cell = cell.translate(UNSEEN)
    cell = cell.strip()
    if cell[:7].lower() == "mailto:":
        cell = unquote(urlsplit(cell).path)
    try:
        return [parse(cell)]
    except AddressError:
        parts = [part for part in SEPARATORS.split(cell) if part]
        if len(parts) < 2 or not all("@" in part for part in parts):
            raise
    return [parse(part) for part in parts]


def looks_like_address(cell: str) -> bool:
    """Whether a cell of an unknown column may hold an address."""
    return LOOKS_LIKE_ADDRESS.search(cell) is not None


def _unclear(what: str) -> AddressError:
    return AddressError(
        what,
        "Another person could be muted in place of the one who opted out.",
        "Name the encoding with --encoding, such as --encoding cp1252.",
    )
