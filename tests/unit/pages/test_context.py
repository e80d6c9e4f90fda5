"""What the holder of a link is shown: what stands, what the press before did, and what can be pressed."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest
from flask import render_template_string
from flask.testing import FlaskClient

from flask_optout.errors import AddressError, OpportunityError
from flask_optout.pages.context import RESULT_AGE, element_id, opened, own_url, page_context
from flask_optout.presses.evidence import Command, Nonce, Page
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.host_pages import dress
from tests.support.hosts import VISIT, Host, say

NO_MORE = "You will get no more invitations to Pixel Beta."
LYNX = "Lynx/2.9.0dev.12 libwww-FM/2.14SSL-MM/1.4.1"


@pytest.fixture
def jobs(host: Host) -> Host:
    return dress(host)


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
    page = page_context(host.claim(to, opportunity), nonce())
    found = (page.this is not None, page.everything is not None, page.by_base, page.only_everything)
    assert found == shown and page.muted is any(shown[:2])


@pytest.mark.usefixtures("asked")
def test_a_page_that_asks_once_more_has_the_press_behind_its_opposite_among_decoys(host: Host) -> None:
    page = page_context(host.claim(), nonce(Page.REPEAT, Command.MUTE))
    choices = [answer.choice for answer in page.answers]
    assert page.said is None and choices[0] == choices[-1] == "none" and len(choices) == 5
    assert [choice for choice in choices if choice != "none"] == ["keep", "mute"]
    [name] = {answer.name for answer in page.answers}
    assert len({answer.value for answer in page.answers}) == 5 and name not in {"choice", "keep", "mute"}
    assert page_context(host.claim(), nonce(Page.OPENED, Command.MUTE)).answers == []


@pytest.mark.parametrize(
    ("muted", "asked_for", "choices"),
    [
        (False, Command.MUTE, ["keep", "mute"]),
        (False, Command.MUTE_ALL, ["keep", "mute-all"]),
        (False, Command.KEEP, ["leave", "keep"]),
        (True, Command.UNDO, ["leave", "undo"]),
        (True, Command.MUTE_ALL, ["leave", "mute-all"]),
    ],
)
def test_a_text_browser_sees_no_decoys(host: Host, muted: bool, asked_for: Command, choices: list[str]) -> None:
    say(host, muted, to="jane@example.org")
    with host.app.test_request_context("/", headers={"User-Agent": LYNX}):
        page = page_context(host.claim(), nonce(Page.REPEAT, asked_for))
    assert not page.decoys and [answer.choice for answer in page.answers] == choices


@pytest.mark.parametrize(
    ("muted", "led_by", "at_hand"),
    [(True, Command.MUTE, True), (True, Command.LEAVE, False), (True, None, False), (False, Command.MUTE, False)],
)
@pytest.mark.usefixtures("asked")
def test_the_undo_is_at_hand_after_a_mute(host: Host, muted: bool, led_by: Command | None, at_hand: bool) -> None:
    say(host, muted, to="jane@example.org")
    page = Page.OPENED if led_by is None else Page.RESULT
    assert page_context(host.claim(), nonce(page, led_by)).at_hand is at_hand


@pytest.mark.parametrize(
    ("page", "age", "says"), [(Page.RESULT, 1, True), (Page.RESULT, RESULT_AGE + 9, False), (Page.REPEAT, 1, False)]
)
def test_a_receipt_in_the_url_says_what_was_pressed_for_a_while(
    host: Host, page: Page, age: float, says: bool
) -> None:
    claim = host.claim()
    receipt = current_state().nonces.issue(claim, nonce(page, Command.MUTE, age))
    with host.app.test_request_context(f"/?optout={receipt}"):
        read, another = opened(claim), opened(host.claim("bob@example.org"))
    assert (read.said, read.page) == ((Command.MUTE, Page.RESULT) if says else (None, Page.OPENED))
    assert another.said is None and another.visit != VISIT


@pytest.mark.usefixtures("asked")
def test_a_link_has_one_url_and_one_id(host: Host) -> None:
    one, other = host.claim(), host.claim("bob@example.org")
    assert own_url(one) == host.path() != own_url(other)
    assert re.fullmatch(r"optout-[0-9a-f]{8}", element_id(one)) and element_id(one) != element_id(other)


def test_elsewhere_the_toggle_of_whoever_opened_the_link_is_empty(jobs: Host) -> None:
    with jobs.app.test_request_context("/opportunities/beta-42"):
        assert render_template_string("{{ optout_toggle() }}") == ""


@pytest.mark.parametrize(
    ("about", "said", "button"),
    [("beta-42", NO_MORE, "undo"), ("*", "You will get no more invitations from us.", "undo-all")],
)
def test_it_shows_what_stands(jobs: Host, client: FlaskClient, about: str, said: str, button: str) -> None:
    say(jobs, True, to="jane@example.org", everything=about == "*")
    page = client.get("/account").text
    assert said in re.sub("</?cite[^>]*>", "", page)
    assert f'value="{button}"' in page and 'value="mute"' not in page


def test_a_mute_of_the_address_without_its_tag_has_no_undo(jobs: Host) -> None:
    say(jobs, True, to="jane@example.org")
    with jobs.app.test_request_context():
        line = render_template_string("{{ optout_toggle('jane+2@example.org', 'beta-42') }}")
    assert "without its “+” part" in line and 'value="undo"' not in line and 'value="mute"' not in line


def test_without_a_store_the_hosts_page_stands(
    jobs: Host, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    jobs.db.drop_all()
    with caplog.at_level(logging.ERROR):
        answer = client.get("/account")
    assert answer.status_code == 200 and "My invitations" in answer.text and "Nothing changed." in answer.text
    assert "init-db" in caplog.text and "jane" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "error"), [("'jane', 'beta-42'", AddressError), ("'jane@example.org'", OpportunityError)]
)
def test_what_it_cannot_be_for_is_an_error(jobs: Host, arguments: str, error: type[Exception]) -> None:
    with jobs.app.test_request_context(), pytest.raises(error):
        render_template_string(f"{{{{ optout_toggle({arguments}) }}}}")


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "\\\\evil.example"])
def test_a_form_leads_only_where_the_page_stood(jobs: Host, client: FlaskClient, back: str) -> None:
    form = jobs.form("mute") | {"back": back, "optout": back, "next": back}
    assert client.post(jobs.path(), data=form).headers["Location"].startswith("/optout/")


@pytest.mark.parametrize("root", ["", "/jobs"])
def test_it_comes_back_below_the_base_urls_path(make: MakeHost, root: str) -> None:
    host = dress(make(OPTOUT_BASE_URL=f"https://example.org{root}"))
    client = host.app.test_client()
    page = client.get("/account?a=1&a=%26&optout=old", environ_overrides={"SCRIPT_NAME": root}).text
    nonces = re.findall(r'name="nonce" value="([^"]+)"', page)
    with host.app.app_context():
        host.wait(5)
        form = {**host.form("mute"), "nonce": nonces[-1]}
        answer = client.post(host.path().removeprefix(root), data=form)
    assert answer.status_code == 303
    assert re.fullmatch(rf"{root}/account\?a=1&a=%26&optout=[\w.-]+#optout-\w+", answer.headers["Location"])
