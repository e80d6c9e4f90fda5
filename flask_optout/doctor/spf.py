"""SPF (RFC 7208): may the sending host use the bounce domain? The records by checkdmarc, the verdict by pyspf."""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import checkdmarc.spf
import checkdmarc.utils
import dns.exception

from .finding import Finding, Severity, ok, unknown
from .resolver import Resolver, Unsure
from .spf_tree import ALL, MOST_LOOKUPS, Term, grow, is_spf

with warnings.catch_warnings():
    # Its source has an escape sequence that Python warns of wherever it was installed without being compiled.
    warnings.simplefilter("ignore")
    import spf as pyspf

WHY = "Mail servers that cannot check an invitation's sender put it into spam, and scanners open its links first."
BROKEN = "Mail servers read such a record as an error, as if there were none: invitations go to spam or are refused."
MOST_REMARKS = 5
#: What checkdmarc raises, as findings: the end of an id, what is wrong, the mend, the section.
ERRORS: tuple[tuple[type[Exception], str, str, str, str], ...] = (
    (
        checkdmarc.spf.SPFTooManyVoidDNSLookups,
        "void",
        "asks for names that do not exist, more than 2 of them",
        "Remove the terms whose names do not exist any more.",
        "RFC 7208 section 4.6.4",
    ),
    (
        checkdmarc.spf.SPFTooManyDNSLookups,
        "lookups",
        "takes more look-ups than the limit",
        "Remove the terms that the sender of your invitations does not need.",
        "RFC 7208 section 4.6.4",
    ),
    (
        checkdmarc.spf.SPFIncludeLoop,
        "loop",
        "includes itself",
        "Remove the include that leads back.",
        "RFC 7208 section 5.2",
    ),
    (
        checkdmarc.spf.SPFRedirectLoop,
        "loop",
        "redirects to itself",
        "Remove the redirect that leads back.",
        "RFC 7208 section 6.1",
    ),
    (
        checkdmarc.spf.SPFRecordNotFound,
        "include",
        "leads to a domain that has no usable SPF record",
        "Remove the term that names that domain, or correct its name.",
        "RFC 7208 section 5.2",
    ),
    (
        checkdmarc.spf.SPFSyntaxError,
        "syntax",
        "has a mistake in it",
        "Correct the marked place.",
        "RFC 7208 section 12",
    ),
    (
        checkdmarc.spf.SPFError,
        "record",
        "cannot be used",
        "Correct what is named here.",
        "RFC 7208 section 4.6",
    ),
)


def spf(resolver: Resolver, domain: str, senders: list[str], explicit: bool) -> Iterator[Finding]:
    """What is wrong with the SPF of the domain that bounces go to.

    :param senders: the addresses of the sending host.
    :param explicit: whether the host was named as the one that sends, and not only as the one that mail is given to.
    """
    try:
        records = sorted(text for text in resolver.texts(domain) if is_spf(text))
    except Unsure as trouble:
        yield unknown("domain.spf.record", f"whether {domain} has an SPF record", str(trouble))
        return
    if not records:
        yield _none(domain, senders)
        return
    if len(records) > 1:
        yield _several(domain, records)
    tree = grow(resolver, domain, records)
    if tree.lookups > MOST_LOOKUPS:
        yield _too_many(tree, domain, senders)
    for record in records:
        yield from _record(resolver, domain, record, tree)
    if len(records) == 1:
        for sender in senders:
            yield _passes(resolver, domain, sender, explicit)


def _record(resolver: Resolver, domain: str, record: str, tree: Term) -> Iterator[Finding]:
    before = len(resolver.trouble)
    # The cache would answer for another resolver: it is kept by name and type alone.
    checkdmarc.utils.DNS_CACHE.clear()
    asking: dict[str, Any] = {"resolver": resolver, "nameservers": resolver.nameservers, "retries": 0, "timeout": 2}
    # It takes the version in small letters alone; RFC 7208 section 12 takes both.
    lower = record[:6].lower() + record[6:]
    try:
        parsed = checkdmarc.spf.parse_spf_record(lower, domain, **asking)
    except checkdmarc.spf.SPFError as error:
        if resolver.trouble[before:] and not isinstance(error, checkdmarc.spf.SPFSyntaxError):
            yield unknown("domain.spf.terms", f"what the SPF record of {domain} leads to", resolver.trouble[-1])
        elif not (tree.lookups > MOST_LOOKUPS and isinstance(error, checkdmarc.spf.SPFTooManyDNSLookups)):
            yield _error(domain, error)
        return
    if resolver.trouble[before:]:
        yield unknown("domain.spf.terms", f"what the SPF record of {domain} leads to", resolver.trouble[-1])
    elif tree.lookups <= MOST_LOOKUPS:
        yield ok("domain.spf.record", f"{domain} has an SPF record: {record}", tuple(tree.lines()))
    remarks = [] if resolver.trouble[before:] else list(dict.fromkeys(parsed["warnings"]))
    for remark in remarks[:MOST_REMARKS]:
        yield Finding("domain.spf.remark", Severity.WARN, remark, WHY, "Correct what is named here.", "RFC 7208")
    yield from _end(domain, record, parsed["parsed"])


