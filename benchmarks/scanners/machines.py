"""Scanners with a real browser: they run the page's scripts, and press by script or by the browser's own input.

Presses by script go through ``Runtime.evaluate`` without a user gesture: a test tool's own way to evaluate grants
one, and then the browser vouches for what no person did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from playwright.sync_api import Error, Page

from flask_optout.doctor.forms import CHROME

from .world import Candidate, World

SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.4 Safari/605.1.15"
)
EDGE = CHROME + " Edg/125.0.0.0"
CONTROLS = ".optout-choice :is(button, a, summary)"
SCRIPTED_CLICKS = "document.querySelectorAll('button, a, input').forEach(control => control.click())"

Visit = Callable[[World, Candidate], None]


@contextmanager
def tab(world: World, scripts: bool = True, agent: str = CHROME, **options: Any) -> Iterator[Page]:
    """A fresh browser profile with one page."""
    if world.browser is None:
        raise RuntimeError("There is no browser.")
    headers = {"X-Forwarded-For": world.address}
    context = world.browser.new_context(
        user_agent=agent, java_script_enabled=scripts, extra_http_headers=headers, **options
    )
    context.set_default_timeout(5_000)
    context.route("https://example.org/**", lambda route: route.fulfill(body="The host's page."))
    try:
        yield context.new_page()
    finally:
        context.close()


def go(page: Page, link: str) -> None:
    """Open the link, also while the page is still on its way to where a press has sent it."""
    for _ in range(3):
        with suppress(Error):
            page.goto(link)
            return


def run(page: Page, script: str) -> None:
    """Run a script as a scanner injects it: no user gesture."""
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": script, "userGesture": False})
    session.detach()
    settle(page)


def linger(world: World, page: Page, seconds: float) -> None:
    """Stay on a page; in the browser, whose clock cannot be put forward, just long enough not to be in a hurry."""
    page.wait_for_timeout(min(seconds, 0.45) * 1000)
    world.wait(seconds)


def settle(page: Page) -> None:
    """Wait until what a press set off is over."""
    page.wait_for_timeout(150)
    page.wait_for_load_state("load")


def click(page: Page, which: int) -> bool:
    """Click one of the controls that are visible, by the browser's own input; says whether it was there."""
    visible = [control for control in page.locator(CONTROLS).all() if control.is_visible()]
    if which >= len(visible):
        return False
    try:
        visible[which].click(timeout=2_000)
    except Error:  # it went away, or cannot be clicked
        return True
    settle(page)
    return True


def click_first_button(page: Page) -> None:
    with suppress(Error):  # it went away
        page.locator("button:visible").first.click(timeout=2_000)
    settle(page)


def detonation(world: World, target: Candidate) -> None:
    """P6: opens the page, lets it run, scrolls; at delivery, at click and hours later."""
    for delay in (20.0, 60.0, 3 * 3600.0):
        world.wait(world.dice.uniform(0.5, 1.5) * delay)
        with tab(world) as page:
            page.goto(target.link, wait_until="networkidle")
            page.mouse.wheel(0, 800)
            page.screenshot()


def clicks_by_script(agent: str) -> Visit:
    """P9: presses everything by script in one tick, then one by one with the page loaded anew, and on the results."""

    def visit(world: World, target: Candidate) -> None:
        with tab(world, agent=agent) as page:
            go(page, target.link)
            world.wait(world.dice.uniform(0.5, 8.0))
            run(page, SCRIPTED_CLICKS)
            order = list(range(4))
            if world.dice.random() < 0.5:
                world.dice.shuffle(order)
            for which in order:
                go(page, target.link)
                for _ in range(2):
                    world.wait(world.dice.uniform(0.0, 8.0))
                    run(page, f"document.querySelectorAll('button')[{which}]?.click()")

    return visit


def submits_by_script(agent: str) -> Visit:
    """P10: ``submit()``, ``requestSubmit()`` without and with a button, once and twice, and on the results."""
    button = "document.querySelector('form button[value=mute], form button[value=undo]')"
    scripts = [
        "document.forms[0].submit()",
        "document.forms[0].requestSubmit()",
        f"document.forms[0].requestSubmit({button})",
        f"{button}.form.requestSubmit({button}); {button}.form.requestSubmit({button})",
    ]

    def visit(world: World, target: Candidate) -> None:
        for script in world.dice.sample(scripts, len(scripts)):
            with tab(world, agent=agent) as page:
                go(page, target.link)
                for _ in range(2):
                    world.wait(world.dice.uniform(0.5, 20.0))
                    run(page, script)

    return visit


def clicks_everything(scripts: bool, deep: bool = False, pause: float = 0.0) -> Visit:
    """P11: clicks each visible control by the browser's own input, the page loaded anew in between.

    :param deep: whether it does the same with the page that a click leads to.
    """

    def visit(world: World, target: Candidate) -> None:
        with tab(world, scripts) as page:
            for which in range(4):
                for after in range(4 if deep else 1):
                    go(page, target.link)
                    linger(world, page, pause or world.dice.uniform(0.5, 2.0))
                    if not click(page, which):
                        break
                    if deep:
                        linger(world, page, pause or world.dice.uniform(0.5, 2.0))
                        click(page, after)

    return visit


def clicks_in_any_order(world: World, target: Candidate) -> None:
    """P11: clicks what it finds in any order, without looking what became of the page."""
    with tab(world) as page:
        order = list(range(3))
        world.dice.shuffle(order)
        for which in order:
            go(page, target.link)
            linger(world, page, world.dice.uniform(0.5, 3.0))
            click(page, which)


def hurried_click(world: World, target: Candidate) -> None:
    """P12: knows where the first button is, clicks there as soon as the page is there, and once more on the next."""
    with tab(world) as page:
        go(page, target.link)
        box = page.locator("button:visible").first.bounding_box()
        page.goto(target.link, wait_until="domcontentloaded")
        if box is not None:
            page.mouse.click(box["x"] + 5, box["y"] + 5)
            settle(page)
        linger(world, page, world.dice.uniform(0.0, 0.3))
        click_first_button(page)


def patient_click(world: World, target: Candidate) -> None:
    """R1: reads like a person, presses the first button once and leaves. Nothing on the page can tell it from one."""
    with tab(world, agent=EDGE) as page:
        go(page, target.link)
        page.mouse.move(200, 300, steps=10)
        linger(world, page, world.dice.uniform(4, 20))
        click_first_button(page)


PROFILES: dict[str, Visit] = {
    "P6 detonation": detonation,
    "P9 clicks by script": clicks_by_script(CHROME),
    "P9 clicks by script, as Safari": clicks_by_script(SAFARI),
    "P10 submits by script": submits_by_script(CHROME),
    "P10 submits by script, as Safari": submits_by_script(SAFARI),
    "P11 clicks everything": clicks_everything(scripts=True),
    "P11 clicks everything, scripts off": clicks_everything(scripts=False),
    "P11 clicks everything, 5 s apart": clicks_everything(scripts=True, pause=5.0),
    "P11 clicks everything and what follows": clicks_everything(scripts=True, deep=True),
    "P11 clicks everything and what follows, scripts off": clicks_everything(scripts=False, deep=True),
    "P11 clicks in any order": clicks_in_any_order,
    "P12 hurried click": hurried_click,
}
