"""The sending domain: SPF, DKIM, DMARC, MX, names and block lists, as the world's mail servers see them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from .case import Case
from .dkim_keys import keys
from .dmarc import aligned, alignment, dmarc
from .finding import Finding, Unsure, check, tell
from .hosts import block_lists, encryption, helo, mailto, mx, ptr, senders
from .resolver import Resolver
from .spf import spf


def domain(case: Case, resolver: Resolver, link: str | None = None) -> Iterator[Finding]:
    """What is wrong with the domain that invitations come from, and with the one that bounces go to.

    :param link: a candidate's link, where it is known.
    """
    if case.mailto is not None:
        yield from mailto(resolver, case.mailto)
    author = case.author
    if author is None:
        yield tell("domain.name.unknown")
        return
    bounce, addresses = case.bounce or author, []
    if case.bounce is None:
        yield tell("domain.bounce", author=author)
    try:
        addresses = senders(resolver, case.sending_host)
    except Unsure as reason:
        yield tell("domain.sender.unknown", host=case.sending_host, reason=reason)
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
    host = (urlsplit(link).hostname if link else None) or ""
    links = [host] if host.rpartition(".")[2].isalpha() else []  # a name, and no address
    for name in links:
        yield from _link(resolver, name, author)
    names = list(dict.fromkeys((author, bounce, *links)))
    yield from block_lists(resolver, case.block_lists, addresses if case.sender_is_explicit else [], names)
    yield from encryption(resolver, author)


@check("domain.link")
def _link(resolver: Resolver, host: str, author: str) -> Iterator[Finding]:
    """Whether links lead to the domain that invitations come from, or to another."""
    below = host.endswith(f".{author}") or author.endswith(f".{host}")
    if not (below or aligned(resolver, author, host)):
        yield tell("domain.link", host=host, author=author)
