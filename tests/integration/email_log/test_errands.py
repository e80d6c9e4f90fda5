"""What an operator does in a browser, with scripts and without, and what keys and arrivals do meanwhile."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from smtplib import SMTPDataError, SMTPRecipientsRefused

import pytest
from flask import redirect, request
from playwright.sync_api import Browser, Page, expect

from flask_optout.email_log import records
from flask_optout.email_log.records import LARGEST_ID, PER_MINUTE, id_at, now
from flask_optout.wiring import current_state
from tests.conftest import MakeHost, page_of
from tests.support.email_log import LOG, read_until
from tests.support.hosts import Host, Mailbox, free_port, http_server

pytestmark = pytest.mark.long

PEOPLE = ["Jane Doe", "Kofi Mensah", "Zoë Martin-Lang", "Olu Adé", "Bob Builder", "Ann Smith"]


def hours_before(moment: datetime.datetime, hours: int) -> int:
    """The id of the minute after the start of that hour."""
    return id_at(moment - datetime.timedelta(hours=hours) + datetime.timedelta(minutes=1))


@pytest.fixture
def served(make: MakeHost, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A served host that has sent sixty invitations in sixty hours; three of yesterday's failed."""
    port = free_port()
    host = make(
        operator=lambda: "Olga",
        MAIL_SERVER=smtp.host,
        MAIL_PORT=smtp.port,
        OPTOUT_BASE_URL=f"http://127.0.0.1:{port}",
        OPTOUT_OPERATOR_HOME="/admin/",
    )
    today = now().replace(hour=0, minute=0)
    ids = (hours_before(today, number) for number in range(60))
    with host.app.app_context():
        monkeypatch.setattr(records, "make_id", lambda: next(ids))
        for number in range(60):
            name = PEOPLE[number % 6]
            address = f"{name.split()[0].lower().replace('ë', 'e')}.{number}@example.org"
            host.mail.send(host.invitation(f"{name} <{address}>", ["beta-42", "study-7"][number % 2]))
        log = current_state().email_log
        for hours, code in ((5, 550), (9, 550), (20, 452)):
            error = SMTPRecipientsRefused({"x": (code, b"")}) if code == 550 else SMTPDataError(code, b"")
            log.record_failure(hours_before(today, hours), error)
        monkeypatch.undo()
        smtp.received.clear()
    host.app.config["PORT"] = port
    return host


@pytest.fixture
def operator(served: Host, browser: Browser, scripts: bool) -> Iterator[Page]:
    """An operator who has just opened the Email Log."""
    permissions = ["clipboard-read", "clipboard-write"]
    with (
        http_server(served.app, served.app.config["PORT"]),
        served.app.app_context(),
        page_of(browser, java_script_enabled=scripts, permissions=permissions) as page,
    ):
        page.goto(served.app.config["OPTOUT_BASE_URL"] + LOG)
        yield page


def search(page: Page, words: str) -> None:
    page.get_by_role("searchbox").fill(words)
    page.get_by_role("searchbox").press("Enter")


def test_find_somebody_whose_name_is_half_known(operator: Page) -> None:
    search(operator, "tin-la")
    expect(operator.get_by_text("10 invitations.")).to_be_visible()
    expect(operator.get_by_role("cell", name="Zoë Martin-Lang zoe.2@example.org")).to_be_visible()
    operator.get_by_role("link", name="Join us").first.click()
    expect(operator.get_by_role("article").get_by_text("Zoë Martin-Lang")).to_be_visible()


def test_send_it_again(operator: Page, smtp: Mailbox, scripts: bool) -> None:
    search(operator, "kofi.1@example.org")
    expect(operator.get_by_text("1 invitation.")).to_be_visible()
    operator.get_by_role("link", name="Join us").click()
    operator.get_by_text("Send it again…").click()
    expect(operator.get_by_text("At most once a day and three times in all.")).to_be_visible()
    assert smtp.received == []
    operator.get_by_role("button", name="Send it again").click()
    said = operator.get_by_text("Accepted. It can be sent again tomorrow.")
    expect(said).to_be_visible()
    expect(operator.get_by_text("Send it again…")).to_have_count(0)
    if scripts:
        expect(said).to_be_focused()
        assert operator.get_by_role("row").count() == 2, "the list is still there"
    assert [mail.rcpt_to for mail in smtp.received] == [["kofi.1@example.org"]]


