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

#: Of the JSON; it grows by one when something in it changes its meaning or goes away.
VERSION = 1
TITLES = {"setup": "Set-up", "domain": "Sending domain", "message": "Message", "doors": "Doors"}
COLOURS = dict(zip(Severity, ("red", "yellow", "cyan", "magenta", "green"), strict=True))
WIDTH = 80
INDENT = 15


@dataclass(frozen=True)
class Report:
    """What was looked at, and what was seen: each thing once, the worst first."""

    domain: str | None
    findings: list[Finding]

    @classmethod
    def of(cls, domain: str | None, findings: Iterable[Finding]) -> Report:
        once = {(finding.id, finding.seen): finding for finding in findings}
        order = list(Severity)
        return cls(domain, sorted(once.values(), key=lambda finding: order.index(finding.severity)))

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
        "version": VERSION,
        "domain": report.domain,
        "exit_status": report.exit_status,
        "counts": report.counts,
        "findings": [{**asdict(finding), "group": finding.group} for finding in report.findings],
    }
    return json.dumps(said, indent=2)


def lines(report: Report) -> Iterator[tuple[str, str]]:
    """The report as pairs of style and line, the worst first; what is to be pasted is never broken.

    The last line says how much is wrong.
    """
    if report.domain:
        yield "bold", f"{report.domain}:"
    for finding in report.findings:
        yield from _finding(finding)
    mend, warned, noted, untold, well = report.counts.values()
    things = f"{mend} thing{'' if mend == 1 else 's'}"
    yield "bold", f"{things} to mend, {warned + noted} to look at, {well} well, {untold} could not be told"


def _finding(finding: Finding) -> Iterator[tuple[str, str]]:
    style = COLOURS[finding.severity] + (" bold" if finding.severity is Severity.FAIL else "")
    first = f"{finding.severity.value:<8}  "
    for line in _wrapped(f"{TITLES[finding.group]}: {finding.seen}", first, " " * 10):
        yield style, line
    if finding.severity is Severity.OK:
        return
    for detail in finding.details:
        indent = " " * (12 + len(detail) - len(detail.lstrip()))
        for line in _wrapped(detail.strip(), indent, f"{indent}    "):
            yield "cyan", line
    for label, text in (("why", finding.why), ("mend", finding.mend), ("see", finding.source)):
        for line in _wrapped(text, f"{'':<10}{label:<5}", " " * INDENT, break_long_words=False):
            yield "dim" if label == "see" else "", line
        if label == "mend":
            yield from (("bold", f"{'':<{INDENT}}{line}".rstrip()) for line in finding.paste.splitlines())
    yield "", ""


def _wrapped(text: str, first: str, rest: str, break_long_words: bool = True) -> list[str]:
    wrapper = textwrap.TextWrapper(WIDTH, first, rest, break_on_hyphens=False, break_long_words=break_long_words)
    return wrapper.wrap(text)


def write(report: Report, out: TextIO) -> None:
    """Write the report for people: in colours on a terminal, unless NO_COLOR is set; plain elsewhere."""
    encoding = out.encoding or "utf-8"
    colours = out.isatty() and not os.environ.get("NO_COLOR")
    for style, line in lines(report):
        text = line.encode(encoding, "replace").decode(encoding)
        colour = next((colour for colour in COLOURS.values() if colour in style), None)
        styled = click.style(text, fg=colour, bold="bold" in style or None, dim="dim" in style or None)
        click.echo(styled, file=out, color=colours)
