"""Every page at 320 px, left to right and right to left, in a language longer than English, which shows what escapes
translation and what does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import request
from flask_babel import Babel
from playwright.sync_api import Browser, Page

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.conftest import MakeHost, page_of
from tests.support.email_log import LOG, rows
from tests.support.hosts import Host, Mailbox, free_port, http_server
from tests.support.pseudo import CLOSE, OPEN, write_pseudo
from tests.support.story import read

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("minutes_over")]

#: What the host says, and what is the same in every language.
DATA = {"The team", "Pixel Beta", "Try the new camera.", "Message-ID", "UTC", "Join us", "Olga", "Come and try it."}
#: Text in the order of the page, without what is not shown, and what is only read out.
SAID = """() => {
    const said = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement;
        const unsaid = parent.closest("script, style, pre, option, .optout-decoy, [lang=en]");
        if (!unsaid) said.push(walker.currentNode.data);
    }
    return said.join("");
}"""
ATTRIBUTES = """() => [...document.querySelectorAll("*")].flatMap(element => [
    "alt", "aria-label", "placeholder", "title", "data-copied", "data-fault", "data-refused", "data-wait"
].filter(name => element.getAttribute(name)).map(name => element.getAttribute(name)))"""
#: What is wider than its place. Fields and preformatted text scroll by themselves.
WIDE = """() => [document.documentElement, ...document.body.querySelectorAll("*")].filter(element =>
    element.clientWidth > 1 && element.scrollWidth > element.clientWidth + 1
    && !element.matches("input, pre, iframe, .optout-decoy, .optout-decoy *")
    && !["auto", "scroll"].includes(getComputedStyle(element).overflowX)
    && getComputedStyle(element).display !== "inline"
).map(element => element.outerHTML.slice(0, 200))"""


@pytest.fixture(params=["eo", "he"], ids=["left to right", "right to left"])
def host(request: pytest.FixtureRequest, make: MakeHost, smtp: Mailbox, tmp_path: Path) -> Iterator[Host]:
    port = free_port()
    host = make(
        operator=is_olga,
        MAIL_SERVER=smtp.host,
        MAIL_PORT=smtp.port,
        OPTOUT_BASE_URL=f"http://127.0.0.1:{port}",
    )
    Babel(
        host.app,
        default_locale=request.param,
        default_translation_directories=write_pseudo(tmp_path, request.param),
    )
    with http_server(host.app, port), host.app.app_context():
        yield host


@pytest.fixture
def page(browser: Browser, host: Host) -> Iterator[Page]:
    headers = {"X-Operator": "Olga"}
    with page_of(browser, viewport={"width": 320, "height": 640}, locale="eo", extra_http_headers=headers) as page:
        yield page


def is_olga() -> str | None:
    return request.headers.get("X-Operator")


def check(page: Page, where: str) -> None:
    page.wait_for_load_state()  # a page without its stylesheet is another
    said = page.evaluate(SAID)
    assert OPEN in said, where
    said += page.title()
    while said != (said := re.sub(rf"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}", " ", said)):
        pass
    said = re.sub("|".join(map(re.escape, DATA)), "", said)
    said = re.sub(r"\S+@\S+|\S*\d\S*|beta-42", "", said)
    assert not re.search(r"\w", said), (where, said.split())
    escaped = [text for text in page.evaluate(ATTRIBUTES) if not text.startswith(OPEN)]
    assert escaped == [], where
    assert page.evaluate(WIDE) == [], where


def press(page: Page, choice: str) -> None:
    read(page)
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.locator(f"button[name=choice][value={choice}]:visible").click()
    page.wait_for_load_state("networkidle")


def test_the_candidates_pages(host: Host, page: Page) -> None:
    link = host.optout.link("jane@example.org", "beta-42")
    page.goto(link)
    check(page, "invited")
    language = page.evaluate("[document.documentElement.lang, document.documentElement.dir]")
    assert language in (["eo", "ltr"], ["he", "rtl"])
    press(page, "mute")
    page.locator("summary").click()
    check(page, "muted")
    press(page, "mute-all")
    check(page, "muted for everything")
    press(page, "undo-all")
    check(page, "undone, and this one still muted")
    page.goto(host.optout.link("jane+x@example.org", "beta-42"))
    page.locator("summary").click()
    check(page, "muted by the address without its tag")
    page.goto(host.optout.link("kofi@example.org", "another"))
    check(page, "nothing known about the opportunity")
    page.evaluate("document.querySelector('button[value=mute]').click()")  # at once, as a scanner does
    page.locator(".optout-again").wait_for()
    check(page, "asked once more")


def test_the_other_pages(host: Host, page: Page) -> None:
    ask = current_state().links.url(Door.ASK, parse("jane@example.org"), "beta-42")
    page.goto(ask)
    check(page, "ask")
    page.locator("input[name=address]").fill("joan@example.org")
    page.locator("main button").click()
    page.locator("main a").wait_for()
    check(page, "asked")


def test_what_goes_wrong(host: Host, browser: Browser) -> None:
    link = host.optout.link("jane@example.org", "beta-42")
    context = browser.new_context(
        viewport={"width": 320, "height": 640}, locale="eo"
    )  # its console tells of the status
    page = context.new_page()
    page.goto(link[:-1])
    check(page, "dead link")
    host.db.drop_all()
    page.goto(link)
    check(page, "unavailable")
    context.close()


def test_the_operators_pages(host: Host, page: Page) -> None:
    base = host.optout.link("jane@example.org", "beta-42").partition("/optout/")[0] + LOG
    page.goto(base)
    check(page, "an empty log")
    for to in ("jane@example.org", "joan@example.org", "kofi@example.org"):
        host.mail.send(host.invitation(to))
    page.goto(base)
    check(page, "the log")
    page.goto(f"{base}?opportunity=beta-42")
    page.locator(".optout-save summary").click()
    page.locator("#log-filter-name").fill("4")
    check(page, "a filter to save")
    page.locator(".optout-save button").click()
    page.locator(".optout-saved").wait_for()
    check(page, "saved filters")
    page.goto(f"{base}?q=nobody@example.org")
    check(page, "nothing found")
    page.goto(f"{base}?q=7&opportunity=%07&from=1&to=1")
    check(page, "a filter that cannot be")
    entry = f"{base}{rows()[0].id}"
    for part in ("text", "html", "headers"):
        page.goto(f"{entry}?part={part}")
        check(page, f"an invitation's {part}")
    page.locator(".optout-ask summary").click()
    check(page, "before it is sent again")
    page.locator(".optout-ask button").click()
    page.locator(".optout-done").wait_for()
    check(page, "sent again")
    page.goto(entry)
    check(page, "not twice a day")