def test_copy_a_url_into_a_chat(operator: Page, scripts: bool) -> None:
    search(operator, "olu.3@")
    expect(operator.get_by_text("1 invitation.")).to_be_visible()
    operator.get_by_role("link", name="Join us").click()
    url = operator.get_by_label("Invitation URL", exact=True).input_value()
    if scripts:
        operator.get_by_role("button", name="Copy invitation URL").click()
        expect(operator.get_by_role("button", name="Copied")).to_be_visible()
        assert operator.evaluate("navigator.clipboard.readText()") == url
    operator.goto(url)
    expect(operator.get_by_role("heading", name="Get the link to your invitation again")).to_be_visible()


def test_see_why_three_mails_failed_yesterday(operator: Page) -> None:
    operator.get_by_label("Failed only").check()
    operator.get_by_label("Sent").select_option("Yesterday")
    operator.get_by_role("button", name="Search", exact=True).click()
    expect(operator.get_by_text("3 invitations.")).to_be_visible()
    refused = operator.get_by_text("Failed: the mail server refused it. SMTPRecipientsRefused 550")
    expect(refused).to_have_count(2)
    expect(
        operator.get_by_text("the mail server could not take it then. Try again later. SMTPDataError 452")
    ).to_be_visible()
    expect(operator.get_by_role("list", name="Filters that are on")).to_contain_text("Yesterday")
    operator.get_by_role("link", name="Remove the filter Failed only").click()
    expect(operator.get_by_text("24 invitations.")).to_be_visible()


def test_save_a_filter_for_one_opportunity(operator: Page) -> None:
    operator.get_by_label("Opportunity").select_option("Sleep Study")
    operator.get_by_role("button", name="Search", exact=True).click()
    expect(operator.get_by_text("30 invitations.")).to_be_visible()
    operator.get_by_text("Save this filter").click()
    operator.get_by_label("Name", exact=True).fill("Sleepers")
    operator.get_by_role("button", name="Save for all operators").click()
    expect(operator.get_by_text("The filter is saved.")).to_be_focused()
    expect(operator.get_by_role("link", name="Sleepers")).to_be_visible()
    operator.get_by_label("Change the saved filter Sleepers").click()
    operator.get_by_role("textbox", name="Name").first.fill("Study")
    operator.get_by_role("button", name="Rename").click()
    operator.get_by_label("Change the saved filter Study").click()
    operator.get_by_role("group").get_by_text("Delete", exact=True).click()
    expect(operator.get_by_text("Delete the filter “Study” for all operators?")).to_be_visible()
    operator.get_by_role("button", name="Delete it").click()
    expect(operator.get_by_text("The filter is deleted.")).to_be_visible()
    expect(operator.get_by_role("link", name="Study", exact=True)).to_have_count(0)


def focused(page: Page) -> int:
    """Which row has the focus."""
    return int(page.evaluate("[...document.querySelectorAll('a[data-row]')].indexOf(document.activeElement)"))


@pytest.mark.parametrize("scripts", [True], indirect=True)
def test_keys_do_as_in_a_mail_program_and_can_be_switched_off(operator: Page) -> None:
    press, pane = operator.keyboard.press, operator.get_by_role("article")
    for key, row in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        press(key)
        assert focused(operator) == row
    press("Enter")
    expect(pane.get_by_text("kofi.1@example.org").first).to_be_visible()
    expect(pane.get_by_role("heading", level=1)).to_be_focused()
    press("j")
    expect(pane.get_by_text("zoe.2@example.org").first).to_be_visible()
    assert focused(operator) == 2
    press("Escape")
    expect(pane).to_have_count(0)
    assert focused(operator) == 2
    press("/")
    field = operator.get_by_role("searchbox")
    expect(field).to_be_focused()
    operator.keyboard.type("j/k")
    expect(field).to_have_value("j/k")
    operator.goto(operator.url.partition("?")[0])
    operator.get_by_text("Keyboard").click()
    operator.get_by_label("Use the keys / j k").uncheck()
    for _ in range(2):
        operator.get_by_role("heading", level=1).click()
        press("j")
        press("/")
        assert focused(operator) == -1
        expect(operator.get_by_role("searchbox")).not_to_be_focused()
        operator.reload()


@pytest.mark.parametrize("scripts", [True], indirect=True)
def test_on_a_small_screen_one_comes_back_to_the_list_as_it_was_filtered(operator: Page) -> None:
    operator.set_viewport_size({"width": 360, "height": 640})
    search(operator, "kofi")
    expect(operator.get_by_text("10 invitations.")).to_be_visible()
    filtered = operator.url
    for key in (True, False):
        operator.get_by_role("link", name="Join us").first.click()
        expect(operator.get_by_role("article")).to_be_visible()
        if key:
            operator.keyboard.press("Escape")
        else:
            operator.get_by_role("link", name="Email Log").click()
        expect(operator.get_by_text("10 invitations.")).to_be_visible()
        assert operator.url == filtered


