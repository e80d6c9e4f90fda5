"""People: they press once, press again where the page asks, and must end up with what they wanted."""

from __future__ import annotations

import http.client
import os
import pty
import re
import select
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Page, TimeoutError

from flask_optout.doctor.forms import SIGNAL
from flask_optout.testing.scanners import PROFILES, crawl_all_forms

from . import machines
from .machines import EDGE, clicks_everything, detonation, linger, settle, tab
from .walks import CHROME, FIREFOX, SAFARI
from .world import ELSEWHERE, OFFICE, Candidate, World

PHONE = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/129.0.0.0 Mobile Safari/537.36"
)
REDRAW, CLEAR = "\x0c", "\x15"
MUTE, KEEP, UNDO = "Not Interested?", "Keep me invited", "I've changed my mind."
How = Callable[[Page, str], None]


def by_mouse(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def by_double_click(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).dblclick(no_wait_after=True)


def by_touch(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).tap()


def by_key(key: str) -> How:
    def press(page: Page, name: str) -> None:
        button = page.get_by_role("button", name=name)
        for _ in range(20):
            page.keyboard.press("Tab")
            if button.evaluate("button => button === document.activeElement"):
                page.keyboard.press(key)
                return
        raise AssertionError(f"The keyboard does not reach {name!r}.")

    return press


def say(world: World, page: Page, name: str, how: How = by_mouse) -> int:
    """Read, press, and press once more if asked; gives how often it took."""
    for presses in range(1, 4):
        linger(world, page, world.dice.uniform(1.0, 30.0))
        with page.expect_response(lambda response: response.request.method == "POST"):
            how(page, name)
        settle(page)
        if not page.locator(".optout-again").is_visible():
            return presses
    return presses


@dataclass(frozen=True)
class Person:
    """Somebody with a link, a way to press and a wish.

    :param acts: gives how many presses it took for each thing they said.
    :param ordinary: whether nothing unusual went before, so that one press must do.
    """

    acts: Callable[[World, Candidate], list[int]]
    wants_mute: bool = True
    ordinary: bool = True
    needs: str = "browser"


class Outcome(NamedTuple):
    right: bool
    presses: int
    asked: int


def meet(person: Person, world: World) -> Outcome:
    """Let a person act; right is who gets what they want by at most one press more for each thing they say."""
    candidate = world.candidate()
    world.address = OFFICE
    try:
        presses = person.acts(world, candidate)
    except TimeoutError:  # the button that they look for is not there
        return Outcome(False, 1, 0)
    finally:
        world.address = ELSEWHERE
    satisfied = candidate.is_muted is person.wants_mute and all(count <= 2 for count in presses)
    return Outcome(satisfied, len(presses), sum(presses) - len(presses))


def mutes(how: How = by_mouse, agent: str = CHROME, scripts: bool = True, **options: bool) -> Person:
    def act(world: World, candidate: Candidate) -> list[int]:
        with tab(world, scripts, agent, **options) as page:
            page.goto(candidate.link)
            return [say(world, page, MUTE, how)]

    return Person(act)


def mutes_with_scripts_blocked(world: World, candidate: Candidate) -> list[int]:
    with tab(world) as page:
        page.route("**/*.js", lambda route: route.abort())
        page.goto(candidate.link)
        return [say(world, page, MUTE)]


def changes_their_mind(after: float, agent: str = CHROME, scripts: bool = True) -> Person:
    """Mutes, and undoes on the same page."""

    def act(world: World, candidate: Candidate) -> list[int]:
        with tab(world, scripts, agent) as page:
            page.goto(candidate.link)
            first = say(world, page, MUTE)
            world.wait(after)
            return [first, say(world, page, UNDO)]

    return Person(act, wants_mute=False)


def comes_back_to_undo(agent: str = CHROME, scripts: bool = True, ordinary: bool = True) -> Person:
    """Mutes, and undoes on a later visit."""

    def act(world: World, candidate: Candidate) -> list[int]:
        candidate.said(True)
        with tab(world, scripts, agent) as page:
            page.goto(candidate.link)
            page.locator("summary", has_text="Change this").click()
            return [say(world, page, UNDO)]

    return Person(act, wants_mute=False, ordinary=ordinary)


def wavers(world: World, candidate: Candidate) -> list[int]:
    with tab(world) as page:
        page.goto(candidate.link)
        return [say(world, page, name) for name in (MUTE, UNDO, MUTE)]


def is_too_fast(world: World, candidate: Candidate) -> list[int]:
    with tab(world) as page:
        page.goto(candidate.link)
        with page.expect_response(lambda response: response.request.method == "POST"):
            by_mouse(page, MUTE)
        settle(page)
        return [1 + say(world, page, MUTE) if page.locator(".optout-again").is_visible() else 1]


def uses_two_tabs(world: World, candidate: Candidate) -> list[int]:
    """Mutes in one tab, says it again in another that was opened before, and stays muted."""
    with tab(world) as page:
        other = page.context.new_page()
        other.goto(candidate.link)
        page.goto(candidate.link)
        return [say(world, page, MUTE), say(world, other, MUTE)]


def leaves_it(world: World, candidate: Candidate) -> list[int]:
    """Mutes, opens the link again and confirms what stands."""
    with tab(world) as page:
        page.goto(candidate.link)
        first = say(world, page, MUTE)
        page.goto(candidate.link)
        return [first, say(world, page, "Leave it as it is")]


def swept(sweep: Callable[[World, Candidate], None]) -> Person:
    """Presses seconds after a scanner went over the same link."""

    def act(world: World, candidate: Candidate) -> list[int]:
        world.address = world.dice.choice((OFFICE, ELSEWHERE))
        sweep(world, candidate)
        world.address = OFFICE
        world.wait(world.dice.uniform(1, 20))
        with tab(world) as page:
            page.goto(candidate.link)
            return [say(world, page, MUTE)]

    return Person(act, ordinary=False)


def muted_then_swept(world: World, candidate: Candidate) -> list[int]:
    with tab(world) as page:
        page.goto(candidate.link)
        presses = say(world, page, MUTE)
    world.wait(600)
    for profile in PROFILES.values():
        profile(candidate.scanner())
    clicks_everything(scripts=True)(world, candidate)
    return [presses]


def one_click(body: bytes, kind: str) -> Person:
    """Presses the button of a mail program."""

    def act(world: World, candidate: Candidate) -> list[int]:
        url = urlsplit(candidate.one_click)
        connection = http.client.HTTPConnection(url.netloc)
        connection.request("POST", url.path, body, {"Content-Type": kind} if kind else {})
        connection.getresponse().read()
        connection.close()
        return [1]

    return Person(act, needs="")


def in_text_browser(program: str, *labels: str, muted: bool = False, wants: bool = True, most: int = 0) -> Person:
    """Presses buttons in a text browser that really runs in a terminal, one after the other, each found by its words.

    :param most: how often the page may ask; then each of these walks is no ordinary one.
    """

    def act(world: World, candidate: Candidate) -> list[int]:
        if muted:
            candidate.said(True)
        presses = []
        with terminal([program, candidate.link]) as keyboard:
            for label in labels:
                before = candidate.asked
                press_by_words(world, keyboard, label)
                if asked := candidate.asked - before:
                    press_by_words(world, keyboard, label)
                presses.append(1 + asked)
        return presses

    return Person(act, wants, ordinary=not most, needs=program)


def press_by_words(world: World, keyboard: Callable[[str], str], label: str) -> None:
    """Find a button, read, and press it; lynx goes to the first button of a line, and on from there by Tab."""
    for _ in range(10):  # lynx rests for a second now and then to show a message
        screen = re.sub(r"\x1b[\[(][0-9;?]*[A-Za-z]|[\x0e\x0f]", "", keyboard(REDRAW))
        line = next((line for line in screen.splitlines() if label in line), None)
        if line is not None:
            break
    else:
        raise AssertionError(f"The page has no {label!r}.")
    world.wait(world.dice.uniform(2, 9))
    before = len(re.findall(r"\([\w-]+\) ", line.partition(label)[0]))
    for keys in ("/", CLEAR + label, "\r", *["\t"] * (before - 1), "\r"):
        keyboard(keys)


@contextmanager
def terminal(command: list[str]) -> Iterator[Callable[[str], str]]:
    """Run a program in a terminal of its own; gives what types into it and gives what it then draws."""
    ours, inside = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "LINES": "60", "COLUMNS": "100"}
    process = subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, env=environment, close_fds=True)
    os.close(inside)

    def type_keys(keys: str) -> str:
        os.write(ours, keys.encode())
        return read_until_quiet(ours)

    try:
        read_until_quiet(ours)
        yield type_keys
    finally:
        process.terminate()
        process.wait()
        os.close(ours)


