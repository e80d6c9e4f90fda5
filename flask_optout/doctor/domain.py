"""The sending domain: SPF, DKIM, DMARC, MX and PTR, as the world's mail servers see them."""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case
from .dkim_keys import keys
from .dmarc import alignment, dmarc
from .finding import Finding, Severity, unknown
from .hosts import mx, ptr, senders
from .resolver import Resolver
from .spf import spf


def domain(case: Case, resolver: Resolver) -> Iterator[Finding]:
    """What is wrong with the domain that invitations come from, and with the one that bounces go to."""
    author = case.author
    if author is None:
        yield unknown(
            "domain.name",
            "what domain invitations come from",
            "no default sender is set",
            "Set MAIL_DEFAULT_SENDER, or say: flask optout doctor --domain example.org",
        )
        return
    bounce = case.bounce or author
    if case.bounce is None:
        yield Finding(
            "domain.bounce",
            Severity.NOTE,
            f"Bounces are taken to go to {author}: where they go is not known.",
            "SPF is about the domain that bounces go to, and many providers use one of their own.",
            "Give a delivered sample with --message, or name that domain.",
            "RFC 7208 section 2.4",
            paste=f'OPTOUT_BOUNCE_DOMAIN = "{author}"',
        )
    addresses, trouble = senders(resolver, case.sending_host)
    yield from trouble
    yield from spf(resolver, bounce, addresses, case.sender_is_explicit)
    yield from keys(resolver, case.selectors)
    yield from dmarc(resolver, author)
    yield from alignment(resolver, author, case.bounce, [signer for _, signer in case.selectors])
    for name in dict.fromkeys((author, bounce)):
        yield from mx(resolver, name)
    for address in addresses:
        yield from ptr(resolver, address)