@pytest.mark.parametrize("scripts", [True], indirect=True)
def test_rows_arrive_without_losing_the_place(served: Host, operator: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        operator.keyboard.press("j")
    operator.keyboard.press("Enter")
    expect(operator.get_by_role("article")).to_contain_text("olu.3@example.org")
    row = operator.locator("a[data-row][aria-current]")
    row.focus()
    before = [each.get_attribute("id") for each in operator.locator("a[data-row]").all()]
    operator.evaluate("scrollTo(0, 200)")
    top = "row => row.getBoundingClientRect().top"
    place = row.evaluate(top)
    monkeypatch.setattr(records, "make_id", lambda: id_at(now()) + PER_MINUTE // 3)
    served.mail.send(served.invitation("new@example.org"))
    read_until(monkeypatch, lambda: LARGEST_ID)
    operator.evaluate("htmx.trigger('#log-new', 'every')")
    expect(operator.get_by_role("cell", name="new@example.org")).to_be_attached()
    assert [each.get_attribute("id") for each in operator.locator("a[data-row]").all()][1:] == before
    expect(operator.get_by_text("61 invitations.")).to_be_visible()
    assert abs(row.evaluate(top) - place) < 1
    expect(row).to_be_focused()
    expect(operator.get_by_role("article")).to_contain_text("olu.3@example.org")


@pytest.mark.parametrize("scripts", [True], indirect=True)
def test_an_invitation_stays_open_only_beside_a_list_that_it_is_in(operator: Page) -> None:
    field, pane = operator.get_by_role("searchbox"), operator.get_by_role("article")
    operator.get_by_role("row", name="olu.3@example.org").get_by_role("link").click()
    expect(pane).to_contain_text("olu.3@example.org")
    field.fill("olu")
    expect(operator.get_by_text("10 invitations.")).to_be_visible()
    expect(pane).to_contain_text("olu.3@example.org")
    expect(operator.locator("tr:has([aria-current])")).to_contain_text("olu.3@example.org")
    field.press("Escape")
    expect(pane).to_have_count(0)
    expect(field).to_have_value("olu")
    operator.get_by_role("row", name="olu.3@example.org").get_by_role("link").click()
    expect(pane).to_contain_text("olu.3@example.org")
    field.fill("kofi")
    expect(operator.get_by_role("cell", name="olu.3@example.org")).to_have_count(0)
    expect(pane).to_have_count(0)


@pytest.mark.parametrize("scripts", [True], indirect=True)
def test_half_a_date_is_not_searched_for(operator: Page) -> None:
    asked: list[str] = []
    operator.on("request", lambda request: asked.append(request.url))
    operator.get_by_text("Other dates").click()
    field = operator.get_by_label("From, and including")
    field.focus()
    operator.keyboard.type("1224")
    operator.wait_for_timeout(600)
    operator.keyboard.type("2")
    operator.wait_for_timeout(600)
    assert asked == []
    operator.keyboard.type("2031")
    expect(operator.get_by_text("No invitation found.")).to_be_visible()


@pytest.mark.parametrize("scripts", [True], indirect=True)
def test_what_is_no_list_is_shown_as_a_page(served: Host, operator: Page) -> None:
    lost = served.app.before_request_funcs.setdefault(None, [])
    lost.append(lambda: redirect("/optout/static/operator.css") if request.path == LOG else None)
    operator.get_by_role("searchbox").fill("olu")
    expect(operator).to_have_url(re.compile("/operator.css$"))


@pytest.mark.parametrize("scripts", [True], indirect=True)
def test_an_empty_list_fills_by_itself(served: Host, operator: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.goto(f"{operator.url}?q=new@example.org")
    expect(operator.get_by_text("Type less of the address")).to_be_visible()
    expect(operator.get_by_role("table")).to_be_hidden()
    served.mail.send(served.invitation("new@example.org"))
    read_until(monkeypatch, lambda: LARGEST_ID)
    operator.evaluate("htmx.trigger('#log-new', 'every')")
    expect(operator.get_by_role("cell", name="new@example.org")).to_be_visible()
    expect(operator.get_by_text("Type less of the address")).to_be_hidden()


@pytest.mark.parametrize("scripts", [True], indirect=True)
def test_where_there_is_no_room_an_invitation_opens_as_a_page(operator: Page) -> None:
    operator.set_viewport_size({"width": 600, "height": 800})
    operator.get_by_role("link", name="Join us").first.click()
    expect(operator.get_by_role("navigation", name="You are here")).to_contain_text("Invitation")
    operator.go_back()
    expect(operator.get_by_text("60 invitations.")).to_be_visible()
    expect(operator.get_by_role("link", name="Home")).to_have_attribute("href", "/admin/")
