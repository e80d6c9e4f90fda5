"""What was found, as text for a terminal, as plain text and as JSON; the JSON is described in docs/doctor.md."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TextIO

import click

from .finding import Finding, Severity

TITLES = {"setup": "Set-up", "domain": "Sending domain", "message": "Message", "doors": "Doors"}
COLOURS = dict(zip(Severity, ("red", "yellow", "cyan", "magenta", "green"), strict=True))
INDENT = 15


@dataclass(frozen=True)
class Report:
    """What was looked at, and what was seen: each thing once, the worst first."""

    domain: str | None
    findings: list[Finding]

    @classmethod
    def of(cls, domain: str | None, findings: Iterable[Finding]) -> Report:
        once = {(finding.id, finding.seen): finding for finding in findings}
        return cls(domain, sorted(once.values(), key=lambda finding: list(Severity).index(finding.severity)))

    @property
    def counts(self) -> dict[Severity, int]:
        found = [finding.severity for finding in self.findings]
        return {severity: found.count(severity) for severity in Severity}

    @property
    def exit_status(self) -> int:
        """1 when something fails, else 0."""
        return int(self.counts[Severity.FAIL] > 0)


def as_json(report: Report) -> str:
    """The report for programs."""
    said = {
        "version": 1,  # grows by one when something in the JSON changes its meaning or goes away
        "domain": report.domain,
        "exit_status": report.exit_status,
        "counts": report.counts,
        "findings": [{**asdict(finding), "group": finding.group} for finding in report.findings],
    }
    return json.dumps(said, indent=2)


def format_lines(report: Report) -> Iterator[str]:
    """The report as a terminal shows it, the worst first; what is to be pasted is never broken.

    The last line says how much is wrong.
    """
    if report.domain:
        yield click.style(f"{report.domain}:", bold=True)
    for finding in report.findings:
        yield from _format_finding(finding)
    mend, warned, noted, untold, well = report.counts.values()
    things = f"{mend} thing{'' if mend == 1 else 's'} to mend, {warned + noted} to look at"
    yield click.style(f"{things}, {well} well, {untold} could not be told", bold=True)


def _format_finding(finding: Finding) -> Iterator[str]:
    seen = f"{TITLES[finding.group]}: {finding.seen}"
    for line in _wrap(seen, f"{finding.severity.value:<8}  ", " " * 10):
        yield click.style(line, fg=COLOURS[finding.severity], bold=finding.severity is Severity.FAIL or None)
    if finding.severity is Severity.OK:
        return
    for detail in finding.details:
        indent = " " * (12 + len(detail) - len(detail.lstrip()))
        for line in _wrap(detail.strip(), indent, f"{indent}    "):
            yield click.style(line, fg="cyan")
    for label, text in (("why", finding.why), ("mend", finding.mend), ("see", finding.source)):
        for line in _wrap(text, f"{'':<10}{label:<5}", " " * INDENT, break_words=False):
            yield click.style(line, dim=label == "see" or None)
        if label == "mend" and finding.paste:
            yield click.style(textwrap.indent(finding.paste, " " * INDENT), bold=True)
    yield ""


def _wrap(text: str, first: str, rest: str, break_words: bool = True) -> list[str]:
    return textwrap.TextWrapper(80, first, rest, break_on_hyphens=False, break_long_words=break_words).wrap(text)


def write(report: Report, out: TextIO) -> None:
    """Write the report for people: in colours on a terminal, unless NO_COLOR is set; plain elsewhere."""
    encoding = out.encoding or "utf-8"
    colours = out.isatty() and not os.environ.get("NO_COLOR")
    for line in format_lines(report):
        click.echo(line.encode(encoding, "replace").decode(encoding), file=out, color=colours)
