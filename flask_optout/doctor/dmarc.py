"""DMARC (RFC 9989): the policy of the domain in From, and whether SPF or DKIM speaks for that domain.

checkdmarc knows the tags and their values. The tree walk stands here: checkdmarc's ends
at the domain's own record, so that it tells no organizational domain, and at a name with several records, where
section 4.10 goes on. A bad fo, psd or t costs it the record, where section 4.8 drops the tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import checkdmarc.dmarc as known

from .case import parse_tags
from .finding import Finding, tell
from .resolver import Resolver, find_flawed, format_record

#: Section 4.8: the name of the tag may be in capitals, DMARC1 is in capitals, and all of it is ASCII.
MARK = re.compile(r"[vV]\s*=\s*DMARC1\s*(;[\t-~]*)?$")
REMOVED = ("pct", "rf", "ri")
POLICIES = ("p", "sp", "np")
#: The values that a tag may have (section 4.7); of fo it may have several.
VALUES: dict[str, set[str]] = {tag: set(tags["values"]) for tag, tags in known.dmarc_tags.items() if "values" in tags}
VALUES |= dict.fromkeys(("adkim", "aspf"), {"r", "s"})
#: RFC 9990 section 3: where reports may go; older standards had a limit of their size.
REPORT = re.compile(r"mailto:[^\s@/!]+@([^\s@/!]+)(?:!\d+[kmgt]?)?", re.IGNORECASE)


class Policy:
    """A DMARC record and where it is: its tags with their values in small letters, and the tags that do not count.

    ``twice`` are the tags that stand there more than once, ``junk`` what is no tag, ``reports`` the rua addresses,
    each as REPORT reads it, if it can.
    """

    def __init__(self, name: str, record: str) -> None:
        self.name = name
        self.record = record
        self.tags: dict[str, str] = {}
        self.dropped: dict[str, str] = {}
        for tag, value in parse_tags(record).items():
            lower = value if tag in ("rua", "ruf") else value.lower()
            parts = re.split(r"\s*:\s*", lower) if tag == "fo" else [lower]
            good = tag not in VALUES or (set(parts) <= VALUES[tag] and len(set(parts)) == len(parts))
            (self.tags if good else self.dropped)[tag] = lower
        self.junk: list[str] = [part.strip() for part in record.split(";") if part.strip() and "=" not in part]
        names = [part.partition("=")[0].strip().lower() for part in record.split(";") if "=" in part]
        self.twice: list[str] = sorted({name for name in names if names.count(name) > 1})
        uris = map(str.strip, self.tags.get("rua", "").split(","))
        self.reports: dict[str, re.Match[str] | None] = {uri: REPORT.fullmatch(uri) for uri in uris if uri}

    def paste(self, *without: str, **more: str) -> str:
        """The record with its flaws mended, its policy as it stands; empty where nobody knows which that is."""
        lost = {*REMOVED, *without, *self.dropped} - {*POLICIES}
        kept = {tag: value for tag, value in parse_tags(self.record).items() if tag not in lost}
        if self.tags.get("pct") == "0":  # it meant: do not act on the policy yet
            kept["t"] = "y"
        text = "; ".join(f"{tag}={value}" for tag, value in {**kept, **more, "v": "DMARC1"}.items())
        return "" if self.twice else format_record(f"_dmarc.{self.name}", text, is_whole)


def is_whole(text: str) -> bool:
    """Whether a text is a DMARC record without a bad value."""
    return MARK.match(text) is not None and not Policy("", text).dropped


def _walk(resolver: Resolver, domain: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """The names at which a record may be, each with its texts, and those of them that are records.

    There are eight names at most, so a longer domain is followed by its last seven labels.
    """
    labels = domain.lower().rstrip(".").split(".")
    for start in range(len(labels)) if len(labels) <= 8 else (0, *range(len(labels) - 7, len(labels))):
        name = ".".join(labels[start:])
        texts = resolver.texts(f"_dmarc.{name}")
        yield name, texts, [text for text in texts if MARK.match(text)]


def find_policy(resolver: Resolver, domain: str) -> tuple[str, Policy | None]:
    """The organizational domain, and the record that applies to a domain, if one does (RFC 9989 section 4.10).

    :raises Unsure: when DNS does not answer.
    """
    organization, found = domain, {}
    for name, _, records in _walk(resolver, domain):
        if len(records) != 1:  # of several none counts
            continue
        found[name] = Policy(name, records[0])
        psd = found[name].tags.get("psd")
        above = psd == "y" and name != domain
        organization = ".".join(domain.split(".")[-name.count(".") - 2 :]) if above else name
        if psd == "n" or above:
            break
    return organization, found.get(domain) or found.get(organization) or next(reversed(found.values()), None)


def check_dmarc(resolver: Resolver, domain: str) -> Iterator[Finding]:
    """What is wrong with the DMARC record that applies to a domain in From."""
    policy = find_policy(resolver, domain)[1]
    unread = list(_check_unread(resolver, domain))
    yield from unread
    if policy is not None:
        exists = any(resolver.records(domain, kind) for kind in ("A", "AAAA", "MX", "TXT"))
        yield from _check_policy(policy, domain, exists)
    elif not unread:
        record = format_record(f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}", is_whole)
        yield tell("domain.dmarc.none", (), record, domain=domain)


def _check_unread(resolver: Resolver, domain: str) -> Iterator[Finding]:
    """The records at a domain and above it that are not read, up to where one is."""
    for name, texts, marked in _walk(resolver, domain):
        loose, flaws, mended = find_flawed([text for text in texts if text not in marked], "DMARC1", is_whole)
        if len(marked) > 1:
            yield tell("domain.dmarc.several", tuple(marked), domain=name)
        elif loose:
            # Of several policies nobody knows which is meant.
            paste = format_record(f"_dmarc.{name}", mended[0], is_whole) if not marked and len(loose) == 1 else ""
            yield tell(f"domain.dmarc.{'unread' if marked else 'flawed'}", loose, paste, domain=name, reason=flaws)
        if len(marked) == 1:
            break


def _check_policy(policy: Policy, domain: str, exists: bool) -> Iterator[Finding]:
    tags, dropped = policy.tags, policy.dropped
    bad = [f"{tag}={dropped[tag]}" for tag in POLICIES if tag in dropped]
    order = ("p",) if policy.name == domain else ("sp", "p") if exists else ("np", "sp", "p")
    asked = "none" if bad else next((tags[tag] for tag in order if tag in tags), "none")
    facts = {"at": f"_dmarc.{policy.name}", "record": policy.record, "domain": domain, "policy": asked}
    end, wrong = ("policy", bad) if bad else ("twice", policy.twice) if policy.twice else ("record", [])
    yield tell(f"domain.dmarc.{end}", **facts, tags=wrong, effect="none" if any(policy.reports.values()) else "lost")
    missing = "p" not in tags | dropped
    # Ends of ids, each with what is wrong, and what to paste.
    checks: list[tuple[str, list[str] | bool, str]] = [
        ("dropped", [f"{tag}={value}" for tag, value in dropped.items() if tag not in POLICIES], policy.paste()),
        ("removed", [f"{tag}={tags[tag]}" for tag in REMOVED if tag in tags], policy.paste()),
        ("unknown-tag", [*sorted(set(tags) - {*known.dmarc_tags, *REMOVED}), *policy.junk], policy.paste()),
        ("test", tags.get("t") == "y", policy.paste("t")),
        ("no-policy", missing, policy.paste(p="none")),
        ("unenforced", asked == "none" and not bad and not missing, ""),
        ("no-reports", not policy.reports, policy.paste(rua=f"mailto:postmaster@{policy.name}")),
        ("report-address", [uri for uri, address in policy.reports.items() if address is None], ""),
    ]
    for end, found, paste in checks:
        if found:
            details = (policy.record,) if isinstance(found, list) else ()
            yield tell(f"domain.dmarc.{end}", details, paste, **facts, tags=found)


def is_aligned(resolver: Resolver, author: str, other: str, strict: bool = False) -> bool:
    """Whether ``other`` may speak for the domain in From.

    :raises Unsure: when DNS does not answer.
    """
    return author == other or (not strict and find_policy(resolver, author)[0] == find_policy(resolver, other)[0])


def check_alignment(resolver: Resolver, author: str, bounce: str | None, signers: Sequence[str]) -> Iterator[Finding]:
    """Whether SPF's domain or a signature's domain is the one in From: one of them must be.

    :param signers: the domains that sign a sample; that a key has a selector does not tell that anything signs.
    """
    policy = find_policy(resolver, author)[1]
    tags = policy.tags if policy is not None else {}
    spf = bounce is not None and is_aligned(resolver, author, bounce, tags.get("aspf") == "s")
    dkim = any(is_aligned(resolver, author, name, tags.get("adkim") == "s") for name in signers)
    end = "" if spf or dkim else ".unknown" if bounce is None or not signers else ".none"
    facts = {"author": author, "bounce": bounce, "signers": signers}
    facts["speakers"] = " and ".join(["bounces"] * spf + ["signatures"] * dkim)
    yield tell(f"domain.alignment{end}", **facts, reason="bounce" if bounce is None else "signers")
