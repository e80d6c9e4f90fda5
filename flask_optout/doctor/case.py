"""What the doctor is asked to look at: the app's settings, the options of the command, and a sample.

A sample is an invitation as it was delivered, read so that no message, however hostile, can break the reader.
"""

from __future__ import annotations

import email
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parseaddr
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from ..addresses import parse
from .finding import KNOWN

#: What is longer is no invitation, and is not read.
LONGEST_MESSAGE = 25_000_000
MOST_LINES = 1_000_000
#: What some programs save in front of a message: a mark of the encoding, blank lines, its length (Apple Mail).
IN_FRONT = re.compile(rb"\A(?:\xef\xbb\xbf|\s|\d{1,12}[ \t\r]*\n)+")
#: The parts that people read, and their types.
KINDS = {"text": "text/plain", "html": "text/html", "amp": "text/x-amp-html"}


@dataclass(frozen=True)
class Sample:
    """One message: its bytes, its headers unfolded, in their order, by lower-case name, and its parts by kind.

    ``unreadable`` is a word of the finding ``message.unreadable``: why it is no message, or none that an invitation
    could be.
    """

    raw: bytes = b""
    headers: dict[str, list[str]] = field(default_factory=dict)
    bodies: dict[str, list[str]] = field(default_factory=dict)
    unreadable: str = ""

    @classmethod
    def read(cls, raw: bytes) -> Sample:
        if len(raw) > LONGEST_MESSAGE or raw.count(b"\n") > MOST_LINES:
            return cls(unreadable="long")
        raw = re.sub(rb"\r{0,2}\n", b"\r\n", IN_FRONT.sub(b"", raw[:1_000]) + raw[1_000:])
        if raw.find(b"\r\n\r\n", 0, 100_000) < 0:
            return cls(unreadable="headers")
        headers: dict[str, list[str]] = {}
        try:
            message = email.message_from_bytes(raw)
            for name, value in message.raw_items():
                unfolded = " ".join(line.strip() for line in str(value).splitlines())
                headers.setdefault(name.lower(), []).append(unfolded.strip())
            bodies = {kind: list(_read_bodies(message, type)) for kind, type in KINDS.items()}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return cls(unreadable="parts")
        return cls(raw, headers, bodies) if "from" in headers else cls(unreadable="sender")

    def all(self, name: str) -> list[str]:
        return self.headers.get(name.lower(), [])

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    @property
    def received_spf(self) -> dict[str, str]:
        """What the topmost Received-SPF says: ``result``, ``client-ip``, ``helo`` and more (RFC 7208 section 9.1).

        Those about HELO are passed over.
        """
        for header in self.all("Received-SPF"):
            result, _, rest = header.partition(" ")
            pairs = re.findall(r"([A-Za-z-]+)=(\"[^\"]*\"|[^;\s]+)", re.sub(r"\([^()]*\)", " ", rest))
            said = {name.lower(): value.strip('"') for name, value in pairs}
            if said.get("identity") != "helo" and result.isalpha():
                return {"result": result.lower(), **said}
        return {}

    @property
    def judged(self) -> list[str]:
        """Authentication-Results, but for what Microsoft 365 writes about mail that its own customer sends."""
        values = self.all("Authentication-Results")
        return [value for value in values if "spf=" in value or "dmarc=none action=none" not in value]

    @property
    def sealed(self) -> list[str]:
        """What the servers said which passed it on, the first one first (RFC 8617)."""
        values = self.all("ARC-Authentication-Results")[::-1]
        return [value for value in values if not re.match(KNOWN["results"]["sent-there"], value)]

    @property
    def passed_on(self) -> bool:
        """Whether it went through a forwarder or a mailing list, or several servers sealed it."""
        found = (re.match(word, self.first(name)) for name, word in KNOWN["forwarders"].items() if self.all(name))
        return len(self.sealed) > 1 or any(found)

    @property
    def forwarded(self) -> bool:
        """Whether another server judged it before the one that delivered it did (RFC 8601 section 2.5)."""
        # A server that takes mail in from its own user checks no SPF.
        others = [value for value in self.judged[1:] if "spf=" in value]
        return self.passed_on or len(set(map(find_owner, [*self.judged[:1], *others, *self.sealed]))) > 1

    @property
    def signatures(self) -> list[dict[str, str]]:
        """The tags of its DKIM signatures; more are written only to keep a reader busy."""
        return [parse_tags(value) for value in self.all("DKIM-Signature")[:20]]

    @property
    def selectors(self) -> list[tuple[str, str]]:
        """Pairs of selector and signing domain."""
        pairs = [(tags.get("s", "").lower(), tags.get("d", "").lower()) for tags in self.signatures]
        return list(dict.fromkeys((selector, domain) for selector, domain in pairs if selector and domain))


