"""What was found, as text for a terminal, as plain text and as JSON; the JSON is described in docs/doctor.md."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator
from typing import Self, TextIO

import click

from .examine import GROUPS, Report
from .finding import Finding, Severity, clean

#: Of the JSON; it grows by one when something in it changes its meaning or goes away.
VERSION = 1
TITLES = {
    "setup": "Set-up",
    "domain": "Sending domain",
    "message": "Message",
    "doors": "Doors",
}
STYLES = {
    Severity.FAIL: "bold red",
    Severity.WARN: "yellow",
    Severity.NOTE: "cyan",
    Severity.UNKNOWN: "magenta",
    Severity.OK: "green",
}
WIDTH = 80
INDENT = 15


def as_json(report: Report) -> str:
    """The report for programs."""
    return json.dumps(
        {
            "version": VERSION,
            "domain": report.domain,
            "exit_status": report.exit_status,
            "counts": {severity.value: report.count(severity) for severity in Severity},
            "findings": [
                {
                    "id": finding.id,
                    "group": finding.group,
                    "severity": finding.severity.value,
                    "seen": finding.seen,
                    "why": finding.why,
                    "mend": finding.mend,
                    "paste": finding.paste,
                    "source": finding.source,
                    "facts": {name: clean(value) for name, value in finding.facts.items()},
                    "details": list(finding.details),
                }
                for finding in report.findings
            ],
        },
        indent=2,
    )


def summary(report: Report) -> str:
    """One line that says how much is wrong."""
    mend, look = report.count(Severity.FAIL), report.count(Severity.WARN, Severity.NOTE)
    well, untold = report.count(Severity.OK), report.count(Severity.UNKNOWN)
    things = f"{mend} thing{'' if mend == 1 else 's'}"
    return f"{things} to mend, {look} to look at, {well} well, {untold} could not be told"


def lines(report: Report) -> Iterator[tuple[str, str]]:
    """The report as pairs of style and line, the worst first; what is to be pasted is never broken."""
    if report.domain:
        yield "bold", f"{report.domain}:"
    for finding in report.findings:
        yield from _finding(finding)
        if finding.severity is not Severity.OK:
            yield "", ""
    yield "bold", summary(report)


def _finding(finding: Finding) -> Iterator[tuple[str, str]]:
    style, about = STYLES[finding.severity], TITLES[finding.group]
    wrapped = textwrap.wrap(f"{about}: {finding.seen}", WIDTH - 10, break_on_hyphens=False)
    for number, line in enumerate(wrapped):
        yield style, f"{'' if number else finding.severity.value:<8}  {line}"
    if finding.severity is Severity.OK:
        return
    for line in finding.details:
        indent = " " * (12 + len(line) - len(line.lstrip()))
        wrapped = textwrap.wrap(
            line.strip(),
            WIDTH,
            initial_indent=indent,
            subsequent_indent=f"{indent}    ",
            break_on_hyphens=False,
        )
        yield from (("cyan", part) for part in wrapped)
    for label, text in (("why", finding.why), ("mend", finding.mend), ("see", finding.source)):
        for number, line in enumerate(
            textwrap.wrap(text, WIDTH - INDENT, break_on_hyphens=False, break_long_words=False)
        ):
            yield "dim" if label == "see" else "", f"{'':<10}{'' if number else label:<5}{line}"
        if label == "mend":
            yield from (("bold", f"{'':<{INDENT}}{line}".rstrip()) for line in finding.paste.splitlines())


def write(report: Report, out: TextIO) -> None:
    """Write the report for people: in colours on a terminal, unless NO_COLOR is set; plain elsewhere."""
    encoding = out.encoding or "utf-8"
    colours = out.isatty() and not os.environ.get("NO_COLOR")
    for style, line in lines(report):
        text = line.encode(encoding, "replace").decode(encoding)
        words = style.split()
        colour = next((word for word in words if word not in ("bold", "dim")), None)
        styled = click.style(text, fg=colour, bold="bold" in words or None, dim="dim" in words or None)
        click.echo(styled, file=out, color=colours)


class Progress:
    """On a terminal, one line that says what is being looked at; elsewhere nothing."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._left = list(GROUPS)

    def __enter__(self) -> Self:
        self._show()
        return self

    def __exit__(self, *raised: object) -> None:
        self._left.clear()
        self._show()

    def done(self, group: str) -> None:
        self._left.remove(group)
        self._show()

    def _show(self) -> None:
        if self._out.isatty():
            text = f"Looking at: {', '.join(TITLES[group].lower() for group in self._left)} …" if self._left else ""
            self._out.write(f"\r\x1b[K{text}")
            self._out.flush()
