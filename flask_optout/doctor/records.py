"""TXT records of SPF, DKIM and DMARC: what stands in them, what is wrong with how they are written, what to paste."""

from __future__ import annotations

import re
from collections.abc import Callable

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT

#: How a record is spoilt while it is typed into a form: what is said of it, and how it is put right.
FLAWS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("it has quotes in its text", lambda text: text.replace('"', "").replace("“", "").replace("”", "")),
    ("it has a backslash in front of its semicolons", lambda text: text.replace("\\;", ";")),
    ("it has blanks around it", str.strip),
    ("its version is in small or mixed letters", lambda text: _version(text)),
    ("it has no blank behind its version", lambda text: re.sub(r"^v=spf1(?=[A-Za-z?~+-])", "v=spf1 ", text)),
    ("it has no semicolon behind its version", lambda text: re.sub(r"^(v=D\w+1)[\s,]+(?=\w+=)", r"\1; ", text)),
)


def flawed(text: str, version: str, is_right: Callable[[str], bool]) -> tuple[str, str] | None:
    """What is wrong with how a record is written, and the record without it, or empty where nothing mends it.

    ``None`` when it is no record of that version, however badly written.
    """
    if version.lower() not in text[:20].lower():
        return None
    said: list[str] = []
    for flaw, mend in FLAWS:
        mended = mend(text)
        if mended != text:
            said.append(flaw)
            text = mended
        if said and is_right(text):
            return " and ".join(said), text
    return f"it does not begin as a record of {version} does, or holds what cannot be read", ""


def _version(text: str) -> str:
    for version in ("v=DMARC1", "v=DKIM1", "v=spf1"):
        if text.lower().startswith(version.lower()):
            return version + text[len(version) :]
    return text


def paste_of(name: str, text: str) -> str:
    """The line of a zone file for a TXT record, in strings of at most 255 octets; empty when no line can hold it."""
    octets = text.encode()
    strings = [octets[at : at + 255] for at in range(0, len(octets), 255)]
    try:
        line = TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings).to_text()
        read = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, line)
    except (dns.exception.DNSException, ValueError):
        return ""
    assert isinstance(read, TXT)
    return f"{name}. IN TXT {line}" if b"".join(read.strings) == octets else ""
