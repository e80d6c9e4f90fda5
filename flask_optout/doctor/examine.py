"""Look at everything at once, within a time, and come back with findings whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from flask import Flask

from ..errors import OptOutError
from ..links.tokens import Door
from ..wiring import State
from .case import Case
from .doors import PROBE, PROBE_OPPORTUNITY, doors
from .finding import Finding, Severity, unknown
from .http import knock
from .message import message
from .setup import setup

#: In all; DNS stops some seconds earlier, so that what was seen by then is told.
SECONDS = 18.0
SECONDS_FOR_DNS = 14.0
GROUPS = ("setup", "domain", "message", "doors")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What was looked at, and what was seen."""

    domain: str | None
    findings: list[Finding]

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def exit_status(self) -> int:
        """1 when something fails, else 0."""
        return int(self.count(Severity.FAIL) > 0)


def examine(app: Flask, state: State, case: Case, offline: bool, progress: Progress = lambda group: None) -> Report:
    """Look at all four groups, side by side.

    :param offline: ask neither DNS nor the deployed app.
    :param progress: is told each group that is done.
    """
    end = time.monotonic() + SECONDS
    prefix = _prefix(state)
    work: dict[str, Callable[[], Iterable[Finding]]] = {
        "setup": lambda: _in_context(app, state),
        "domain": lambda: _skipped("domain") if offline else _domain(case),
        "message": lambda: _message(case, prefix, offline),
        "doors": lambda: _skipped("doors") if offline else _doors(state),
    }
    found: dict[str, list[Finding]] = {group: [] for group in GROUPS}
    threads = {
        group: threading.Thread(target=_gather, args=(group, work[group], found[group]), daemon=True)
        for group in GROUPS
    }
    for thread in threads.values():
        thread.start()
    for group, thread in threads.items():
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            reason = f"it took longer than {SECONDS:.0f} seconds"
            found[group] = [*found[group], unknown(f"{group}.time", "the rest", reason)]
        progress(group)
    return Report(case.author, [finding for group in GROUPS for finding in found[group]])


def _gather(group: str, work: Callable[[], Iterable[Finding]], found: list[Finding]) -> None:
    try:
        for finding in work():
            found.append(finding)
    # What comes from outside is hostile: whatever a reader of it stumbles over ends as a finding, never as a trace.
    except Exception as error:
        found.append(unknown(f"{group}.trouble", "the rest", f"it cannot be read ({type(error).__name__})"))


def _in_context(app: Flask, state: State) -> Iterator[Finding]:
    with app.app_context():
        yield from setup(app, state)


def _skipped(group: str) -> list[Finding]:
    seen = "Not looked at, as --offline says."
    return [Finding(f"{group}.offline", Severity.NOTE, seen, "It may be wrong.", "Leave --offline out.")]


def _domain(case: Case) -> Iterator[Finding]:
    try:
        from .domain import domain
        from .resolver import Resolver
    except ImportError as error:
        yield _no_extra("domain", error)
        return
    yield from domain(case, Resolver(time.monotonic() + SECONDS_FOR_DNS, case.nameservers))


def _message(case: Case, prefix: str | None, offline: bool) -> Iterator[Finding]:
    yield from message(case, prefix)
    if case.sample is None or not case.sample.signatures:
        return
    if offline:
        yield from _skipped("message.dkim")
        return
    try:
        from .dkim_keys import signatures
        from .resolver import Resolver
    except ImportError as error:
        yield _no_extra("message.dkim", error)
        return
    resolver = Resolver(time.monotonic() + SECONDS_FOR_DNS, case.nameservers)
    yield from signatures(resolver, case.sample.raw, case.sample.all("DKIM-Signature"))


def _no_extra(part: str, error: ImportError) -> Finding:
    seen = f"Could not tell anything that needs DNS: {error.name} is not installed."
    why, mend = "What could not be seen may be wrong.", "Install what asks DNS."
    return Finding(f"{part}.extra", Severity.WARN, seen, why, mend, paste="pip install 'Flask-OptOut[doctor]'")


def _doors(state: State) -> Iterator[Finding]:
    try:
        landing, one_click = (
            state.links.url(door, PROBE, PROBE_OPPORTUNITY) for door in (Door.LANDING, Door.ONE_CLICK)
        )
    except OptOutError as error:
        yield unknown("doors.page", "what candidates see", error.what, error.mend)
        return
    email_log = None if state.operator is None else f"{landing.rpartition('/')[0]}/operator/"
    yield from doors(landing, one_click, email_log, knock)


def _prefix(state: State) -> str | None:
    try:
        url = state.links.url(Door.LANDING, PROBE, PROBE_OPPORTUNITY)
    except OptOutError:
        return None
    return url.rpartition("/")[0] + "/"
