"""The example as a newcomer meets it: started by the README's command, walked through in a browser."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Route, expect

from example_app import create_app
from example_app.mailbox import MailServer
from flask_optout.wiring import current_state
from tests.conftest import page_of
from tests.support.axe import violations
from tests.support.example import Example, example
from tests.support.example_pages import PAGES, open_newest
from tests.support.quick_start import EXAMPLE as COMMAND
from tests.support.story import press


@pytest.fixture
def fresh() -> Iterator[Example]:
    """A programme in which nothing has happened yet."""
    with example("--port", "0", module="tests.support.example_at_once") as running:
        yield running


def fetch(url: str, body: bytes | None = None) -> str:
    with urllib.request.urlopen(url, body, timeout=10) as response:
        return str(response.read().decode())


def invite(page: Page, opportunity: str, candidate: str) -> str:
    """Invite as an operator does; gives the words of the page that answers."""
    page.get_by_role("link", name="Invitations", exact=True).click()
    page.get_by_role("form", name=opportunity).get_by_role("button", name=f"Invite {candidate}").click()
    expect(page.locator(".notice")).to_have_text(f"Invitation accepted: {opportunity}, {candidate}.")
    return page.get_by_role("main").text_content() or ""


def open_mailbox(page: Page, candidate: str, mails: int) -> FrameLocator:
    """The newest mail in a mailbox."""
    page.get_by_role("link", name=candidate, exact=True).click()
    expect(page.get_by_role("article")).to_have_count(mails)
    return page.get_by_role("article").first.frame_locator("iframe")


def expect_steps(page: Page, done: int) -> None:
    expect(page.get_by_role("complementary", name="Guided tour").locator(".done")).to_have_count(done)


def test_a_visitor_walks_through_the_story(fresh: Example, page: Page) -> None:
    jane, camera = "Jane Doe", "Pocket Camera"
    page.goto(fresh.url)
    expect_steps(page, 0)
    accepted = invite(page, camera, jane)
    expect_steps(page, 1)

    mail = open_mailbox(page, jane, mails=1)
    with page.expect_navigation():  # the mailbox has a heading of this name, too
        mail.get_by_role("link", name="See the Pocket Camera").click()
    expect(page.get_by_role("heading", name=camera)).to_be_visible()
    expect(page.get_by_role("button", name="Count me in")).to_be_visible()
    expect_steps(page, 2)
    link = page.url
    press(page, "Not Interested?")
    expect(page.get_by_text("You will get no more invitations to Pocket Camera.")).to_be_visible()
    expect_steps(page, 3)

    page.goto(link)
    expect(page.get_by_text("You will get no more invitations to Pocket Camera.")).to_be_visible()
    expect(page.get_by_role("button", name="Count me in")).to_have_count(0)
    page.goto(fresh.url)
    assert invite(page, camera, jane) == accepted, "the operator must not see a difference"
    expect_steps(page, 4)
    open_mailbox(page, jane, mails=1)
    invite(page, "Bread Timer", jane)
    open_mailbox(page, jane, mails=2)

    page.goto(link)
    press(page, "I've changed my mind.")
    expect(page.get_by_role("button", name="Count me in")).to_be_visible()
    expect_steps(page, 5)
    page.goto(fresh.url)
    assert invite(page, camera, jane) == accepted
    expect_steps(page, 6)
    open_mailbox(page, jane, mails=3)

    page.get_by_role("button", name="Delete all mails").click()
    expect_steps(page, 7)
    page.get_by_role("link", name="Open the Email Log").click()
    open_newest(page, camera)
    page.get_by_text("Send it again…").click()
    page.get_by_role("button", name="Send it again").click()
    expect_steps(page, 8)
    again = open_mailbox(page, jane, mails=1)
    expect(again.get_by_role("link", name="See the Pocket Camera")).to_be_visible()
    page.get_by_role("button", name="Again, with somebody else").click()
    expect_steps(page, 0)


def test_an_operator_is_told_that_a_mail_server_took_no_mail(tmp_path: Path) -> None:
    nobody = MailServer()
    nobody.port = 1  # where nothing listens
    app = create_app(
        nobody,
        SECRET_KEY="a key of the example, 32 bytes long",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/example.db",
        OPTOUT_BASE_URL="http://127.0.0.1",
    )
    client = app.test_client()
    answer = client.post("/opportunities/camera/invitations", data={"candidate": "jane"}, follow_redirects=True)
    assert "The mail server did not take it: Pocket Camera, Jane Doe. The Email Log says why." in answer.text


def test_a_mail_that_no_request_sends_names_the_opportunity_too(tmp_path: Path) -> None:
    app = create_app(
        MailServer(),
        SECRET_KEY="a key of the example, 32 bytes or more",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'example.db'}",
        OPTOUT_BASE_URL="http://127.0.0.1:5000",
    )
    with app.app_context():
        about = current_state().load_opportunity("camera")
    assert (about.title, about.picture) == ("Pocket Camera", "/static/camera.svg")


def test_the_mailbox_shows_new_mail_by_itself(fresh: Example, browser: Browser) -> None:
    with page_of(browser) as page:
        page.goto(f"{fresh.url}/mailbox/kofi")
        expect(page.get_by_text("0 mails for kofi@example.com.")).to_be_visible()
        for mails, opportunity in ((1, "camera"), (2, "sleep")):
            fetch(f"{fresh.url}/opportunities/{opportunity}/invitations", b"candidate=kofi")
            expect(page.get_by_role("article")).to_have_count(mails)
            expect(page.locator("#count")).to_have_text(f"{mails} mail{'s' if mails > 1 else ''}")
        page.get_by_role("heading", name="Will you test our Sleep Diary?").click()
        expect(page.get_by_role("article").first.locator("iframe")).to_be_hidden()
        page.wait_for_timeout(1500)
        expect(page.get_by_role("article").first.locator("iframe")).to_be_hidden()  # as nothing new came


def test_the_tour_ticks_a_step_off_by_itself_and_says_so(fresh: Example, browser: Browser) -> None:
    with page_of(browser) as page:
        page.goto(fresh.url)
        fetch(f"{fresh.url}/opportunities/bread/invitations", b"candidate=zoe")
        expect_steps(page, 1)
        expect(page.locator("#tour-said")).to_have_text("The mail is in the mailbox of Zoë Martin.")
        expect(page.locator("[aria-current=step]")).to_contain_text("Now you are Zoë Martin.")


@pytest.mark.long
def test_the_mailbox_shows_a_mail_as_it_arrived(fresh: Example, page: Page) -> None:
    page.goto(fresh.url)
    invite(page, "Sleep Diary", "Zoë Martin")
    open_mailbox(page, "Zoë Martin", mails=1)
    mail = page.get_by_role("article").first

    mail.get_by_text("Source with headers").click()
    shown = mail.locator("pre.source").inner_text()
    link = rf"{re.escape(fresh.url)}/optout/one-click/[a-z2-7]{{80,}}"
    for header in (
        rf"List-Unsubscribe: <{link}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        r"List-Id: <sleep\.optout\.127\.0\.0\.1>",
        "Auto-Submitted: auto-generated",
    ):
        assert re.search(rf"^{header}$", shown, re.MULTILINE), header

    mail.get_by_text("Text part").click()
    expect(mail.locator("pre.text")).to_contain_text("Dear Zoë Martin,")
    expect(mail.locator("pre.text").get_by_role("link").first).to_have_attribute(
        "href", re.compile("/optout/[a-z2-7]+$")
    )
    source = mail.get_by_role("link", name="Download").get_attribute("href")
    received = page.request.get(f"{fresh.url}{source}").body()
    assert b"\r\n" in received
    assert received.decode().replace("\r\n", "\n").strip() == shown.strip()


def test_what_the_page_asks_for_by_itself_does_not_meddle_with_a_press(fresh: Example, browser: Browser) -> None:
    with page_of(browser) as page:
        PAGES["landing page"](page, fresh)
        pressed: list[Route] = []
        page.route("**/optout/*", lambda route: pressed.append(route) if route.request.method == "POST" else None)
        with page.expect_request(lambda request: request.method == "POST"):
            press(page, "Not Interested?")
        with page.expect_response("**/tour*"):
            pass  # the tour asks meanwhile, and is answered
        pressed[0].continue_()
        expect(page.get_by_role("button", name="I've changed my mind.")).to_be_visible()
        expect(
            page.get_by_role("button", name="I've changed my mind.").locator("xpath=ancestor::div[1]")
        ).to_be_focused()
        assert page.get_by_text("No connection").count() == 0
        expect_steps(page, 3)


@pytest.mark.long
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_use(fresh: Example, browser: Browser, name: str) -> None:
    """axe finds nothing, in light and in dark, and all of it fits a screen of 320 px."""
    with page_of(browser) as page:
        PAGES[name](page, fresh)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for width in (1280, 320):
                page.set_viewport_size({"width": width, "height": 640})
                assert (
                    page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
                )
                assert violations(page, iframes=False) == []


def test_a_keyboard_is_enough(fresh: Example, browser: Browser) -> None:
    with page_of(browser) as page:
        page.goto(fresh.url)
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")  # to the title of the first opportunity
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Invite Jane Doe").first).to_be_focused()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        page.keyboard.press("Enter")
        expect(page.get_by_text("Invitation accepted: Pocket Camera, Jane Doe.")).to_be_visible()


def test_an_unknown_candidate_or_opportunity_is_not_found(fresh: Example) -> None:
    for path, body in (
        ("/opportunities/none/invitations", b"candidate=jane"),
        ("/opportunities/camera/invitations", b"candidate=none"),
        ("/opportunities/none/join", b""),
        ("/mailbox/none", None),
        ("/mailbox/none/empty", b""),
        ("/mail/9999/html", None),
    ):
        with pytest.raises(urllib.error.HTTPError, match="404") as error:
            fetch(fresh.url + path, body)
        error.value.close()


def test_ctrl_c_stops_it_and_the_next_start_begins_anew(tmp_path: Path) -> None:
    with example("--port", "0", TMPDIR=str(tmp_path)) as first:
        fetch(f"{first.url}/opportunities/camera/invitations", b"candidate=jane")
        link = re.search(r"/optout/[a-z2-7]{80,}", fetch(f"{first.url}/mailbox/jane"))
        assert link is not None
        assert "Pocket Camera" in fetch(first.url + link[0])
        assert "Traceback" not in first.stop()
        assert first.process.returncode == 0
    assert list(tmp_path.iterdir()) == []

    with example("--port", first.url.rpartition(":")[2]) as second:
        assert second.url == first.url
        assert ">0 mails<" in fetch(f"{second.url}/mailbox/jane")
        with pytest.raises(urllib.error.HTTPError, match="404") as error:
            fetch(second.url + link[0])
        error.value.close()


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(AssertionError, match=rf"Port {port} cannot be used .*--port"),
            example("--port", str(port)),
        ):
            pass


def test_the_readme_starts_it_with_one_command() -> None:
    assert (
        COMMAND == "python3 -m venv .venv && .venv/bin/pip install -e '.[example]' && .venv/bin/python -m example_app"
    )
