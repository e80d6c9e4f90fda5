"""What the server that received a sample says of it: the best evidence, as it judged what really arrived.

authres reads Authentication-Results and ARC (RFC 8601, RFC 8617). Only the topmost header, and those by the same
server, are believed: whatever stands below can have been written by anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import authres

from .finding import Finding, tell, unknown
from .sample import Sample

METHODS = ("spf", "dkim", "dmarc", "compauth")
GOOD = ("pass", "bestguesspass", "softpass")
#: Results that say neither that mail is right nor that it is wrong.
OPEN = ("temperror", "skipped")
#: Headers in which a receiver says that it takes a message for spam, and what they then hold.
SPAM = (
    ("X-Spam-Flag", r"yes"),
    ("X-Spam-Status", r"yes"),
    ("X-Spam", r"yes"),
    ("X-MS-Exchange-Organization-SCL", r"[5-9]"),
    ("X-Forefront-Antispam-Report", r".*(SFV:(SPM|SKB)|SCL:[5-9]|CAT:(SPM|HSPM|PHSH|HPHSH|HPHISH|SPOOF|MALW))"),
    ("X-Microsoft-Antispam-Mailbox-Delivery", r".*dest:J"),
    ("X-Spamd-Result", r".*:\s*True\b"),
    ("X-Ovh-Spam-Status", r"spam"),
    ("X-Gmail-Labels", r"(.*,)?\s*spam"),
)


@dataclass
class Judgement:
    """What one server found: the results of each method, and the domains whose signature held."""

    server: str
    results: dict[str, list[str]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def best(self, method: str) -> str | None:
        """The result that counts: of several signatures one that holds is enough."""
        found = self.results.get(method, [])
        return next((result for result in found if result in GOOD), found[0] if found else None)


def _parsed(value: str) -> authres.AuthenticationResultsHeader | None:
    value = re.sub(r"^\s*i\s*=\s*\d+\s*;\s*", "", value)
    # Microsoft leaves the name of the server out.
    for text in (value, f"unnamed; {value}"):
        try:
            return authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}")
        except (authres.AuthResError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
            continue
    return None


def _judgement(values: list[str]) -> Judgement | None:
    """The judgement of the server that wrote the first of some headers."""
    parsed = [found for value in values[:10] if len(value) < 10_000 and (found := _parsed(value)) is not None]
    if not parsed:
        return None
    judgement = Judgement(str(parsed[0].authserv_id))
    for header in parsed:
        if header.authserv_id != parsed[0].authserv_id:
            break
        for result in header.results:
            method, said = str(result.method).lower(), str(result.result).lower()
            judgement.results.setdefault(method, []).append(said)
            if method == "dkim" and said == "pass":
                signers = (str(p.value) for p in result.properties if p.type == "header" and p.name in ("d", "i"))
                judgement.held |= {signer.rpartition("@")[2].lower() for signer in signers}
    return judgement


def judgements(sample: Sample) -> tuple[Judgement | None, Judgement | None]:
    """What the receiver says, and what the first server said of a sample that was forwarded since."""
    last = _judgement(sample.all("Authentication-Results"))
    first = (
        _judgement(sorted(sample.all("ARC-Authentication-Results"), key=_instance)[:1]) if sample.forwarded else None
    )
    return last, first


def _instance(value: str) -> int:
    number = re.match(r"\s*i\s*=\s*(\d{1,3})", value)
    return int(number[1]) if number else 1_000


def held(sample: Sample) -> set[str]:
    """The domains whose signature held when the sample arrived."""
    return {signer for judgement in judgements(sample) if judgement is not None for signer in judgement.held}


def evidence(sample: Sample) -> Iterator[Finding]:
    """What the receiver of a sample found wrong with it."""
    for name, pattern in SPAM:
        value = next((value for value in sample.all(name) if re.match(pattern, value[:500], re.IGNORECASE)), None)
        if value is not None:
            yield tell("message.spam", header=name, value=value[:80])
    last, first = judgements(sample)
    spf = sample.received_spf.get("result")
    if last is None and spf:
        last = Judgement("the receiver", {"spf": [spf]})
    if last is None:
        yield tell("message.receiver.none")
        return
    if spf and not last.results.get("spf"):
        last.results["spf"] = [spf]
    yield from _judged(last, first)


def _judged(last: Judgement, first: Judgement | None) -> Iterator[Finding]:
    found = {method: result for method in METHODS if (result := last.best(method)) is not None}
    said = ", ".join(f"{method}={result}" for method, result in found.items()) or "nothing"
    wrong = [method for method, result in found.items() if result not in (*GOOD, *OPEN)]
    facts = {"server": last.server, "said": said}
    if any(result in OPEN for result in found.values()):
        yield unknown("message.receiver", "what the receiver makes of the message", f"{last.server} says {said}")
    elif not wrong:
        yield tell("message.receiver", **facts)
    elif first is not None and first.best("dmarc") in GOOD:
        yield tell("message.receiver.forwarded", **facts, first=first.server)
    elif found.get("dmarc") in GOOD and found.get("compauth", "pass") in GOOD:
        yield tell("message.receiver.part", **facts, wrong=" and ".join(wrong).upper())
    else:
        yield tell("message.receiver.fail", **facts)
