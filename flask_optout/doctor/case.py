"""What the doctor is asked to look at: the app's settings, the options of the command, the sample."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..addresses import parse
from ..errors import AddressError
from .sample import Sample, Unreadable, domain_of


@dataclass(frozen=True)
class Case:
    """What to look at.

    ``author`` is the domain in From, ``bounce`` the one in MAIL FROM (RFC 7208 section 2.4) where it is known,
    ``signers`` the domains that sign the sample, ``helo`` the name that the sending host gave itself, ``unreadable``
    why the sample could not be read. ``sender_is_explicit`` says that the sending host is known to send, and is not
    only the one that the app hands its mail to. ``mailto`` is the domain of OPTOUT_MAILTO.
    """

    author: str | None = None
    bounce: str | None = None
    selectors: list[tuple[str, str]] = field(default_factory=list)
    sending_host: str | None = None
    sender_is_explicit: bool = False
    signers: list[str] = field(default_factory=list)
    helo: str | None = None
    block_lists: tuple[str, ...] = ()
    sample: Sample | None = None
    unreadable: str | None = None
    nameservers: tuple[tuple[str, int], ...] = ()
    mailto: str | None = None

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        domain: str | None = None,
        message: bytes | None = None,
        nameservers: tuple[tuple[str, int], ...] = (),
        block_lists: tuple[str, ...] = (),
    ) -> Case:
        """The case of settings, options and a sample; options win over the sample, the sample over settings."""
        given, unreadable = Sample(b""), None
        try:
            given = given if message is None else Sample.read(message)
        except Unreadable as error:
            unreadable = str(error)
        author = domain or given.author or _default_author(config)
        # What the receiver saw of a forwarded sample is the forwarder.
        seen, bounce = ({}, None) if given.forwarded else (given.received_spf, given.bounce)
        host = config["OPTOUT_SENDING_HOST"] or seen.get("client-ip", "").removeprefix("IPv6:")
        listed = config["OPTOUT_DKIM_SELECTORS"]
        names = [(name, author) for name in ([listed] if isinstance(listed, str) else listed) if author]
        return cls(
            author=author,
            bounce=bounce or config["OPTOUT_BOUNCE_DOMAIN"] or None,
            selectors=list(dict.fromkeys([*names, *given.selectors])),
            sending_host=host or config.get("MAIL_SERVER"),
            sender_is_explicit=bool(host),
            signers=list(dict.fromkeys(signer for _, signer in given.selectors)),
            helo=seen.get("helo"),
            block_lists=block_lists,
            sample=given if given.raw else None,
            unreadable=unreadable,
            nameservers=nameservers,
            mailto=domain_of(config.get("OPTOUT_MAILTO") or ""),
        )


def _default_author(config: Mapping[str, Any]) -> str | None:
    sender = config.get("MAIL_DEFAULT_SENDER")
    sender = sender[1] if isinstance(sender, tuple) else sender
    return domain_of(sender) if isinstance(sender, str) else None


def checked_domain(text: str) -> str:
    """A domain as its A-label.

    :raises ValueError: when it is none.
    """
    try:
        return parse(f"postmaster@{text}").domain
    except (AddressError, UnicodeError):
        raise ValueError("What was given is not a domain that mail can come from.") from None


def checked_nameserver(text: str) -> tuple[str, int]:
    """An address, or an address and a port: ``9.9.9.9``, ``127.0.0.1:5353``, ``[::1]:5353``.

    :raises ValueError: when it is neither.
    """
    address, _, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "53")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError("A nameserver has a port between 1 and 65535.")
    return str(ipaddress.ip_address(address.strip("[]"))), int(port)
