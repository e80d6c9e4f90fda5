"""People over plain HTTP, as browsers send their presses: many walks in little time, alone and beside scanners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlencode, urljoin

from flask_optout.doctor.forms import Button, Form, find_forms
from flask_optout.testing.scanners import Answer

from .world import OFFICE, Candidate, World, send

CHROME = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Safari/605.1.15"
)
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
NAVIGATES = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1"}
FETCHES = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "HX-Request": "true"}
AGAIN = 'class="optout-again"'
#: A second client of the same person, on another network.
ON_THE_ROAD = "192.0.2.44"


@dataclass
class Reader:
    """Somebody with a browser.

    :param scripts: whether scripts run, so that htmx sends the presses.
    """

    world: World
    candidate: Candidate
    agent: str = CHROME
    scripts: bool = True
    address: str = OFFICE
    asked: int = 0
    presses: int = 0
    told: list[str] = field(default_factory=list)

    def open(self) -> Answer:
        return self._send("GET", self.candidate.link, {}, None)

    def press(self, page: Answer, choice: str) -> Answer:
        """Press a button of this page, and press once more if asked; gives the page that came of it."""
        form, button = self._find(page, lambda button: (button.name, button.value) == ("choice", choice))
        label = button.label
        self.presses += 1
        page = self._submit(page, form, button)
        while AGAIN in page.text:
            self.asked += 1
            self.world.wait(self.world.dice.uniform(1, 8))
            form, button = self._find(page, lambda button: button.label == label)
            page = self._submit(page, form, button)
        self.told.append(choice)
        return page

    def _find(self, page: Answer, is_wanted: Callable[[Button], bool]) -> tuple[Form, Button]:
        return next((form, each) for form in find_forms(page.text) for each in form.buttons if is_wanted(each))

    def _submit(self, page: Answer, form: Form, button: Button) -> Answer:
        fields = {**form.fields, button.name: button.value}
        if self.scripts:
            fields |= {"scripts": "trusted", "seen": str(self.world.dice.randint(900, 40_000))}
        body = urlencode(fields).encode()
        headers = {**(FETCHES if self.scripts else NAVIGATES), "Content-Type": "application/x-www-form-urlencoded"}
        return self._send("POST", urljoin(page.url, form.action), headers, body)

    def _send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        before, self.world.address = self.world.address, self.address
        try:
            return send(self.world, method, url, {"User-Agent": self.agent, **headers}, body)
        finally:
            self.world.address = before


class Walk(NamedTuple):
    """What a person does, in turn: ``open`` and ``wait``, or a button.

    :param muted: whether they had opted out some days ago.
    :param ends_muted: what they want in the end.
    """

    muted: bool
    steps: str
    ends_muted: bool


#: ``other`` goes on with a second tab that was opened before; ``phone`` with another device, on another network.
WALKS = {
    "mute": Walk(False, "open mute", True),
    "keep": Walk(False, "open keep", False),
    "mute, undo": Walk(False, "open mute undo", False),
    "mute, reload, undo": Walk(False, "open mute open undo", False),
    "mute, a while, undo": Walk(False, "open mute pause undo", False),
    "mute everything": Walk(False, "open mute mute-all", True),
    "undo": Walk(True, "open undo", False),
    "undo, mute": Walk(True, "open undo mute", True),
    "undo, reload, mute": Walk(True, "open undo open mute", True),
    "leave": Walk(True, "open leave", True),
    "leave, undo": Walk(True, "open leave undo", False),
    "reload, mute": Walk(False, "open open open mute", True),
    "double mute": Walk(False, "open mute back mute", True),
    "double undo": Walk(True, "open undo back undo", False),
    "back, mute again": Walk(False, "open mute back mute", True),
    "keep, a pause, mute": Walk(False, "open keep read mute", True),
    "two tabs, mute in both": Walk(False, "open tab mute other mute", True),
    "two tabs, mute, then look": Walk(False, "open tab mute other open", True),
    "phone and laptop, mute on both": Walk(False, "open mute phone open leave", True),
    "phone, an hour later laptop": Walk(False, "open mute hour phone open undo", False),
}


def walk(world: World, walk: Walk, agent: str, scripts: bool) -> tuple[bool, Reader]:
    """Let somebody walk; says whether they got what they wanted."""
    candidate = world.candidate()
    if walk.muted:
        candidate.said(True)
    reader = Reader(world, candidate, agent, scripts)
    page = tab = before = reader.open()
    for step in walk.steps.split()[1:]:
        world.wait(world.dice.uniform(1.0, 9.0))
        if step == "open":
            page = reader.open()
        elif step == "tab":
            tab = reader.open()
        elif step == "other":
            page = tab
        elif step == "back":
            page = before
        elif step == "phone":
            reader.agent, reader.scripts, reader.address = PHONE, True, ON_THE_ROAD
        elif step in PAUSES:
            world.wait(world.dice.uniform(*PAUSES[step]))
        else:
            before, page = page, reader.press(page, step)
    return candidate.is_muted is walk.ends_muted, reader


#: Seconds.
PAUSES = {"read": (16, 60), "pause": (30, 100), "hour": (1_900, 4_000)}
AGENTS = [(CHROME, True), (CHROME, False), (FIREFOX, True), (FIREFOX, False), (SAFARI, True), (PHONE, True)]


class Figures(NamedTuple):
    """How many walks there were, and the names of those that met a second press, and of those that went wrong."""

    walks: int
    asked: list[str]
    wrong: list[str]


def ordinary(world: World, rounds: int) -> Figures:
    """Every walk with every browser, so many times."""
    figures = Figures(rounds * len(WALKS) * len(AGENTS), [], [])
    for _ in range(rounds):
        for name, each in WALKS.items():
            for agent, scripts in AGENTS:
                right, reader = walk(world, each, agent, scripts)
                figures.asked.extend([name] * (reader.asked > 0))
                figures.wrong.extend([name] * (not right))
    return figures
