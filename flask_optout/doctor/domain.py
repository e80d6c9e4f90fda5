"""The sending domain: SPF, DKIM, DMARC, MX, names and block lists, as the world's mail servers see them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from .case import Case
from .dkim_keys import keys
from .dmarc import alignment, dmarc, organizational
from .finding import Finding, tell, unknown
from .hosts import block_lists, encryption, helo, mx, ptr, senders
from .resolver import Resolver, Unsure
from .spf import spf


def domain(case: Case, resolver: Resolver, link: str | None = None) -> Iterator[Finding]:
    """What is wrong with the domain that invitations come from, and with the one that bounces go to.

    :param link: a candidate's link, where it is known.
    """
    if case.mailto is not None:
        yield from mx(resolver, case.mailto, "domain.mailto")
    author = case.author
    if author is None:
        mend = "Set MAIL_DEFAULT_SENDER, or say: flask optout doctor --domain example.org"
        yield unknown("domain.name", "what domain invitations come from", "no default sender is set", mend)
        return
    bounce = case.bounce or author
    if case.bounce is None:
        yield tell("domain.bounce", author=author)
    addresses, trouble = senders(resolver, case.sending_host)
    yield from trouble
    yield from spf(resolver, bounce, addresses, case.sender_is_explicit)
    yield from keys(resolver, case.selectors)
    yield from dmarc(resolver, author)
    yield from alignment(resolver, author, case.bounce, case.signers)
    for name in dict.fromkeys((author, bounce)):
        yield from mx(resolver, name)
    for address in addresses:
        yield from ptr(resolver, address, case.sender_is_explicit)
    if case.helo is not None:
        yield from helo(resolver, case.helo, addresses)
    host = urlsplit(link).hostname if link else None
    if host and host.rpartition(".")[2].isalpha():  # a name, and no address
        yield from _link(resolver, host, author)
    names = list(dict.fromkeys(name for name in (author, bounce, host) if name))
    yield from block_lists(resolver, case.block_lists, addresses if case.sender_is_explicit else [], names)
    yield from encryption(resolver, author)


def _link(resolver: Resolver, host: str, author: str) -> Iterator[Finding]:
    """Whether links lead to the domain that invitations come from, or to another."""
    try:
        same = organizational(resolver, host) == organizational(resolver, author)
    except Unsure:
        return
    if not (same or host.endswith(f".{author}") or author.endswith(f".{host}")):
        yield tell("domain.link", host=host, author=author)
