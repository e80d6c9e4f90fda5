"""TXT records of SPF, DKIM and DMARC: what is wrong with how they are written, and what to paste."""

from __future__ import annotations

import re
from collections.abc import Callable

from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.TXT import TXT

#: How a record is spoilt while it is typed into a form: a word for it, where it shows, and how it is put right.
FLAWS: tuple[tuple[str, str, str | Callable[[re.Match[str]], str]], ...] = (
    ("quotes", r'["“”]', ""),
    ("backslash", r"\\;", ";"),
    ("blanks-around", r"^\s+|\s+$", ""),
    ("letters", r"(?i)^v=(dmarc1|dkim1)", lambda found: f"v={found[1].upper()}"),
    ("blank", r"(?i)^v=spf1(?=[a-z?~+-])", "v=spf1 "),
    ("semicolon", r"^(v=D\w+1)[\s,]+(?=\w+=)", r"\1; "),
)


def flawed(text: str, version: str, is_right: Callable[[str], bool]) -> tuple[list[str], str] | None:
    """What is wrong with how a record is written, and the record without it, or empty where nothing mends it.

    ``None`` when it is no record of that version, however badly written, or one without a flaw.
    """
    if version.lower() not in text[:20].lower() or is_right(text):
        return None
    said: list[str] = []
    for flaw, pattern, right in FLAWS:
        mended = re.sub(pattern, right, text)
        if mended != text:
            said.append(flaw)
            text = mended
        if said and is_right(text):
            return said, text
    return ["unreadable"], ""


def paste_of(name: str, text: str, is_right: Callable[[str], bool]) -> str:
    """The line of a zone file for a TXT record, in strings of at most 255 octets.

    :param is_right: what reads such records: what it does not take is not offered, so the line is empty.
    """
    octets = text.encode()
    strings = [octets[at : at + 255] for at in range(0, len(octets), 255)]
    return f"{name}. IN TXT {TXT(RdataClass.IN, RdataType.TXT, strings).to_text()}" if is_right(text) else ""
