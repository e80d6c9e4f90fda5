"""What the benchmark counts and prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from flask_optout.doctor.forms import find_forms, find_offered
from flask_optout.presses.judge import LAYERS
from flask_optout.testing.scanners import OLD_CHROME, PROFILES, Scanner

from . import machines
from .people import PEOPLE, is_there, meet
from .walks import Reader, ordinary
from .world import ELSEWHERE, OFFICE, SAFE_READS, Candidate, World

Visit = Callable[[World, Candidate], None]
RECIPIENTS = 5
ROUNDS = 5
WALK_ROUNDS = 10
#: When a scanner comes, seen from a person's press: before it, on a page that it opened before, with presses before
#: and after it, or after it, anew.
TIMES = ("before", "during", "between", "after")
#: Its presses are hours apart or it walks through everything, so that it is not tried in every order.
SLOW = ("P6", "P11 clicks everything")
#: Gives itself no name, reads the buttons and has all the time of the world.
NAMELESS = "R1 patient program"


@dataclass
class Report:
    """The figures of one run."""

    counts: Counter[str] = field(default_factory=Counter)
    opted_out: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)
    residue: str = ""

    @property
    def good(self) -> bool:
        few = len(self.asked) * 1000 <= self.counts["walks"]
        return few and not (self.opted_out or self.undone or self.untold or self.wrong)

    def __str__(self) -> str:
        counts = self.counts
        lines = [
            f"accidental opt-outs: {len(self.opted_out)} of {counts['visits']} visits {_names(self.opted_out)}",
            f"accidental undos: {len(self.undone)} of {counts['visits to the muted']} visits {_names(self.undone)}",
            f"of what a person had been told: {len(self.untold)} of {counts['told']} {_names(self.untold)}",
            f"people right: {counts['people'] - len(self.wrong)} of {counts['people']} {_names(self.wrong)}",
            f"second presses: {len(self.asked)} of {counts['walks']} ordinary walks {_names(self.asked)}",
            f"second presses beside a scanner: {counts['beside asked']} of {counts['beside']}",
            f"residue (not prevented): {self.residue}",
            *(f"left out: {count} people, as this machine lacks {what}" for what, count in self.missing.items()),
        ]
        return "\n".join(line.rstrip() for line in lines)


def scanners(world: World, report: Report, quick: bool) -> None:
    """Let every profile visit an invited candidate and a muted one; those without a browser several times."""
    for name, visit in profiles(world, browser_too=True).items():
        if quick and name.startswith(SLOW):
            continue
        for _ in range(1 if quick or name in machines.PROFILES else ROUNDS):
            for muted in (False, True):
                if name == NAMELESS and not muted:  # see residue
                    continue
                candidate = world.candidate()
                if muted:
                    candidate.said(True)
                visit(world, candidate)
                report.counts["visits to the muted" if muted else "visits"] += 1
                _note(report, candidate, name, muted)


def _note(report: Report, candidate: Candidate, name: str, muted: bool) -> None:
    if candidate.is_muted is not muted:
        (report.undone if muted else report.opted_out).append(name)
    if candidate.is_muted_for_all:
        report.opted_out.append(f"{name}, of everything")


def beside(world: World, report: Report, quick: bool) -> None:
    """Let every profile come before, around and after a person's press, from their network and from another."""
    for name, visit in profiles(world, browser_too=True).items():
        for when in TIMES:
            for mutes in (True, False):
                addresses = [OFFICE, ELSEWHERE]
                if name == NAMELESS and when == "before":
                    continue
                if name in machines.PROFILES:
                    if (
                        name.startswith("P6")
                        or when == "between"
                        or (quick and (when != "during" or name.startswith(SLOW)))
                    ):
                        continue
                    addresses = [world.dice.choice(addresses)]
                for address in addresses:
                    meet_scanner(world, report, f"{name}, {when}", visit, mutes, address)


