"""What the server that received a sample says of it: the best evidence, as it judged what really arrived.

authres reads Authentication-Results and ARC (RFC 8601, RFC 8617). Only the topmost header, and those by the same
server, are believed: whatever stands below can have been written by anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import authres

from .case import Sample
from .finding import Finding, tell
from .providers import SPAM

METHODS = ("spf", "dkim", "dmarc", "compauth")
GOOD = ("pass", "bestguesspass", "softpass")
#: Results that say neither that mail is right nor that it is wrong.
OPEN = ("temperror", "skipped")
MOST_HEADERS = 10
LONGEST_HEADER = 10_000


@dataclass
class Assessment:
    """What one server found: the result of each method, and the domains whose signature held."""

    server: str
    results: dict[str, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)


def _parsed(value: str) -> authres.AuthenticationResultsHeader | None:
    value = re.sub(r"^\s*i\s*=\s*\d+\s*;\s*", "", value)
    # Microsoft leaves the name of the server out.
    for text in (value, f"unnamed; {value}"):
        try:
            return authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}")
        except (authres.AuthResError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
            continue
    return None


def _assessment(values: list[str]) -> Assessment | None:
    """The assessment by the server that wrote the first of some headers."""
    parsed = [_parsed(value) for value in values[:MOST_HEADERS] if len(value) < LONGEST_HEADER]
    assessment: Assessment | None = None
    for header in filter(None, parsed):
        assessment = assessment or Assessment(str(header.authserv_id))
        if str(header.authserv_id) != assessment.server:
            break
        for result in header.results:
            method, said = str(result.method).lower(), str(result.result).lower()
            if said in GOOD or method not in assessment.results:  # of several signatures one that holds is enough
                assessment.results[method] = said
            if method == "dkim" and said == "pass":
                signers = (str(p.value) for p in result.properties if p.type == "header" and p.name in ("d", "i"))
                assessment.held |= {signer.rpartition("@")[2].lower() for signer in signers}
    return assessment


def assessments(sample: Sample) -> tuple[Assessment | None, Assessment | None]:
    """What the receiver says, and what the first server said of a sample that was forwarded since."""
    sealed = sample.all("ARC-Authentication-Results") if sample.forwarded else []
    first = [value for value in sealed if re.match(r"\s*i\s*=\s*1\s*;", value)]
    return _assessment(sample.all("Authentication-Results")), _assessment(first[:1])


def held(sample: Sample) -> set[str]:
    """The domains whose signature held when the sample arrived."""
    return {signer for assessment in assessments(sample) if assessment is not None for signer in assessment.held}


def receiver(sample: Sample) -> Iterator[Finding]:
    """What the receiver of a sample found wrong with it."""
    for name, pattern in SPAM:
        value = next((value for value in sample.all(name) if re.match(pattern, value[:500], re.IGNORECASE)), None)
        if value is not None:
            yield tell("message.spam", header=name, value=value[:80])
    last, first = assessments(sample)
    spf = sample.received_spf.get("result")
    if last is None and spf is None:
        yield tell("message.receiver.none")
        return
    last = last or Assessment("the receiver")
    results = {"spf": spf or "", **last.results}
    found = {method: results[method] for method in METHODS if results.get(method)}
    wrong = [method for method, result in found.items() if result not in (*GOOD, *OPEN)]
    if any(result in OPEN for result in found.values()):
        end = ".unknown"
    elif not wrong:
        end = ""
    elif first is not None and first.results.get("dmarc") in GOOD:
        end = ".forwarded"
    else:
        end = ".part" if found.get("dmarc") in GOOD and found.get("compauth", "pass") in GOOD else ".fail"
    said = [f"{method}={result}" for method, result in found.items()] or ["nothing"]
    yield tell(f"message.receiver{end}", server=last.server, said=said, wrong=wrong, first=first and first.server)
