"""What was found, as text for a terminal, as plain text and as JSON; the JSON is described in docs/doctor.md."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Self, TextIO

from .examine import GROUPS, Report
from .finding import Finding, Severity

#: Of the JSON; it grows by one when something in it changes its meaning or goes away.
VERSION = 1
TITLES = {
    "setup": "Set-up",
    "domain": "Sending domain",
    "message": "The message",
    "doors": "The doors",
}
STYLES = {Severity.OK: "green", Severity.NOTE: "cyan", Severity.WARN: "yellow", Severity.FAIL: "bold red"}
WIDTH = 110
INDENT = 13


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
                    "details": list(finding.details),
                }
                for finding in report.findings
            ],
        },
        indent=2,
    )


def lines(report: Report, width: int = WIDTH) -> Iterator[tuple[str, str]]:
    """The report as pairs of style and line; what is to be pasted is never broken."""
    for group in GROUPS:
        findings = [finding for finding in report.findings if finding.group == group]
        if findings:
            about = f": {report.domain}" if group == "domain" and report.domain else ""
            yield "bold", f"{TITLES[group]}{about}"
        for finding in findings:
            said = list(_finding(finding, width))
            yield from said
            if said[1:] or finding is findings[-1]:
                yield "", ""
    yield "bold", ", ".join(f"{report.count(severity)} {severity.value}" for severity in reversed(Severity))


def _finding(finding: Finding, width: int) -> Iterator[tuple[str, str]]:
    first, *rest = textwrap.wrap(finding.seen, width - 8, break_long_words=False, break_on_hyphens=False) or [""]
    yield STYLES[finding.severity], f"  {finding.severity.value:<5} {first}"
    for line in rest:
        yield STYLES[finding.severity], f"        {line}"
    for line in finding.details:
        yield "cyan", f"          {line}"
    for label, text in (("why", finding.why), ("mend", finding.mend)):
        for number, line in enumerate(textwrap.wrap(text, width - INDENT)):
            yield "", f"        {'' if number else label:<5}{line}"
    for line in finding.paste.splitlines():
        yield "bold", f"{' ' * INDENT}{line}"
    if finding.source:
        yield "dim", f"        {'see':<5}{finding.source}"


def write(report: Report, out: TextIO) -> None:
    """Write the report for people: in colours on a terminal, where rich is installed, plain elsewhere."""
    if out.isatty():
        try:
            from rich.console import Console
        except ImportError:
            pass
        else:
            console = Console(file=out)
            for style, line in lines(report, min(console.width, WIDTH)):
                console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
            return
    encoding = out.encoding or "utf-8"
    for _, line in lines(report):
        print(line.encode(encoding, "replace").decode(encoding), file=out)


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
