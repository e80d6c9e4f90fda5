"""WCAG 2.2 AA on every page in every state: axe, keyboard, 400 % zoom, targets, and what a screen reader says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.conftest import page_of
from tests.support.axe import violations
from tests.support.page_states import CANDIDATE, HOSTED, MAILS, STATES
from tests.support.stage import Stage
from tests.support.story import NO, UNDO, press, read

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("pushed")]

Visit = Callable[..., Page]

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"color_scheme": "light", "forced_colors": "active"},
}
#: What is smaller than a fingertip in CSS pixels, and neither inside a sentence nor a field of its own size.
SMALL = """[...document.querySelectorAll('button, a, summary, input:not([type=hidden])')].filter(element => {
  const box = element.getBoundingClientRect();
  const alone = element.parentElement.textContent.trim() === element.textContent.trim();
  return element.checkVisibility() && !element.closest('[inert]') && (element.tagName !== 'A' || alone)
    && (box.height < 44 || box.width < 44);
}).map(element => element.outerHTML)"""
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
#: What is cut off: text that is wider than the box that hides its overflow.
CUT = """[...document.querySelectorAll('body *')].filter(element => element.checkVisibility()
  && getComputedStyle(element).overflowX !== 'visible' && !/INPUT|PRE|IFRAME/.test(element.tagName)
  && !element.closest('.optout-decoy, .optout-skip, .optout-unseen, .optout-log thead, .optout-resend h2')
  && element.scrollWidth > element.clientWidth + 1).map(element => element.outerHTML.slice(0, 200))"""


@pytest.fixture
def visit(browser: Browser, ready: Stage) -> Iterator[Visit]:
    """Open a page in one of its states."""
    contexts: list[BrowserContext] = []

    def visit(state: str, **options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        {**STATES, **HOSTED, **MAILS}[state](ready, page)
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.mark.parametrize("state", STATES)
def test_everybody_can_use(visit: Visit, state: str) -> None:
    page = visit(state)
    for name, look in LOOKS.items():
        page.emulate_media(**look)
        assert violations(page) == [], name
    if state in CANDIDATE:  # on operators' dense pages axe's own 24 px (WCAG 2.5.8) must do
        assert page.evaluate(SMALL) == []

    page.set_viewport_size({"width": 320, "height": 256})  # 1280 px at 400 %
    for direction in ("ltr", "rtl"):
        page.evaluate("direction => document.documentElement.dir = direction", direction)
        assert page.evaluate(WIDE) == 0 and page.evaluate(CUT) == []
    assert violations(page) == []


@pytest.mark.parametrize("state", [*CANDIDATE, *HOSTED])
def test_text_of_twice_the_size_fits_with_a_long_word(visit: Visit, state: str) -> None:
    page = visit(state, viewport={"width": 320, "height": 640})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    headings = page.locator(".optout-page h1, .optout-heading, .optout-words").all()
    assert headings
    for heading in headings:
        heading.evaluate("heading => heading.append(' Untersuchungsteilnehmerinnenverzeichnis')")
    assert page.evaluate(WIDE) == 0


@pytest.mark.parametrize("state", [*HOSTED, *MAILS])
def test_everybody_can_use_the_toggle_and_read_the_mails(visit: Visit, state: str) -> None:
    page = visit(state)
    ours = ".place" if state.startswith("toggle") else "html"
    looks = {name: look for name, look in LOOKS.items() if state in HOSTED or name != "forced colours"}  # no mail has
    for name, look in looks.items():
        page.emulate_media(**look)
        assert violations(page, ours, good_practice=False) == [], name  # good practice is the host's
    page.set_viewport_size({"width": 320, "height": 256})
    assert page.evaluate(WIDE) == 0


@pytest.mark.parametrize("state", ["log", "entry"])
def test_operators_can_skip_to_the_content(visit: Visit, state: str) -> None:
    page = visit(state)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_keyboard_is_enough_and_shows_where_it_is(browser: Browser, ready: Stage) -> None:
    with page_of(browser) as page:
        page.goto(ready.link("keyboard"))
        read(page)
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=NO)).to_be_focused()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        read(page)
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Leave it as it is")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=UNDO)).to_be_focused()
        page.keyboard.press("Space")
        expect(page.get_by_role("heading", name="Pixel Beta", exact=True)).to_be_focused()
        assert ready.host.optout.may_invite("keyboard@example.org", "beta-42")


SPOKEN = {
    "invited": """
      - main:
        - status
        - heading "Pixel Beta" [level=1]
        - paragraph: Try the new camera for two weeks, and tell us what you would change about it.
        - paragraph: /Other invitations are not affected. Only you can see your choice./
        - paragraph:
          - button "Not Interested?"
          - button "Keep me invited"
        - paragraph:
          - link "Read more about it"
    """,
    "muted": """
      - main:
        - status
        - heading "You will get no more invitations to Pixel Beta." [level=1]
        - paragraph: /Other invitations are not affected. Only you can see your choice./
        - paragraph:
          - button "Leave it as it is"
          - button "I've changed my mind."
        - group: More choices
    """,
    "asked again": """
      - main:
        - status
        - heading "Pixel Beta" [level=1]
        - paragraph: Try the new camera for two weeks, and tell us what you would change about it.
        - paragraph:
          - strong: To confirm, press “Not Interested?” once more.
          - text: Nothing has changed yet.
        - paragraph:
          - button "Keep me invited"
          - button "Not Interested?"
        - group: Why?
    """,
    "no answer": """
      - main:
        - status: /No connection\\. Please press again/
        - heading "Pixel Beta" [level=1]
    """,
    "no store": """
      - main:
        - heading "Nothing changed." [level=1]
        - paragraph: /Please try again in a minute/
        - paragraph:
          - button "Try again"
    """,
    "dead link": """
      - main:
        - heading "This link does not work." [level=1]
        - paragraph: /Nothing changed/
        - paragraph: /Copy the whole link/
    """,
    "log": """
      - link "Skip to the content"
      - banner:
        - navigation "You are here":
          - list:
            - listitem:
              - link "Home"
            - listitem:
              - text: ›
              - link "Email Log"
        - paragraph: Olga
      - main:
        - heading "Email Log" [level=1]
        - search
        - status: /\\d+ invitations/
        - table
    """,
    "entry": """
      - main:
        - article:
          - heading "Join us" [level=1]
          - term: Recipient
          - definition:
            - text: Jane Doe
            - link "jane@example.org"
          - term: Opportunity
          - definition:
            - link "Pixel Beta"
            - text: beta-42
          - term: Time
          - definition:
            - time
            - text: UTC
          - term: Attachments
          - definition: The programme.pdf
          - region "Send it again"
    """,
}


@pytest.mark.parametrize("state", SPOKEN)
def test_a_screen_reader_says(visit: Visit, state: str) -> None:
    page = visit(state)
    expect(page.locator("body")).to_match_aria_snapshot(SPOKEN[state])
    if state in CANDIDATE:
        assert "Not for people" not in page.locator("body").aria_snapshot()


NO_MORE = "You will get no more invitations to Pixel Beta."
ONCE_MORE = "To confirm, press “Not Interested?” once more. Nothing has changed yet."
FAULT = "Something on our side is not working. Please try again in a minute."


@pytest.mark.parametrize(
    ("state", "what", "described"),
    [
        ("invited", "[value=mute]", re.compile("no further invitation to Pixel Beta will reach you")),
        ("muted", "[value=leave]", NO_MORE),
        ("muted", "[value=undo]", NO_MORE),
        ("muted, later", "[value=leave]", NO_MORE),
        ("muted, everything", "[value=undo-all]", "You will get no more invitations from us."),
        ("muted, both", "[value=undo-all]", f"“{UNDO}” lets other invitations come again."),
        ("asked again", "button", ONCE_MORE),
        ("toggle, asked again", ".optout-again ~ form button", "Pixel Beta"),
        ("no store for a press", "h1", FAULT),
    ],
)
def test_a_screen_reader_says_what_a_button_is_about(
    visit: Visit, state: str, what: str, described: str | re.Pattern[str]
) -> None:
    page = visit(state)
    elements = page.locator(what).all()  # where it asks once more, scanners' buttons too
    assert elements
    for element in elements:
        expect(element).to_have_accessible_description(described)
    assert page.title().startswith("Please try again") is (state == "no store for a press")


def test_enlarged_four_times_what_came_of_a_press_is_in_sight(visit: Visit) -> None:
    page = visit("invited", viewport={"width": 320, "height": 256})
    for button in (NO, UNDO):
        press(page, button)
    expect(page.get_by_role("status")).to_have_text("You can be invited to Pixel Beta again.")
    expect(page.get_by_role("status")).to_be_in_viewport(ratio=0.99)
    page.route("**/optout/*", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    press(page, NO)
    expect(page.get_by_role("status")).to_contain_text("No connection.")
    expect(page.get_by_role("status")).to_be_in_viewport(ratio=0.99)


def test_the_fault_is_heard_from_a_region_that_was_there(visit: Visit) -> None:
    page = visit("invited")
    assert page.locator("[role=status], [aria-live], [role=alert]").count() == 1
    region = page.locator("[role=status]").element_handle()
    page.route("**/optout/*", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    press(page, NO)
    expect(page.get_by_role("status")).to_have_text(re.compile("No connection"))
    assert region is not None and region.evaluate("region => region.isConnected")
    expect(page.get_by_role("button", name=NO)).to_be_focused()
