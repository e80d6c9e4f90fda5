"""DMARC (RFC 9989): the policy of the domain in From, and whether SPF or DKIM speaks for that domain.

checkdmarc reads report addresses and asks whether they take reports. The tree walk stands here: checkdmarc finds the
organizational domain in the public suffix list, which RFC 9989 no longer knows, and drops a whole record for one bad
tag, where section 4.8 drops the tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import checkdmarc.dmarc
import checkdmarc.utils

from .finding import Finding, tell, unknown
from .records import flawed, paste_of
from .resolver import Resolver, Unsure
from .sample import tag_list

#: Section 4.8: the name of the tag may be in capitals, DMARC1 is in capitals.
MARK = re.compile(r"[vV]\s*=\s*DMARC1\s*(;|$)")
REMOVED = ("pct", "rf", "ri")
POLICIES = ("none", "quarantine", "reject")
#: The values that a tag may have (section 4.7); of fo it may have several.
VALUES: dict[str, Any] = {
    **dict.fromkeys(("p", "sp", "np"), POLICIES),
    **dict.fromkeys(("adkim", "aspf"), ("r", "s")),
    "psd": ("y", "n", "u"),
    "t": ("y", "n"),
    "fo": ("0", "1", "d", "s"),
}
KNOWN = {"v", "rua", "ruf", *VALUES, *REMOVED}
#: RFC 9989 section 4.10: eight questions at most, so longer names go on with their last seven labels.
MOST_LABELS = 8


@dataclass
class Policy:
    """A DMARC record, where it is, its tags with their values in small letters, and the tags that do not count."""

    name: str
    record: str
    tags: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for tag, value in tag_list(self.record).items():
            lower = value if tag in ("rua", "ruf") else value.lower()
            parts = re.split(r"\s*:\s*", lower) if tag == "fo" else [lower]
            good = tag not in VALUES or (set(parts) <= set(VALUES[tag]) and len(set(parts)) == len(parts))
            (self.tags if good else self.dropped)[tag] = lower

    @property
    def reports(self) -> list[str]:
        """The rua addresses that can be read."""
        return [uri for uri in self.tags.get("rua", "").split(",") if _readable(uri)]

    def without(self, *tags: str, **more: str) -> str:
        """The record for pasting, without some tags and with others, its policy as it stands."""
        kept = {tag: value for tag, value in tag_list(self.record).items() if tag not in tags}
        kept["v"] = "DMARC1"
        return "; ".join(f"{tag}={value}" for tag, value in {"v": "", **kept, **more}.items())


def _readable(uri: str) -> bool:
    try:
        checkdmarc.dmarc.parse_dmarc_report_uri(uri)
    except checkdmarc.dmarc.DMARCError:
        return False
    return True


def _walk(resolver: Resolver, domain: str) -> Iterator[tuple[str, list[str]]]:
    """Each name from a domain upwards, and its DMARC records (RFC 9989 section 4.10)."""
    labels = domain.lower().rstrip(".").split(".")
    starts = range(len(labels)) if len(labels) <= MOST_LABELS else (0, *range(len(labels) - 7, len(labels)))
    for start in starts:
        name = ".".join(labels[start:])
        yield name, [text for text in resolver.texts(f"_dmarc.{name}") if MARK.match(text)]


def find(resolver: Resolver, domain: str) -> tuple[str, Policy | None]:
    """The organizational domain, and the record that applies to a domain, if one does.

    :raises Unsure: when DNS does not answer.
    """
    organization, found = domain, {}
    for name, records in _walk(resolver, domain):
        if len(records) != 1:  # of several none counts
            continue
        found[name] = policy = Policy(name, records[0])
        psd = policy.tags.get("psd")
        if psd == "y" and name != domain:
            below = domain.split(".")[-name.count(".") - 2 :]
            organization = ".".join(below)
            break
        organization = name
        if psd == "n":
            break
    applies = found.get(domain) or found.get(organization) or next(reversed(found.values()), None)
    return organization, applies


def organizational(resolver: Resolver, domain: str) -> str:
    """The organizational domain: names that share one may speak for each other (RFC 9989 section 4.10)."""
    return find(resolver, domain)[0]


def dmarc(resolver: Resolver, domain: str) -> Iterator[Finding]:
    """What is wrong with the DMARC record that applies to a domain in From."""
    try:
        texts = resolver.texts(f"_dmarc.{domain}")
        policy = find(resolver, domain)[1]
        exists = policy is None or any(resolver.records(domain, kind) for kind in ("A", "AAAA", "MX", "TXT"))
    except Unsure as trouble:
        yield unknown("domain.dmarc", f"which DMARC record applies to {domain}", trouble)
        return
    marked = [text for text in texts if MARK.match(text)]
    loose = {text: flawed(text, "dmarc1", _is_whole) for text in texts if not MARK.match(text)}
    bad = next((found for found in loose.values() if found), None)
    if len(marked) > 1:
        yield tell("domain.dmarc.several", tuple(marked), domain=domain)
    elif bad and not marked:
        paste = paste_of(f"_dmarc.{domain}", bad[1]) if bad[1] else ""
        yield tell("domain.dmarc.flawed", tuple(texts), paste, domain=domain, flaw=bad[0])
    elif policy is None:
        record = f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"
        yield tell("domain.dmarc.none", (), paste_of(f"_dmarc.{domain}", record), domain=domain)
    if policy is not None:
        yield from _policy(policy, domain, exists)
        yield from _reports(resolver, policy, domain)


def _is_whole(text: str) -> bool:
    return MARK.match(text) is not None and not Policy("", text).dropped


def _policy(policy: Policy, domain: str, exists: bool) -> Iterator[Finding]:
    tags, dropped = policy.tags, policy.dropped
    at = f"_dmarc.{policy.name}"
    names = [name.partition("=")[0].strip().lower() for name in policy.record.split(";") if "=" in name]
    twice = sorted({name for name in names if names.count(name) > 1})
    order = ("p",) if policy.name == domain else ("sp", "p") if exists else ("np", "sp", "p")
    asked = next((tags[tag] for tag in order if tag in tags), "none")
    facts = {"at": at, "record": policy.record, "domain": domain}
    bad = [f"{tag}={dropped[tag]}" for tag in ("p", "sp", "np") if tag in dropped]
    if bad:
        asked = "none"
        effect = "act as if it said p=none" if policy.reports else "take it for no record at all"
        yield tell("domain.dmarc.policy", **facts, bad=", ".join(bad), effect=effect)
    elif twice:
        yield tell("domain.dmarc.twice", **facts, tags=", ".join(twice))
    else:
        yield tell("domain.dmarc.record", **facts, policy=asked)
    lost = {tag: value for tag, value in dropped.items() if tag not in ("p", "sp", "np")}
    if lost:
        paste = paste_of(at, policy.without(*lost))
        yield tell("domain.dmarc.dropped", (policy.record,), paste, at=at, tags=_shown(lost))
    removed = {tag: tags[tag] for tag in REMOVED if tag in tags}
    if removed:
        test = {"t": "y"} if removed.get("pct") == "0" else {}  # it meant: do not act on the policy yet
        paste = paste_of(at, policy.without(*removed, **test))
        yield tell("domain.dmarc.removed", (), paste, at=at, tags=_shown(removed))
    if tags.get("t") == "y":
        yield tell("domain.dmarc.test", (), paste_of(at, policy.without("t")), at=at)
    if "p" not in tags and "p" not in dropped:
        yield tell("domain.dmarc.no-policy", (), paste_of(at, policy.without(p="none")), at=at)
    elif asked == "none" and not bad:
        yield tell("domain.dmarc.unenforced", at=at, domain=domain)
    if unknown_tags := sorted(set(tags) - KNOWN):
        yield tell("domain.dmarc.unknown-tag", at=at, tags=", ".join(unknown_tags))


def _shown(tags: dict[str, str]) -> str:
    return ", ".join(f"{tag}={value}" for tag, value in tags.items())


def _reports(resolver: Resolver, policy: Policy, domain: str) -> Iterator[Finding]:
    at = f"_dmarc.{policy.name}"
    listed = [uri.strip() for uri in policy.tags.get("rua", "").split(",") if uri.strip()]
    if not listed:
        paste = paste_of(at, policy.without(rua=f"mailto:postmaster@{policy.name}"))
        yield tell("domain.dmarc.no-reports", (), paste, at=at)
    if lost := [uri for uri in listed if not _readable(uri)]:
        yield tell("domain.dmarc.report-address", tuple(lost), at=at)
    if any("!" in uri for uri in policy.reports):
        yield tell("domain.dmarc.size", at=at)
    before = len(resolver.trouble)
    # checkdmarc's cache would answer for another resolver: it is kept by name and type alone.
    checkdmarc.utils.DNS_CACHE.clear()
    targets = (checkdmarc.dmarc.parse_dmarc_report_uri(uri)["address"] for uri in policy.reports)
    for target in dict.fromkeys(target.rpartition("@")[2].lower() for target in targets if "@" in target):
        try:
            checkdmarc.dmarc.verify_dmarc_report_destination(
                policy.name, target, resolver=resolver, ignore_unrelated_records=True, retries=0, timeout=2
            )
        except (checkdmarc.dmarc.DMARCError, checkdmarc.dmarc.UnverifiedDMARCURIDestination):
            if resolver.trouble[before:]:
                yield unknown("domain.dmarc.reports", f"whether {target} takes DMARC reports", resolver.trouble[-1])
                return
            record = paste_of(f"{policy.name}._report._dmarc.{target}", "v=DMARC1")
            yield tell("domain.dmarc.reports", (), record, target=target, name=policy.name)


def aligned(resolver: Resolver, author: str, other: str, strict: bool) -> bool:
    """Whether ``other`` may speak for the domain in From.

    :raises Unsure: when DNS does not answer.
    """
    if author == other:
        return True
    return not strict and organizational(resolver, author) == organizational(resolver, other)


def alignment(resolver: Resolver, author: str, bounce: str | None, signers: list[str]) -> Iterator[Finding]:
    """Whether SPF's domain or a signature's domain is the one in From: one of them must be.

    :param signers: the domains that sign a sample; that a key has a selector does not tell that anything signs.
    """
    try:
        policy = find(resolver, author)[1]
        tags = policy.tags if policy is not None else {}
        spf = bounce is not None and aligned(resolver, author, bounce, tags.get("aspf") == "s")
        dkim = any(aligned(resolver, author, name, tags.get("adkim") == "s") for name in signers)
    except Unsure as trouble:
        yield unknown("domain.alignment", f"whether SPF or DKIM speaks for {author}", trouble)
        return
    if spf or dkim:
        speakers = " and ".join(["bounces"] * spf + ["signatures"] * dkim).capitalize()
        yield tell("domain.alignment", speakers=speakers, author=author)
    elif bounce is None or not signers:
        lacking = "the domain of bounces is not known" if bounce is None else "no signature is known"
        mend = "Give a delivered sample with --message; OPTOUT_BOUNCE_DOMAIN tells the domain of bounces alone."
        yield unknown("domain.alignment", f"whether SPF or DKIM speaks for {author}", lacking, mend)
    else:
        yield tell("domain.alignment.none", author=author, bounce=bounce, signers=", ".join(signers))