def _end(domain: str, record: str, parsed: Any) -> Iterator[Finding]:
    """What the record says of everybody whom it does not name."""
    last = {"pass": "+all", "neutral": "?all"}.get(parsed["all"])
    if last is None or parsed["redirect"]:
        return
    kept = " ".join(word for word in record.split() if not ALL.fullmatch(word))
    open_to_all = last == "+all"
    yield Finding(
        "domain.spf.all",
        Severity.FAIL if open_to_all else Severity.WARN,
        f"The SPF record of {domain} "
        + (
            "lets everybody in the world send in its name (+all)."
            if open_to_all
            else "does not end in -all or ~all, so it refuses nobody."
        ),
        "A record that proves nothing earns invitations no trust, and lets others send in your name.",
        "Publish this record instead.",
        "RFC 7208 section 5.1",
        paste=f'{domain}. IN TXT "{kept} ~all"',
    )


def _none(domain: str, senders: list[str]) -> Finding:
    terms = _as_terms(senders)
    return Finding(
        "domain.spf.record",
        Severity.FAIL,
        f"{domain} has no SPF record.",
        WHY,
        "Publish this record.",
        "RFC 7208 section 4.5; https://support.google.com/a/answer/81126",
        paste=f'{domain}. IN TXT "v=spf1 {terms or "include:(the domain that your mail provider names)"} ~all"',
    )


def _as_terms(senders: list[str]) -> str:
    return " ".join(f"ip{ipaddress.ip_address(sender).version}:{sender}" for sender in senders)


def _several(domain: str, records: list[str]) -> Finding:
    words = [word for record in records for word in record.split()[1:]]
    terms = list(dict.fromkeys(word for word in words if not ALL.fullmatch(word)))
    # -all would refuse what one of the records let pass.
    end = "~all" if any(word in ("~all", "?all", "-all") for word in words) else ""
    return Finding(
        "domain.spf.several",
        Severity.FAIL,
        f"{domain} has {len(records)} SPF records, and may have one.",
        BROKEN,
        "Replace them by this one.",
        "RFC 7208 section 4.5",
        tuple(records),
        paste=f'{domain}. IN TXT "{" ".join(["v=spf1", *terms, end]).strip()}"',
    )


def _too_many(tree: Term, domain: str, senders: list[str]) -> Finding:
    needed = _as_terms(senders) or "(the one term that you need)"
    return Finding(
        "domain.spf.lookups",
        Severity.FAIL,
        f"The SPF record of {domain} takes {tree.lookups} look-ups in DNS, and may take {MOST_LOOKUPS}.",
        BROKEN,
        "Remove the branches that no longer send for you, or let invitations bounce to a domain of their own, whose "
        "record names only what sends them.",
        "RFC 7208 section 4.6.4",
        tuple(tree.lines()),
        paste=f'bounce.{domain}. IN TXT "v=spf1 {needed} -all"',
    )


def _error(domain: str, error: checkdmarc.spf.SPFError) -> Finding:
    _, end, what, mend, section = next(row for row in ERRORS if isinstance(error, row[0]))
    return Finding(
        f"domain.spf.{end}",
        Severity.FAIL,
        f"The SPF record of {domain} {what}.",
        BROKEN,
        mend,
        section,
        (str(error),),
    )


class _Question(pyspf.query):  # type: ignore[misc]
    """pyspf's evaluation, asking through our resolver: its own way into DNS knows neither deadline nor server."""

    def __init__(self, resolver: Resolver, **question: str) -> None:
        super().__init__(**question)
        self._resolver = resolver

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[Any]:
        try:
            found = [READERS[qtype](record) for record in self._resolver.records(str(name), qtype)]
        except Unsure as trouble:
            raise pyspf.TempError(str(trouble)) from None
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > pyspf.MAX_VOID_LOOKUPS:
                raise pyspf.PermError("Void lookup limit exceeded")
        return found


READERS: dict[str, Callable[[Any], Any]] = {
    "A": lambda record: record.address,
    "AAAA": lambda record: record.address,
    "MX": lambda record: (record.preference, record.exchange.to_text(omit_final_dot=True)),
    "PTR": lambda record: record.target.to_text(omit_final_dot=True),
    "TXT": lambda record: record.strings,
}


def _passes(resolver: Resolver, domain: str, sender: str, explicit: bool) -> Finding:
    question = _Question(resolver, i=sender, s=f"bounces@{domain}", h=domain)
    try:
        verdict = str(question.check()[0])
    except (ValueError, LookupError, AttributeError, RecursionError, dns.exception.DNSException) as error:
        return unknown("domain.spf.sender", f"whether {sender} may send for {domain}", type(error).__name__)
    if verdict == "temperror":
        reason = resolver.trouble[-1] if resolver.trouble else "DNS did not answer"
        return unknown("domain.spf.sender", f"whether {sender} may send for {domain}", reason)
    if verdict == "pass":
        return ok("domain.spf.sender", f"{sender} may send for {domain} (SPF says pass).")
    if verdict == "permerror":
        mend = "Mend the SPF record first."
    elif explicit:
        mend = f"Put {_as_terms([sender])} into the SPF record, before its all."
    else:
        mend = "If MAIL_SERVER only takes your mail, set OPTOUT_SENDING_HOST to the host that delivers it."
    seen = f"{sender} may not send for {domain}: SPF says {verdict}."
    severity = Severity.FAIL if explicit else Severity.WARN
    return Finding("domain.spf.sender", severity, seen, WHY, mend, "RFC 7208 section 2.6")
