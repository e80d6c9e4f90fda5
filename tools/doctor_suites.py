"""Compare the doctor's SPF with public suites of cases: ``python -m tools.doctor_suites FILE...``.

A file is YAML as in openspf's suite for RFC 7208: documents with ``zonedata`` and ``tests``. A DNS server on this
machine serves each zone. Prints for each file how many cases agree, disagree and were not asked, and for each
disagreement what the suite expects and what the doctor found.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from flask_optout.doctor.finding import Finding, Unsure, attempt
from flask_optout.doctor.resolver import Resolver
from flask_optout.doctor.spf import check_spf, evaluate
from tests.support.dns_server import SILENCE, Nameserver, Zone, dns_server

#: The result by RFC 7208 section 2.6 that the end of a finding's id stands for.
ENDS = {
    **dict.fromkeys(("lookups", "void", "include", "syntax", "several", "broken"), "permerror"),
    **dict.fromkeys(("none", "flawed"), "none"),
    "unknown": "temperror",
    "sender": "pass",
}
#: Cases of pyspf's own suite that disagree, and why.
EXPLAINED = dict.fromkeys(
    ("default-modifier", "default-modifier-harsh"),
    "the doctor asks what mail servers say; default= counts in pyspf's lax mode alone",
)


def zone_of(data: Mapping[str, Any]) -> Zone:
    """A suite's zone as our DNS server takes it; an SPF record stands for a TXT record unless that has its own."""
    zone: dict[str, list[Any]] = {}
    for name, records in data.items():
        pairs = [pair for record in records if isinstance(record, dict) for pair in record.items()]
        kinds = {kind for kind, value in pairs if value != "NONE"}
        own = {kind for kind, _ in pairs}
        for record in records:
            if record == "TIMEOUT":  # for all other types at this name
                copied = {"TXT"} if "SPF" in kinds and "TXT" not in own else set()
                for kind in {"TXT", "A", "AAAA", "MX", "PTR"} - kinds - copied:
                    zone.setdefault(f"{name.lower()} {kind}", []).append(SILENCE)
                continue
            if not isinstance(record, dict):
                continue
            [(kind, value)] = record.items()
            if kind == "SPF":
                if "TXT" in own:
                    continue
                kind = "TXT"
            if value == "NONE":
                continue
            zone.setdefault(f"{name.lower()} {kind}", []).append(_value(kind, value))
    return zone


def _value(kind: str, value: Any) -> Any:
    if value == "TIMEOUT":
        return SILENCE
    if kind == "TXT":
        return [
            part.encode("utf-8", "surrogateescape") for part in ([value] if isinstance(value, str) else value)
        ] or [b""]
    if kind == "MX":
        return f"{value[0]} {value[1].rstrip('.')}."
    return f"{value.rstrip('.')}." if kind in ("PTR", "CNAME") else str(value)


def verdict_of(findings: list[Finding]) -> str:
    """The result for the sender by the doctor's findings."""
    ends = {finding.id.rpartition(".")[2]: finding for finding in findings}
    for end in ("several", "none", "flawed", "broken", "sender", "refused", "unknown"):
        if end in ends:
            return ENDS.get(end) or ends[end].facts["result"]
    return next((ENDS[end] for end in ends if end in ENDS), "none")


def cases(path: Path) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    for document in yaml.safe_load_all(path.read_text("utf-8")):
        if isinstance(document, dict) and isinstance(document.get("tests"), dict):
            for name, test in document["tests"].items():
                yield name, test, document.get("zonedata") or {}


def looked_at(server: Nameserver, test: Mapping[str, Any], zone: Mapping[str, Any]) -> str | None:
    """The doctor's result for a case, or ``None`` when the case cannot be asked.

    The doctor knows only the domain of MAIL FROM, so it cannot be asked a case about HELO alone, or one whose result
    depends on the local part or HELO.
    """
    local, _, domain = str(test.get("mailfrom") or "").rpartition("@")
    if not domain:
        return None
    server.zone = dict(zone_of(zone))
    resolver = Resolver(time.monotonic() + 20, server.address)
    sender = str(test["host"])
    try:
        helo = str(test.get("helo", "")) or domain
        whole = evaluate(resolver, i=sender, s=f"{local or 'postmaster'}@{domain}", h=helo).result
        bare = evaluate(resolver, i=sender, s=domain, h=domain).result
    except Unsure:
        whole = bare = "temperror"
    found = list(attempt("domain.spf", check_spf(resolver, domain, [sender], True)))
    depends = whole != bare or any(finding.facts.get("reason") == "macro" for finding in found)
    return None if depends else verdict_of(found)


def main(paths: list[Path]) -> int:
    """Run the suites; gives the exit status, 1 when a case disagrees."""
    wrong = 0
    with dns_server({}) as server:
        for path in paths:
            counts: Counter[str] = Counter()
            for name, test, zone in cases(path):
                expected = test["result"] if isinstance(test["result"], list) else [test["result"]]
                verdict = looked_at(server, test, zone)
                kind = "not asked" if verdict is None else "agree" if verdict in expected else "disagree"
                counts[kind] += 1
                if kind == "disagree":
                    why = f" ({EXPLAINED[name]})" if name in EXPLAINED else ""
                    print(f"{path.name}: {name}: the suite says {' or '.join(expected)}, the doctor {verdict}{why}")
            wrong += counts["disagree"]
            print(
                f"{path.name}: " + ", ".join(f"{counts[kind]} {kind}" for kind in ("agree", "disagree", "not asked"))
            )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
