"""A sample of an invitation, as it was delivered: read so that no message, however hostile, can break the reader."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parseaddr
from itertools import islice

from ..addresses import parse
from ..errors import AddressError

#: What is longer is no invitation, and is not read.
LONGEST_MESSAGE = 25_000_000
LONGEST_HEAD = 100_000
COMMENT = re.compile(r"\([^()]*\)")
RECEIVED_SPF = re.compile(r"([A-Za-z-]+)=(\"[^\"]*\"|[^;\s]+)")
MOST_PARTS = 40
#: The parts that people read, and their types.
KINDS = {"text": "text/plain", "html": "text/html", "amp": "text/x-amp-html"}


class Unreadable(Exception):
    """The sample is not a message."""


@dataclass(frozen=True)
class Sample:
    """One message: its bytes, its headers unfolded, in their order, by lower-case name, and its parts by kind."""

    raw: bytes
    headers: dict[str, list[str]] = field(default_factory=dict)
    bodies: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, raw: bytes) -> Sample:
        """Read a message.

        :raises Unreadable: when it is none, or none that an invitation could be.
        """
        if len(raw) > LONGEST_MESSAGE:
            raise Unreadable(f"it is longer than {LONGEST_MESSAGE // 1_000_000} MB")
        raw = re.sub(rb"\r?\n", b"\r\n", raw)
        if raw.find(b"\r\n\r\n", 0, LONGEST_HEAD) < 0:
            raise Unreadable("it has no end of headers where a message has one")
        try:
            message = email.message_from_bytes(raw, policy=email.policy.compat32)
            headers: dict[str, list[str]] = {}
            for name, value in message.raw_items():
                headers.setdefault(name.lower(), []).append(_unfolded(str(value)))
            if "from" not in headers:
                raise Unreadable("it has no From header")
            bodies = {kind: list(_bodies(message, type)) for kind, type in KINDS.items()}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise Unreadable(f"its parts cannot be told apart ({type(error).__name__})") from None
        return cls(raw, headers, bodies)

    def all(self, name: str) -> list[str]:
        return self.headers.get(name.lower(), [])

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    @property
    def author(self) -> str | None:
        """The domain in From."""
        return domain_of(self.first("From"))

    @property
    def bounce(self) -> str | None:
        """The domain that bounces go to, when the server that delivered it has noted it."""
        return domain_of(self.first("Return-Path"))

    @property
    def received_spf(self) -> dict[str, str]:
        """What the topmost Received-SPF says: ``result``, ``client-ip``, ``helo`` and more (RFC 7208 section 9.1)."""
        result, _, rest = self.first("Received-SPF").partition(" ")
        pairs = [("result", result.lower()), *RECEIVED_SPF.findall(COMMENT.sub(" ", rest))] if result else []
        return {name.lower(): value.strip('"') for name, value in pairs}

    @property
    def receivers(self) -> list[str]:
        """The names of the servers that judged it, first the one that delivered it (RFC 8601 section 2.5)."""
        judged = [*self.all("Authentication-Results"), *self.all("ARC-Authentication-Results")]
        names = [re.sub(r"^\s*i\s*=\s*\d+\s*;", "", value).partition(";")[0].split() for value in judged]
        return [name[0].lower() for name in names if name and "=" not in name[0]]

    @property
    def forwarded(self) -> bool:
        """Whether another server judged it before the one that delivered it did."""
        names = self.receivers
        return any(name.split(".")[-2:] != names[0].split(".")[-2:] for name in names[1:])

    @property
    def signatures(self) -> list[dict[str, str]]:
        """The tags of its DKIM signatures."""
        return [tag_list(value) for value in self.all("DKIM-Signature")]

    @property
    def selectors(self) -> list[tuple[str, str]]:
        """Pairs of selector and signing domain."""
        pairs = [(tags.get("s", "").lower(), tags.get("d", "").lower()) for tags in self.signatures]
        return list(dict.fromkeys((selector, domain) for selector, domain in pairs if selector and domain))


def tag_list(text: str) -> dict[str, str]:
    """The tags of a DKIM signature, a key record or a DMARC record (RFC 6376 section 3.2); of two, the first."""
    tags: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    return tags


def domain_of(header: str) -> str | None:
    """The domain of the address in a header, if there is one."""
    try:
        return parse(parseaddr(header[:1_000])[1]).domain
    except (AddressError, ValueError, LookupError, RecursionError):
        return None


def _unfolded(value: str) -> str:
    return " ".join(line.strip() for line in value.splitlines()).strip()


def _bodies(message: Message, type: str) -> Iterator[str]:
    for part in islice(message.walk(), MOST_PARTS):
        if part.get_content_type() == type and part.get_content_disposition() != "attachment":
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            try:
                yield payload.decode(part.get_content_charset("utf-8"), "replace")
            except (LookupError, ValueError):
                yield payload.decode("utf-8", "replace")
