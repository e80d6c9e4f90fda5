"""What the benchmark counts and prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from flask_optout.doctor import scan
from flask_optout.presses.judge import LAYERS

from . import machines
from .people import PEOPLE, is_there, meet
from .world import SAFE_READS, Candidate, World

Visit = Callable[[World, Candidate], None]
RECIPIENTS = 5
ROUNDS = 5
SLOW = ("P6", "P11 clicks everything")
#: Without a name and with all the time of the world; at an invited candidate it is nobody but a text browser.
NAMELESS = "P7 form crawler without a name"

ALARM = {True: "yes", False: "no", None: "not tried, for want of a browser"}


@dataclass
class Report:
    """The figures of one run."""

    visits: int = 0
    opted_out: list[str] = field(default_factory=list)
    muted_visits: int = 0
    revived: list[str] = field(default_factory=list)
    people: int = 0
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ordinary_presses: int = 0
    ordinary_asked: int = 0
    other_presses: int = 0
    other_asked: int = 0
    residue: str = ""
    alarm: bool | None = None

    @property
    def good(self) -> bool:
        few = self.ordinary_asked * 100 <= self.ordinary_presses
        return not (self.opted_out or self.revived or self.wrong) and few and self.alarm is not False

    def __str__(self) -> str:
        lines = [
            f"accidental opt-outs: {len(self.opted_out)} of {self.visits} visits {_names(self.opted_out)}",
            f"accidental undos:    {len(self.revived)} of {self.muted_visits} visits {_names(self.revived)}",
            f"human outcomes right: {self.people - len(self.wrong)} of {self.people} {_names(self.wrong)}",
            f"second presses asked of ordinary human presses: {self.ordinary_asked} of {self.ordinary_presses}; "
            f"of unusual ones (swept before, too fast, undo without evidence, wavering): "
            f"{self.other_asked} of {self.other_presses}",
            f"residue (not prevented): {self.residue}",
            f"cohort alarm raised by R1: {ALARM[self.alarm]}",
            *(f"left out: {name}, as this machine lacks {what}" for name, what in _pairs(self.missing)),
        ]
        return "\n".join(line.rstrip() for line in lines)


def scanners(world: World, report: Report, quick: bool) -> None:
    """Let every profile visit an invited candidate and a muted one; those without a browser several times."""
    for name, visit in profiles(world, browser_too=True).items():
        if quick and name.startswith(SLOW):
            continue
        for _ in range(1 if quick or name in machines.PROFILES else ROUNDS):
            for muted in (False, True):
                candidate = world.candidate()
                if muted:
                    candidate.said(True)
                elif name == NAMELESS:
                    continue
                visit(world, candidate)
                report.visits += not muted
                report.muted_visits += muted
                if candidate.is_muted is not muted:
                    (report.revived if muted else report.opted_out).append(name)


def profiles(world: World, browser_too: bool) -> dict[str, Visit]:
    """The scanners by name, those with a browser where there is one."""
    plain = {name: partial(_scan, profile) for name, profile in scan.PROFILES.items()}
    nameless = {NAMELESS: partial(_scan, press_first_button)}
    return {**plain, **nameless, **(machines.PROFILES if browser_too and world.browser is not None else {})}


def press_first_button(scanner: scan.Scanner) -> None:
    """Opens the page with an old browser's name, waits like a reader and sends the first form once."""
    page = scanner.get(scanner.link, scan.OLD_CHROME)
    form = scan.forms_in(page.text)[0]
    scanner.wait(scanner.dice.uniform(1, 20))
    scanner.press(page, form, form.buttons[0], scan.OLD_CHROME)


def people(world: World, report: Report) -> None:
    for name, person in PEOPLE.items():
        if not is_there(person, world):
            report.missing += [name, person.needs]
            continue
        outcome = meet(person, world)
        report.people += 1
        if not outcome.right:
            report.wrong.append(name)
        if person.ordinary:
            report.ordinary_presses += outcome.presses
            report.ordinary_asked += outcome.asked
        else:
            report.other_presses += outcome.presses
            report.other_asked += outcome.asked


def residue(world: World, report: Report) -> None:
    """What nothing on a page can tell from a person: it is seen by the cohort alarm, told, and reversible."""
    before, muted = len(world.alarms), 0
    if world.browser is not None:
        for candidate in _colleagues(world, "patient.example"):
            machines.patient_click(world, candidate)
            muted += candidate.is_muted
        report.residue = f"R1 patient click {muted} of {RECIPIENTS}, "
        report.alarm = len(world.alarms) > before
    before, muted = len(world.alarms), 0
    for candidate in _colleagues(world, "nameless.example"):
        press_first_button(candidate.scanner())
        muted += candidate.is_muted
    seen = "alarm" if len(world.alarms) > before else "no alarm"
    report.residue += f"{NAMELESS} {muted} of {RECIPIENTS} ({seen})"


def ablate(world: World, browser_too: bool) -> None:
    """Switch each layer off in turn, and show what it was worth."""
    print(f"\n{'switched off':24} {'opt-outs':>12} {'undos':>12} {'sends held':>12} {'alarm':>6}")
    for layer in (None, SAFE_READS, *LAYERS):
        with world.without(layer):
            row = [_count(world, browser_too and not muted, muted) for muted in (False, True)]
            alarms = len(world.alarms)
            for candidate in _colleagues(world, f"{layer.name if layer else 'nothing'}.example".replace(" ", "-")):
                press_first_button(candidate.scanner())
            alarm = "yes" if len(world.alarms) > alarms else "no"
        (out, visits, held), (undone, muted_visits, _) = row
        name = layer.name if layer else "nothing"
        print(f"{name:24} {out:5} of {visits:3} {undone:5} of {muted_visits:3} {held:5} of {visits:3} {alarm:>6}")


def _count(world: World, browser_too: bool, muted: bool) -> tuple[int, int, int]:
    changed = visits = held = 0
    for name, visit in profiles(world, browser_too).items():
        if name.startswith(SLOW) or (name == NAMELESS and not muted):
            continue
        for _ in range(2 if name in machines.PROFILES else ROUNDS):
            candidate = world.candidate()
            if muted:
                candidate.said(True)
            visit(world, candidate)
            visits += 1
            changed += candidate.is_muted is not muted
            held += not candidate.is_muted and not world.host.optout.may_invite(candidate.address, "beta-42")
    return changed, visits, held


def _scan(profile: Callable[[scan.Scanner], None], world: World, candidate: Candidate) -> None:
    profile(candidate.scanner())


def _colleagues(world: World, domain: str) -> list[Candidate]:
    return [world.candidate(domain) for _ in range(RECIPIENTS)]


def _names(names: list[str]) -> str:
    return f"({', '.join(sorted(set(names)))})" if names else ""


def _pairs(flat: list[str]) -> Iterator[tuple[str, str]]:
    return zip(flat[::2], flat[1::2], strict=True)
