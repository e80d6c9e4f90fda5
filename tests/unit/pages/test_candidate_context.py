"""What a candidate's page is made of: what stands, what was pressed, what it asks for once more, and its URL."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import request
from flask.testing import FlaskClient

from flask_optout.doctor.forms import CHROME
from flask_optout.pages.candidate import RESULT_AGE, make_context, make_element_id, make_own_url, open_visit
from flask_optout.presses.evidence import Command, Nonce, Page, make_visitor
from flask_optout.wiring import current_state
from tests.support.hosts import VISIT, Host, say

LYNX = "Lynx/2.9.0dev.12 libwww-FM/2.14SSL-MM/1.4.1"


@pytest.fixture
def asked(host: Host) -> Iterator[None]:
    """A request of a page."""
    with host.app.test_request_context("/"):
        yield


def nonce(page: Page = Page.OPENED, said: Command | None = None, age: float = 0.0) -> Nonce:
    return Nonce(page, current_state().clock() - age, VISIT, said)


@pytest.mark.parametrize(
    ("muted", "everything", "opportunity", "to", "shown"),
    [
        (False, False, "beta-42", "jane@example.org", (False, False, False, False)),
        (True, False, "beta-42", "jane@example.org", (True, False, False, False)),
        (True, False, "study-7", "jane@example.org", (False, False, False, False)),
        (True, True, "beta-42", "jane@example.org", (False, True, False, False)),
        (True, True, "*", "jane@example.org", (True, True, False, True)),
        (True, False, "beta-42", "jane+2@example.org", (False, False, True, False)),
        (True, True, "study-7", "jane+2@example.org", (False, False, True, False)),
    ],
)
@pytest.mark.usefixtures("asked")
def test_what_stands_is_shown(
    host: Host, muted: bool, everything: bool, opportunity: str, to: str, shown: tuple[bool, ...]
) -> None:
    say(host, muted, to="jane@example.org", everything=everything)
    page = make_context(host.claim(to, opportunity), nonce())
    found = (page.this is not None, page.everything is not None, page.by_base, page.only_everything)
    assert found == shown and page.muted is any(shown[:2])


@pytest.mark.usefixtures("asked")
def test_a_page_that_asks_once_more_has_the_press_behind_its_opposite_among_decoys(host: Host) -> None:
    page = make_context(host.claim(), nonce(Page.REPEAT, Command.MUTE))
    choices = [choice for choice, _, _ in page.answers]
    assert page.said is None and choices[0] == choices[-1] == "none" and len(choices) == 5
    assert [choice for choice in choices if choice != "none"] == ["keep", "mute"]
    [name] = {name for _, name, _ in page.answers}
    assert len({value for _, _, value in page.answers}) == 5 and name not in {"choice", "keep", "mute"}
    assert make_context(host.claim(), nonce(Page.OPENED, Command.MUTE)).answers == []


@pytest.mark.parametrize(
    ("agent", "shows"),
    [(LYNX, True), ("w3m/0.5.3", True), ("ELinks/0.13", True), (CHROME, False), ("", False)],
)
def test_a_text_browser_shows_what_a_stylesheet_hides(host: Host, agent: str, shows: bool) -> None:
    with host.app.test_request_context("/", headers={"User-Agent": agent}):
        assert make_context(host.claim(), nonce()).decoys is not shows


@pytest.mark.parametrize(
    ("muted", "asked_for", "choices"),
    [
        (False, Command.MUTE, ["keep", "mute"]),
        (False, Command.MUTE_ALL, ["keep", "mute-all"]),
        (False, Command.KEEP, ["leave", "keep"]),
        (True, Command.UNDO, ["leave", "undo"]),
        (True, Command.MUTE_ALL, ["mute-all", "leave"]),
        (True, Command.KEEP, ["keep", "leave"]),
    ],
)
def test_a_text_browser_sees_no_decoys_and_where_it_pressed_the_opposite(
    host: Host, muted: bool, asked_for: Command, choices: list[str]
) -> None:
    say(host, muted, to="jane@example.org")
    with host.app.test_request_context("/", headers={"User-Agent": LYNX}):
        page = make_context(host.claim(), nonce(Page.REPEAT, asked_for))
    assert not page.decoys and [choice for choice, _, _ in page.answers] == choices


def receipt(host: Host, page: Page, said: Command | None, age: float = 1.0) -> str:
    """The receipt of a press of the client that opens pages here."""
    state, claim = current_state(), host.claim()
    with host.app.test_request_context("/", environ_base=host.app.test_client().environ_base):
        who = state.nonces.make_word(VISIT, make_visitor(request, claim, VISIT, state.visitor_secret))
    return state.nonces.issue(claim, nonce(page, said, age)._replace(visitor=who))


@pytest.mark.parametrize(
    ("muted", "led_by", "at_hand"),
    [(True, Command.MUTE, True), (True, Command.LEAVE, False), (True, None, False), (False, Command.MUTE, False)],
)
def test_the_undo_is_at_hand_after_a_mute(
    host: Host, client: FlaskClient, muted: bool, led_by: Command | None, at_hand: bool
) -> None:
    say(host, muted, to="jane@example.org")
    query = {"optout": receipt(host, Page.RESULT, led_by)} if led_by else None
    page = client.get(host.path(), query_string=query).text
    assert ('value="undo"' in page and "Changed your mind?" not in page) is at_hand
    assert ('value="undo"' in page) is muted


@pytest.mark.parametrize(
    ("page", "age", "says"), [(Page.RESULT, 1, True), (Page.RESULT, RESULT_AGE + 9, False), (Page.REPEAT, 1, False)]
)
def test_a_receipt_in_the_url_says_what_was_pressed_for_a_while(
    host: Host, page: Page, age: float, says: bool
) -> None:
    url, client = f"/?optout={receipt(host, page, Command.MUTE, age)}", host.app.test_client()
    with host.app.test_request_context(url, environ_base=client.environ_base):
        read, another = open_visit(host.claim()), open_visit(host.claim("bob@example.org"))
    assert (read.said, read.page) == ((Command.MUTE, Page.RESULT) if says else (None, Page.OPENED))
    assert another.said is None and another.visit != VISIT


@pytest.mark.usefixtures("asked")
def test_a_link_has_one_url_and_one_id(host: Host) -> None:
    one, other = host.claim(), host.claim("bob@example.org")
    assert make_own_url(one) == host.path() != make_own_url(other)
    assert re.fullmatch(r"optout-[0-9a-f]{8}", make_element_id(one)) and make_element_id(one) != make_element_id(
        other
    )
