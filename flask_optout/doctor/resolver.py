"""Ask DNS, within a time and a number of questions; what is wrong with how a record is written, and what to paste."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from dns import exception, rdataclass, rdatatype, resolver
from dns.rdtypes.ANY.TXT import TXT

from .finding import Unsure

#: After so many questions without an answer no further one is asked.
MOST_TIMEOUTS = 3
SECONDS_PER_QUESTION = 3.0
#: Tells whether a text is a good record.
Reader = Callable[[str], bool]
#: Mistakes made when a record is typed into a form: a word for each, where it shows, and what replaces it. Characters
#: of several octets are written octet by octet, as DNS has them.
FLAWS: tuple[tuple[str, str, str | Callable[[re.Match[str]], str]], ...] = (
    ("quotes", r"""\\*"|â\x80[\x9c\x9d]|^\s*'|'\s*$""", ""),
    ("backslash", r"\\;", ";"),
    ("blanks-around", r"^\s+|\s+$", ""),
    ("no-blanks", "Â\xa0|â\x80\x8b", " "),
    ("letters", r"(?i)(^|;)(\s*[a-z]\s*=)(d\w+1(?=[\s;,]))?", lambda m: m[1] + m[2].lower() + (m[3] or "").upper()),
    ("blank", r"(?i)^v=spf1(?=[a-z?~+-])", "v=spf1 "),
    ("semicolon", r"^(v=D\w+1)[\s,]+(?=\w+=)", r"\1; "),
)


class Resolver(resolver.Resolver):
    """A resolver with a deadline, which keeps every answer, and what kept DNS from answering.

    :param deadline: when to stop asking, by ``time.monotonic()``.
    :param nameserver: the address and port of the one to ask instead of the system's.
    """

    def __init__(self, deadline: float, nameserver: tuple[str, int] | None = None) -> None:
        with suppress(resolver.NoResolverConfiguration):  # then each question goes unanswered
            super().__init__(configure=nameserver is None)
        if nameserver is not None:
            self.nameservers = [nameserver[0]]
            self.port: int = nameserver[1]
        self.timeout: float = 1.4  # of each try
        self.deadline = deadline
        self._timeouts = 0
        self._answer = cache(self._ask)

    def records(self, name: str, rdtype: str) -> list[Any]:
        """The records of one type at a name; none when it has none, or cannot exist.

        :raises Unsure: when DNS does not answer.
        """
        answer = self._answer(name.lower().rstrip("."), rdtype)
        if isinstance(answer, Unsure):
            raise answer
        return answer

    def _ask(self, name: str, rdtype: str) -> list[Any] | Unsure:
        left = self.deadline - time.monotonic()
        if left <= 0 or self._timeouts >= MOST_TIMEOUTS:
            return Unsure("DNS took too long, or has no end")
        try:
            return list(self.resolve(f"{name}.", rdtype, lifetime=min(left, SECONDS_PER_QUESTION)))
        except exception.Timeout:
            self._timeouts += 1
            return Unsure(f"no answer in time for {name} {rdtype}")
        except (resolver.NoNameservers, OSError):
            return Unsure(f"the server could not answer for {name} {rdtype}")
        # No such name or record, not a name, or no answer that is one.
        except (exception.DNSException, ValueError):
            return []

    def texts(self, name: str) -> list[str]:
        """TXT records, their strings joined without a space (RFC 7208 section 3.3, RFC 6376 section 3.6.2.2)."""
        return [b"".join(record.strings).decode("latin-1") for record in self.records(name, "TXT")]

    def addresses(self, name: str) -> list[str]:
        return [str(record.address) for kind in ("A", "AAAA") for record in self.records(name, kind)]


def find_flawed(texts: Sequence[str], version: str, is_right: Reader) -> tuple[list[str], list[str], list[str]]:
    """Those of some texts that are meant as records of a version, however badly written, and are none.

    Behind them what is wrong with how they are written, and each without it, or empty where nothing mends it.
    """
    meant = [text for text in texts if version.lower() in text[:20].lower() and not is_right(text)]
    found = [_mend(text, is_right) for text in meant]
    return meant, list(dict.fromkeys(flaw for said, _ in found for flaw in said)), [mended for _, mended in found]


def _mend(text: str, is_right: Reader) -> tuple[list[str], str]:
    said: list[str] = []
    for flaw, pattern, right in FLAWS:
        mended = re.sub(pattern, right, text)
        said += [flaw] if mended != text else []
        text = mended
        if said and is_right(text):
            return said, text
    return ["unreadable"], ""


def format_record(name: str, text: str, is_right: Reader) -> str:
    """The line of a zone file for a TXT record, in strings of at most 255 octets.

    :param is_right: what reads such records: what it does not take is not offered, so the line is empty.
    """
    if not is_right(text):
        return ""
    octets = text.encode()
    strings = [octets[at : at + 255] for at in range(0, len(octets), 255)]
    return f"{name}. IN TXT {TXT(rdataclass.IN, rdatatype.TXT, strings).to_text()}"
