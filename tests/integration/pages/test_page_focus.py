"""Where the focus is, seen and heard: its ring, what it goes to after a press, and what the page is called then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.conftest import page_of
from tests.support.hosts import say
from tests.support.page_states import CANDIDATE, HOSTED, OPERATOR
from tests.support.stage import Stage
from tests.support.story import NO, UNDO, press

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("pushed")]

#: The ring around what has the focus: its style, and the contrast of its colour with what it is drawn on.
RING = """() => {
  const rgb = color => {
    const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(each => each / 255)
    .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  const element = document.activeElement, after = getComputedStyle(element, '::after');
  const style = after.outlineStyle === 'solid' ? after : getComputedStyle(element);
  let around = element.parentElement;
  while (around && rgb(getComputedStyle(around).backgroundColor)[3] < 255) around = around.parentElement;
  const page = around ? rgb(getComputedStyle(around).backgroundColor) : [255, 255, 255];
  const [one, other] = [light(rgb(style.outlineColor)), light(page)].sort((a, b) => b - a);
  return {
    is: element.outerHTML.slice(0, 160),
    at: element === document.body ? null : [...document.querySelectorAll('*')].indexOf(element),
    ours: element.closest('.optout, .optout-choice, .optout-toggle') !== null,
    style: style.outlineStyle, width: parseFloat(style.outlineWidth), contrast: (one + 0.05) / (other + 0.05),
  };
}"""
#: What a screen reader meets: what the region says when the focus moves, where it moves to, and what is said then.
FOCUS_FIRST = """() => {
  window.heard = [];
  const region = document.querySelector('[role=status]');
  document.addEventListener('focusin', event => {
    window.heard.push(region.textContent, event.target.textContent);
    const watch = new MutationObserver(() => window.heard.push(region.textContent));
    setTimeout(() => watch.observe(region, {childList: true}));
  });
}"""
SEEN = [*CANDIDATE, *HOSTED, "log, filtered", "log, opened", "entry", "send again", "log, wrong filter"]
NO_MORE = "You will get no more invitations to Pixel Beta."
AGAIN = "You can be invited to Pixel Beta again."


def rings(page: Page) -> Iterator[dict[str, Any]]:
    """Of everything of ours that Tab goes to, until it leaves the page."""
    reached: set[int] = set()
    page.evaluate("document.activeElement.blur()")
    while True:
        page.keyboard.press("Tab")
        ring = page.evaluate(RING)
        if ring["at"] is None or ring["at"] in reached:
            return
        reached.add(ring["at"])
        if ring["ours"] and not ring["is"].startswith("<iframe"):
            yield ring


@pytest.mark.parametrize("state", SEEN)
def test_where_the_focus_is_can_be_seen(browser: Browser, ready: Stage, state: str) -> None:
    page = browser.new_context().new_page()
    {**CANDIDATE, **HOSTED, **OPERATOR}[state](ready, page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        seen = list(rings(page))
        assert seen
        for ring in seen:
            # "auto" is the browser's own ring, in two colours.
            own = ring["style"] == "solid" and ring["width"] >= 2 and ring["contrast"] >= 3
            assert own or ring["style"] == "auto", (scheme, ring)
    page.context.close()


@pytest.mark.parametrize("scripts", [True, False])
class TestPress:
    """With scripts it changes the page in place; without, it leads to a new one."""

    @pytest.fixture
    def page(self, browser: Browser, scripts: bool) -> Iterator[Page]:
        with page_of(browser, java_script_enabled=scripts) as page:
            yield page

    def test_the_focus_and_the_title_say_what_was_done(self, ready: Stage, page: Page, scripts: bool) -> None:
        page.goto(ready.link(f"focus.{scripts}"))
        assert page.title() == "Pixel Beta · The team"
        press(page, NO)
        expect(page.get_by_role("heading", name=NO_MORE)).to_be_focused()
        assert page.title() == f"{NO_MORE} · The team"
        press(page, UNDO)
        what = page.get_by_role("heading", name="Pixel Beta", exact=True) if scripts else page.get_by_text(AGAIN)
        expect(what).to_be_focused()
        expect(page.get_by_role("status")).to_have_text(AGAIN)
        expect(page.get_by_role("status").locator("cite")).to_have_css("font-style", "normal")
        assert page.title() == f"{AGAIN} · The team"
        press(page, "Keep me invited")
        expect(page.get_by_role("status")).to_have_text("You stay invited.")
        assert page.title() == "You stay invited. · The team"

    @pytest.mark.parametrize(
        ("this", "said"),
        [(False, "You can be invited again."), (True, "Other invitations can come again.")],
    )
    def test_an_undo_of_everything_says_what_it_left(
        self, ready: Stage, page: Page, scripts: bool, this: bool, said: str
    ) -> None:
        to = f"all.{scripts}.{this}@example.org"
        say(ready.host, True, to=to, everything=True)
        if this:
            say(ready.host, True, to=to)
        page.goto(ready.host.optout.link(to, "beta-42"))
        expect(page.get_by_text("lets other invitations come again.")).to_have_count(int(this))
        expect(page.get_by_text("Only you can see your choice.")).to_have_count(1)
        page.locator("summary").click()
        press(page, UNDO)
        expect(page.get_by_role("status")).to_have_text(said)
        expect(page.get_by_text(NO_MORE)).to_have_count(int(this))
        assert page.title() == f"{said} · The team"


def test_a_press_that_was_asked_for_once_more_is_heard(browser: Browser, ready: Stage) -> None:
    with page_of(browser) as page:
        CANDIDATE["asked again"](ready, page)
        expect(page.locator(".optout-again")).to_be_focused()
        assert page.title().startswith("To confirm, press “Not Interested?” once more.")
        press(page, NO)
        expect(page.get_by_role("heading", name=NO_MORE)).to_be_focused()
        assert page.title() == f"{NO_MORE} · The team"


def test_a_link_that_is_opened_is_called_the_same_whatever_stands(browser: Browser, ready: Stage) -> None:
    with page_of(browser) as page:
        for state in ("invited", "muted, later", "muted without its tag"):
            CANDIDATE[state](ready, page)
            assert page.title() == "Pixel Beta · The team"
            expect(page.locator("body")).to_be_focused()


def test_the_answer_to_an_address_is_heard(browser: Browser, ready: Stage) -> None:
    with page_of(browser, java_script_enabled=False) as page:
        CANDIDATE["ask"](ready, page)
        assert page.title() == "Get the link to your invitation again · The team"
        CANDIDATE["ask, answered"](ready, page)
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        assert page.title() == "Check your email. · The team"


def test_whoever_answers_an_old_page_hears_what_was_said_meanwhile(browser: Browser, ready: Stage) -> None:
    with page_of(browser) as page:
        page.goto(ready.link("two.tabs"))
        say(ready.host, True, to="two.tabs@example.org")
        press(page, "Keep me invited")
        again = page.locator(".optout-again")
        expect(again).to_be_focused()
        expect(again).to_have_text(f"{NO_MORE} To confirm, press “Keep me invited” once more.")
        CANDIDATE["muted, later"](ready, page)
        say(ready.host, False, to="later@example.org")
        press(page, "Leave it as it is")
        expect(page.get_by_role("status")).to_have_text(f"{AGAIN} Your choice stays as it was.")


def test_a_long_wait_is_said_and_what_was_done_a_moment_after_the_focus_has_moved(
    browser: Browser, ready: Stage
) -> None:
    with page_of(browser) as page:
        page.goto(ready.link("slow"))
        waiting: list[Route] = []
        page.route("**/optout/*", lambda route: waiting.append(route) if route.request.method == "POST" else None)
        press(page, "Keep me invited")
        expect(page.get_by_role("status")).to_have_text("Please wait…")
        page.evaluate(FOCUS_FIRST)
        waiting[0].continue_()
        expect(page.get_by_role("status")).to_have_text("You stay invited.")
        assert page.evaluate("window.heard") == ["", "Pixel Beta", "You stay invited."]


@pytest.mark.parametrize("find", [True, False])
@pytest.mark.parametrize("state", ["dead link", "muted without its tag"])
def test_whoever_cannot_go_on_is_led_to_the_page_that_mails_links(
    browser: Browser, ready: Stage, state: str, find: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ready.host.app.config, "OPTOUT_FIND_LINK", find)
    context = browser.new_context()  # its console tells of the status
    page = context.new_page()
    CANDIDATE[state](ready, page)
    link = page.get_by_role("link", name="Get the link to your invitation again")
    expect(link).to_have_count(int(find))
    if find:
        link.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Get the link to your invitation again")
    context.close()
