"""What was found, by id."""

from __future__ import annotations

from collections.abc import Iterable

from flask_optout.doctor.finding import Finding, Severity


def ids(findings: Iterable[Finding]) -> set[str]:
    """The ids of findings; an id has one severity and one text."""
    return {finding.id for finding in findings}


def not_well(findings: Iterable[Finding]) -> set[str]:
    """The ids of what is not as it should be, or could not be told."""
    return {finding.id for finding in findings if finding.severity != Severity.OK}


def the(findings: Iterable[Finding], id: str) -> Finding:
    """The one finding with this id."""
    [found] = [finding for finding in findings if finding.id == id]
    return found
