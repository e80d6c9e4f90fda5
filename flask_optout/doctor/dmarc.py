"""DMARC (RFC 9989): the policy of the domain in From, and whether SPF or DKIM speaks for that domain.

checkdmarc finds and reads the record. The organizational domain that alignment needs comes from the tree walk here:
checkdmarc takes it from the public suffix list, which RFC 9989 no longer knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import checkdmarc.dmarc
import checkdmarc.utils

from .finding import Finding, Severity, clean, ok, tag_list, unknown
from .resolver import Resolver, Unsure

WHY = "Gmail, Yahoo and Outlook.com refuse mail to many people, or put it into spam, without a DMARC record."
NONE = "It lets anybody send invitations in your name, with a link of their own in them."
MARK = re.compile(r"v\s*=\s*DMARC1\s*(;|$)", re.IGNORECASE)
REMOVED = ("pct", "rf", "ri")
#: RFC 9989 section 4.10: eight questions at most, so longer names go on with their last seven labels.
MOST_LABELS = 8
#: What checkdmarc remarks, by a piece of its words: severity, why, mend; whatever else it says is a warning.
REMARKS: tuple[tuple[str, Severity, str, str], ...] = (
    (
        "does not indicate that it accepts",
        Severity.WARN,
        "The reports that would show who sends in your name do not arrive.",
        "Ask whoever runs that domain for the record named here, or send the reports to your own domain.",
    ),
    (
        "rua tag (destination for aggregate reports) not found",
        Severity.NOTE,
        "Without reports nobody sees that invitations fail these checks.",
        "Add rua=mailto:(a mailbox that you read) to the record.",
    ),
    (
        "makes DMARC unenforced",
        Severity.NOTE,
        NONE,
        "Once the reports show your own mail passing, change p=none to p=quarantine, later to p=reject.",
    ),
    (
        "A missing p tag",
        Severity.WARN,
        "Older mail servers ignore a record without p.",
        "Add p=none behind v=DMARC1.",
    ),
    ("Unknown DMARC tag", Severity.NOTE, "Mail servers ignore it.", "Remove it, or correct its name."),
    ("is obsolete in RFC 9989", Severity.NOTE, "Mail servers ignore the limit.", "Remove the ! and what follows it."),
)


def dmarc(resolver: Resolver, domain: str) -> Iterator[Finding]:
    """What is wrong with the DMARC record that applies to a domain in From."""
    before = len(resolver.trouble)
    # The cache would answer for another resolver: it is kept by name and type alone.
    checkdmarc.utils.DNS_CACHE.clear()
    asking: dict[str, Any] = {
        "resolver": resolver,
        "nameservers": resolver.nameservers,
        "retries": 0,
        "timeout": 2,
        # RFC 9989 section 4.10: they are discarded, and do no harm.
        "ignore_unrelated_records": True,
    }
    try:
        found = _query(resolver, domain, asking)
        parsed = checkdmarc.dmarc.parse_dmarc_record(found["record"], found["location"], **asking)
    except (checkdmarc.dmarc.DMARCError, Unsure) as error:
        if resolver.trouble[before:]:
            yield unknown("domain.dmarc.record", f"which DMARC record applies to {domain}", resolver.trouble[-1])
        else:
            yield _error(domain, error)
        return
    record, location = found["record"], found["location"]
    yield ok("domain.dmarc.record", f"_dmarc.{location} says: {record}")
    yield from _tags(record, location)
    unsure = resolver.trouble[before:]
    if unsure:
        yield unknown("domain.dmarc.reports", f"all about the DMARC record of {location}", unsure[-1])
    for remark in dict.fromkeys(found["warnings"] + parsed["warnings"]):
        if not ("removed in RFC 9989" in remark or (unsure and "does not indicate" in remark)):
            yield _remark(remark)


def _query(resolver: Resolver, domain: str, asking: dict[str, Any]) -> Any:
    try:
        return checkdmarc.dmarc.query_dmarc_record(domain, **asking)
    except checkdmarc.dmarc.DMARCRecordNotFound:
        # It walks up from no name that does not exist; RFC 9989 section 4.10 does.
        above = organizational(resolver, domain)
        if above == domain:
            raise
        return checkdmarc.dmarc.query_dmarc_record(above, **asking)


def _tags(record: str, location: str) -> Iterator[Finding]:
    tags = tag_list(record)
    removed = [tag for tag in REMOVED if tag in tags]
    if removed:
        without = {name: value for name, value in tags.items() if name not in removed}
        if tags.get("pct") == "0":  # it meant: do not act on the policy yet
            without["t"] = "y"
        kept = "; ".join(f"{name}={clean(value)}" for name, value in without.items())
        yield Finding(
            "domain.dmarc.removed",
            Severity.WARN,
            f"The DMARC record uses {', '.join(f'{tag}={tags[tag]}' for tag in removed)}, now dropped.",
            "Mail servers apply the policy to every message, or to none, whatever share was asked for.",
            "Publish this record instead; where it shows … put the mailbox that stands there now.",
            "RFC 9989 section 4.7",
            paste=f'_dmarc.{location}. IN TXT "{kept}"',
        )
    if tags.get("t", "").lower() == "y":
        yield Finding(
            "domain.dmarc.test",
            Severity.WARN,
            "The DMARC record is in test mode (t=y).",
            NONE,
            "Remove t=y once the reports show your own mail passing.",
            "RFC 9989 section 4.7",
        )


def _remark(remark: str) -> Finding:
    for words, severity, why, mend in REMARKS:
        if words in remark:
            return Finding("domain.dmarc.remark", severity, remark, why, mend, "RFC 9989 section 4.7")
    return Finding("domain.dmarc.remark", Severity.WARN, remark, WHY, "Correct what is named here.", "RFC 9989")


def _error(domain: str, error: Exception) -> Finding:
    paste = f'_dmarc.{domain}. IN TXT "v=DMARC1; p=none; rua=mailto:(a mailbox that you read)"'
    page = "RFC 9989 section 4.10; https://support.google.com/a/answer/81126"
    match error:
        case checkdmarc.dmarc.DMARCRecordNotFound():
            id, seen, mend = "record", f"{domain} has no DMARC record.", "Publish this record."
        case checkdmarc.dmarc.MultipleDMARCRecords():
            seen = f"_dmarc.{domain} or a domain above it has several DMARC records, so none applies."
            id, mend, paste = "several", "Remove all of them but one.", ""
        case _:
            seen = f"The DMARC record of {domain} cannot be used: {error}"
            id, mend = "syntax", "Correct it, or begin again with this record."
    return Finding(f"domain.dmarc.{id}", Severity.FAIL, seen, WHY, mend, page, paste=paste)


def organizational(resolver: Resolver, domain: str) -> str:
    """The organizational domain: names that share one may speak for each other (RFC 9989 section 4.10).

    :raises Unsure: when DNS does not answer.
    """
    labels = domain.lower().rstrip(".").split(".")
    starts = range(len(labels)) if len(labels) <= MOST_LABELS else (0, *range(len(labels) - 7, len(labels)))
    chosen = domain
    for start in starts:
        name = ".".join(labels[start:])
        records = [text for text in resolver.texts(f"_dmarc.{name}") if MARK.match(text)]
        if len(records) != 1:
            continue
        psd = tag_list(records[0]).get("psd", "").lower()
        if psd == "y" and start:
            return ".".join(labels[start - 1 :])
        chosen = name
        if psd == "n":
            break
    return chosen


def aligned(resolver: Resolver, author: str, other: str, strict: bool) -> bool:
    """Whether ``other`` may speak for the domain in From.

    :raises Unsure: when DNS does not answer.
    """
    if author == other:
        return True
    return not strict and organizational(resolver, author) == organizational(resolver, other)


def alignment(resolver: Resolver, author: str, bounce: str | None, signers: list[str]) -> Iterator[Finding]:
    """Whether SPF's domain or a signature's domain is the one in From: one of them must be.

    :param signers: the domains that sign.
    """
    try:
        home = organizational(resolver, author)
        records = [text for name in (author, home) for text in resolver.texts(f"_dmarc.{name}") if MARK.match(text)]
        modes = tag_list(records[0]) if records else {}
        spf = bounce is not None and aligned(resolver, author, bounce, modes.get("aspf") == "s")
        dkim = [name for name in signers if aligned(resolver, author, name, modes.get("adkim") == "s")]
    except Unsure as trouble:
        yield unknown("domain.alignment", f"whether SPF or DKIM speaks for {author}", str(trouble))
        return
    speakers = ["bounces"] * spf + ["signatures"] * bool(dkim)
    if speakers:
        yield ok("domain.alignment", f"{' and '.join(speakers).capitalize()} belong to {author}, the domain in From.")
    elif bounce is None or not signers:
        lacking = "the domain of bounces is not known" if bounce is None else "no signature is known"
        mend = "Set OPTOUT_BOUNCE_DOMAIN and OPTOUT_DKIM_SELECTORS, or give a delivered sample with --message."
        yield unknown("domain.alignment", f"whether SPF or DKIM speaks for {author}", lacking, mend)
    else:
        yield Finding(
            "domain.alignment",
            Severity.FAIL,
            f"Neither bounces ({bounce}) nor signatures ({', '.join(signers)}) belong to {author}, the From domain.",
            "DMARC fails for every invitation, and the opt-out button of mail programs does not show.",
            f"Have invitations signed with d={author}, or let them bounce to a domain below it "
            "(OPTOUT_BOUNCE_DOMAIN says which).",
            "RFC 9989 section 4.4",
        )