def meet_scanner(world: World, report: Report, name: str, visit: Visit, mutes: bool, address: str) -> None:
    """A person and a scanner at one link; what the person was told must stand in the end."""
    candidate = world.candidate()
    if not mutes:
        candidate.said(True)
    reader = Reader(world, candidate, scripts=world.dice.random() < 0.5)
    when = name.rpartition(", ")[2]

    def act() -> None:
        opened = world.now()
        page = reader.open()
        world.wait(world.dice.uniform(1, 20))
        wanted = ("mute", "leave") if mutes else ("undo", "keep")
        choice = next((each for each in wanted if each in find_offered(page.text)), None)
        if choice is not None:  # what they want, or, where it stands already, what leaves it so
            reader.press(page, choice)
        passed = world.now() - opened
        world.wait(world.dice.uniform(max(5.0, passed), 115.0) - passed)

    world.address = address
    if when in ("during", "between"):  # a scanner that reads for 5 to 115 seconds, with the person's press in between
        world.meanwhile, world.pauses = act, world.dice.randint(1, 6) if when == "between" else 0
    elif when == "after":
        act()
    visit(world, candidate)
    if when == "before" or world.meanwhile is not None:  # it opened nothing, or was done before
        world.meanwhile = None
        act()
    world.address = ELSEWHERE
    report.counts["told"] += 1
    report.counts["people"] += 1
    report.counts["beside"] += reader.presses
    report.counts["beside asked"] += reader.asked
    if reader.asked > reader.presses:
        report.wrong.append(name)
    if candidate.is_muted is not mutes or candidate.is_muted_for_all:
        report.untold.append(f"{name}, {'same' if address == OFFICE else 'other'} network")


def profiles(world: World, browser_too: bool) -> dict[str, Visit]:
    """The scanners by name, those with a browser where there is one."""
    plain = {name: partial(_scan, profile) for name, profile in PROFILES.items()}
    nameless = {NAMELESS: partial(_scan, press_like_a_reader)}
    return {**plain, **nameless, **(machines.PROFILES if browser_too and world.browser is not None else {})}


def press_like_a_reader(scanner: Scanner) -> None:
    """Knows the words of the buttons, waits like a reader and mutes or undoes once."""
    page = scanner.get(scanner.link, OLD_CHROME)
    form = find_forms(page.text)[-1]
    scanner.wait(scanner.dice.uniform(1, 20))
    scanner.press(page, form, form.buttons[0], OLD_CHROME)


def people(world: World, report: Report, quick: bool) -> None:
    """Let people with real browsers press, and many over plain HTTP."""
    for name, person in PEOPLE.items():
        if not is_there(person, world):
            report.missing[person.needs] += 1
            continue
        outcome = meet(person, world)
        report.counts["people"] += 1
        if not outcome.right:
            report.wrong.append(name)
        if person.ordinary:
            report.counts["walks"] += 1
            report.asked += [name] * (outcome.asked > 0)
    figures = ordinary(world, 1 if quick else WALK_ROUNDS)
    report.counts += Counter({"walks": figures.walks, "people": figures.walks})
    report.asked += figures.asked
    report.wrong += figures.wrong


def residue(world: World, report: Report) -> None:
    """What nothing on a page can tell from a person: the domain alarm notices it, and it is told and reversible."""
    if world.browser is not None:
        muted = 0
        for _ in range(RECIPIENTS):
            candidate = world.candidate()
            machines.patient_click(world, candidate)
            muted += candidate.is_muted
        report.residue = f"R1 patient click {muted} of {RECIPIENTS}"


def ablate(world: World, quick: bool) -> None:
    """Switch each layer off in turn, and show what it is worth; when quick, beside people only while they read."""
    print(f"\n{'switched off':24} {'opt-outs':>14} {'undos':>14} {'told':>14}")
    for layer in (None, SAFE_READS, *LAYERS):
        with world.without(layer):
            report = Report()
            _ablated(world, report, quick)
        failed = {"visits": report.opted_out, "visits to the muted": report.undone, "told": report.untold}
        row = [f"{len(names):6} of {report.counts[visits]:4}" for visits, names in failed.items()]
        print(f"{layer.name if layer else 'nothing':24} {' '.join(row)}", flush=True)


def _ablated(world: World, report: Report, quick: bool) -> None:
    for name, visit in profiles(world, browser_too=not quick).items():
        if name.startswith(SLOW):
            continue
        for muted in (False, True) * (1 if quick or name in machines.PROFILES else ROUNDS):
            if name == NAMELESS and not muted:
                continue
            candidate = world.candidate()
            if muted:
                candidate.said(True)
            visit(world, candidate)
            report.counts["visits to the muted" if muted else "visits"] += 1
            _note(report, candidate, name, muted)
            if name not in machines.PROFILES:
                for when in ("during",) if quick else TIMES[name == NAMELESS :]:
                    meet_scanner(world, report, f"{name}, {when}", visit, muted, ELSEWHERE)


def _scan(profile: Callable[[Scanner], None], world: World, candidate: Candidate) -> None:
    profile(candidate.scanner())


def _names(names: list[str]) -> str:
    return f"({'; '.join(sorted(set(names)))})" if names else ""