def read_until_quiet(terminal: int, first: float = 2.0, quiet: float = 0.4) -> str:
    """What a program draws: it may think for a while before it begins, but not in between."""
    drawn = b""
    while select.select([terminal], [], [], quiet if drawn else first)[0]:
        try:
            drawn += os.read(terminal, 65_536)
        except OSError:  # it has ended
            break
    return drawn.decode(errors="replace")


def is_there(person: Person, world: World) -> bool:
    """Whether this machine has what the person uses."""
    return (
        world.browser is not None
        if person.needs == "browser"
        else not person.needs or bool(shutil.which(person.needs))
    )


PART = b'--B\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--B--\r\n'
PEOPLE: dict[str, Person] = {
    "mouse": mutes(),
    "mouse, Edge": mutes(agent=EDGE),
    "mouse, Firefox": mutes(agent=FIREFOX),
    "keyboard, Enter": mutes(by_key("Enter")),
    "keyboard, Space": mutes(by_key("Space")),
    "touch": mutes(by_touch, PHONE, has_touch=True),
    "double click": mutes(by_double_click),
    "double click, scripts off": mutes(by_double_click, scripts=False),
    "scripts off": mutes(scripts=False),
    "scripts off, Enter": mutes(by_key("Enter"), scripts=False),
    "scripts blocked on the way": Person(mutes_with_scripts_blocked),
    "Safari": mutes(agent=SAFARI),
    "Safari, scripts off": mutes(agent=SAFARI, scripts=False),
    "lynx": in_text_browser("lynx", "Not Interested"),
    "lynx, mute and undo": in_text_browser("lynx", "Not Interested", "changed my mind", wants=False),
    "w3m": in_text_browser("w3m", "Not Interested"),
    "w3m, mute and undo": in_text_browser("w3m", "Not Interested", "changed my mind", wants=False),
    "one-click": one_click(*SIGNAL),
    "one-click, multipart": one_click(PART, "multipart/form-data; boundary=B"),
    "one-click, as the RFC has it": one_click(PART.replace(b"--B", b"B"), 'multipart/form-data; boundary="B"'),
    "undo at once": changes_their_mind(0),
    "undo at once, Safari": changes_their_mind(0, SAFARI),
    "undo at once, Safari, scripts off": changes_their_mind(0, SAFARI, scripts=False),
    "undo after a while": changes_their_mind(300),
    "undo on a later visit": comes_back_to_undo(),
    "undo on a later visit, scripts off": comes_back_to_undo(scripts=False),
    "undo on a later visit, Safari": comes_back_to_undo(SAFARI),
    "undo on a later visit, Safari, scripts off": comes_back_to_undo(SAFARI, scripts=False, ordinary=False),
    "undo on a later visit, lynx": in_text_browser("lynx", "changed my mind", muted=True, wants=False, most=1),
    "undo on a later visit, w3m": in_text_browser("w3m", "changed my mind", muted=True, wants=False, most=1),
    "two tabs": Person(uses_two_tabs),
    "confirms what stands": Person(leaves_it),
    "mute, undo, mute": Person(wavers, ordinary=False),
    "too fast, then again": Person(is_too_fast, ordinary=False),
    "after a detonation": swept(detonation),
    "after clicks by script": swept(machines.PROFILES["P9 clicks by script"]),
    "after clicks on everything": swept(clicks_everything(scripts=True)),
    "after a form crawler": swept(lambda world, candidate: crawl_all_forms(candidate.scanner())),
    "muted, then swept": Person(muted_then_swept),
}