def find_server(value: str) -> str:
    """The server that wrote an Authentication-Results header, or the one of ARC; Microsoft leaves its name out."""
    value = re.sub(r"^\s*i\s*=\s*\d+\s*;|\([^()]*\)", "", value)
    name = re.match(r"\s*([\w.-]+)(\s+\d+)?\s*(;|$)", value)
    return name[1].lower() if name else "mx.microsoft.com" if re.match(r"\s*\w+\s*=", value) else ""


def find_owner(value: str) -> str:
    """Whose server that is: the last two labels of its name. iCloud has a server for each method."""
    return ".".join(find_server(value).split(".")[-2:])


def parse_tags(text: str) -> dict[str, str]:
    """The tags of a DKIM signature, a key record or a DMARC record (RFC 6376 section 3.2); of two, the first."""
    tags: dict[str, str] = {}
    for name, equals, value in (part.partition("=") for part in text.split(";")):
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    return tags


def _read_bodies(message: Message, type: str) -> Iterator[str]:
    for part in islice(message.walk(), 40):
        if part.get_content_type() == type and part.get_content_disposition() != "attachment":
            payload: Any = part.get_payload(decode=True)
            try:
                yield payload.decode(part.get_content_charset("utf-8"), "replace")
            except (LookupError, ValueError):
                yield payload.decode("utf-8", "replace")


@dataclass(frozen=True)
class Case:
    """What to look at.

    ``author`` is the domain in From, ``bounce`` the one in MAIL FROM (RFC 7208 section 2.4) where it is known,
    ``signers`` the domains that sign the sample, ``helo`` the name that the sending host gave itself.
    ``sender_is_explicit`` says that the sending host is known to send, and is not only the one that the app hands its
    mail to. ``mailto`` is the domain of OPTOUT_MAILTO; ``block_lists`` and ``nameserver`` are asked in DNS.
    """

    author: str | None = None
    bounce: str | None = None
    selectors: Sequence[tuple[str, str]] = ()
    sending_host: str | None = None
    sender_is_explicit: bool = False
    signers: Sequence[str] = ()
    helo: str | None = None
    block_lists: tuple[str, ...] = ()
    sample: Sample = Sample()
    nameserver: tuple[str, int] | None = None
    mailto: str | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any], domain: str | None = None, message: bytes | None = None) -> Case:
        """The case of settings, options and a sample; options win over the sample, the sample over settings."""
        sample = Sample() if message is None else Sample.read(message)
        sender = config.get("MAIL_DEFAULT_SENDER")
        default = sender[1] if isinstance(sender, tuple) else sender
        author = domain or find_domain(sample.first("From")) or find_domain(default)
        # What the receiver saw of a forwarded sample is the forwarder.
        seen = {} if sample.forwarded else sample.received_spf
        bounce = None if sample.forwarded else find_domain(sample.first("Return-Path"))
        client = seen.get("client-ip", "").strip("[]").removeprefix("IPv6:").removeprefix("::ffff:")
        host = config["OPTOUT_SENDING_HOST"] or client
        listed = config["OPTOUT_DKIM_SELECTORS"]
        names = [(name, author) for name in ([listed] if isinstance(listed, str) else listed) if author]
        return cls(
            author=author,
            bounce=bounce or config["OPTOUT_BOUNCE_DOMAIN"] or None,
            selectors=list(dict.fromkeys([*names, *sample.selectors])),
            sending_host=host or config.get("MAIL_SERVER"),
            sender_is_explicit=bool(host),
            signers=list(dict.fromkeys(signer for _, signer in sample.selectors)),
            helo=seen.get("helo") if host == client else None,
            sample=sample,
            mailto=find_domain(config.get("OPTOUT_MAILTO")),
        )


def find_domain(header: object) -> str | None:
    """The domain of the address in a header or a setting, if there is one."""
    try:
        return parse(parseaddr(header[:1_000])[1]).domain if isinstance(header, str) else None
    except (ValueError, LookupError, RecursionError):
        return None


def parse_domain(text: str) -> str:
    """A domain as its A-label.

    :raises ValueError: when it is none.
    """
    try:
        return parse(f"postmaster@{text}").domain
    except ValueError:
        raise ValueError("What was given is not a domain that mail can come from.") from None


def parse_nameserver(text: str) -> tuple[str, int]:
    """An address, or an address and a port: ``9.9.9.9``, ``127.0.0.1:5353``, ``[::1]:5353``.

    :raises ValueError: when it is neither.
    """
    place = urlsplit(f"//[{text}]" if text.count(":") > 1 and "[" not in text else f"//{text}")
    return str(ipaddress.ip_address(place.hostname or "")), place.port or 53
