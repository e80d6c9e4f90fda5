"""The example as a newcomer meets it: started by the README's command, walked through in a browser."""

from __future__ import annotations

import re
import socket
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.hosts import Example, example
from tests.support.quick_start import EXAMPLE as COMMAND
from tests.support.story import press

ROOT = Path(__file__).parents[3]
#: The colours of text on a page: dark in light mode, light in dark mode.
COLOURS = "[...document.querySelectorAll('h1, p, a, button, pre')].map(e => getComputedStyle(e).color)"


@pytest.fixture(scope="module")
def programme() -> Iterator[Example]:
    with example("--port", "0") as running:
        yield running


@pytest.fixture
def fresh() -> Iterator[Example]:
    """A programme in which nothing has happened yet."""
    with example("--port", "0") as running:
        yield running


def fetch(url: str, body: bytes | None = None) -> str:
    with urllib.request.urlopen(url, body, timeout=10) as response:
        return str(response.read().decode())


def brightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


def invite(page: Page, programme: Example, opportunity: str, candidate: str) -> str:
    """Invite as an operator does; gives the page that answers."""
    page.goto(programme.url)
    page.get_by_role("form", name=opportunity).get_by_role("button", name=f"Invite {candidate}").click()
    expect(page.get_by_role("status")).to_have_text(f"Invitation accepted: {opportunity}, {candidate}.")
    return page.content()


def open_mailbox(page: Page, programme: Example, candidate: str, mails: int) -> None:
    page.goto(programme.url)
    page.get_by_role("link", name=f"Mailbox of {candidate}").click()
    expect(page.get_by_role("article")).to_have_count(mails)


def press_link_in_newest_mail(page: Page) -> None:
    mail = page.get_by_role("article").first.frame_locator("iframe")
    mail.get_by_role("link", name="Not Interested?").click()
    page.wait_for_url("**/optout/*")


def test_a_newcomer_walks_through_the_story(page: Page, fresh: Example) -> None:
    programme, candidate = fresh, "Jane Doe"
    accepted = invite(page, programme, "Pocket Camera", candidate)
    open_mailbox(page, programme, candidate, mails=1)
    mail = page.get_by_role("article").first
    expect(mail.get_by_role("heading")).to_have_text("Will you test our Pocket Camera?")
    expect(mail.frame_locator("iframe").get_by_text(f"Dear {candidate},")).to_be_visible()

    press_link_in_newest_mail(page)
    expect(page.get_by_role("heading", name="Pocket Camera")).to_be_visible()
    link = page.url
    press(page, "Not Interested?")
    expect(page.get_by_role("heading", name="You will get no more invitations to Pocket Camera.")).to_be_visible()

    assert invite(page, programme, "Pocket Camera", candidate) == accepted, "the operator must not see a difference"
    open_mailbox(page, programme, candidate, mails=1)
    invite(page, programme, "Bread Timer", candidate)
    open_mailbox(page, programme, candidate, mails=2)

    page.goto(link)
    press(page, "I've changed my mind.")
    expect(page.get_by_role("button", name="Not Interested?")).to_be_visible()
    assert invite(page, programme, "Pocket Camera", candidate) == accepted
    open_mailbox(page, programme, candidate, mails=3)


@pytest.mark.long
def test_the_mailbox_shows_a_mail_as_it_arrived(page: Page, programme: Example) -> None:
    invite(page, programme, "Sleep Diary", "Zoë Martin")
    page.goto(f"{programme.url}/mailbox/zoe")
    mail = page.get_by_role("article").first

    mail.get_by_text("Source with headers").click()
    shown = mail.locator("pre.source").inner_text()
    link = rf"{re.escape(programme.url)}/optout/one-click/[a-z2-7]{{80,}}"
    for header in (
        rf"List-Unsubscribe: <{link}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        r"List-Id: <sleep\.optout\.127\.0\.0\.1>",
        "Auto-Submitted: auto-generated",
    ):
        assert re.search(rf"^{header}$", shown, re.MULTILINE), header

    mail.get_by_text("Text part").click()
    expect(mail.locator("pre.text")).to_contain_text("Dear Zoë Martin,")
    expect(mail.locator("pre.text").get_by_role("link")).to_have_attribute("href", re.compile("/optout/[a-z2-7]+$"))
    source = mail.get_by_role("link", name="Download").get_attribute("href")
    received = page.request.get(f"{programme.url}{source}").body()
    assert b"\r\n" in received
    assert received.decode().replace("\r\n", "\n").strip() == shown.strip()


@pytest.mark.long
@pytest.mark.parametrize("path", ["/", "/mailbox/zoe"])
def test_its_pages_fit_a_narrow_screen_in_light_and_dark(page: Page, programme: Example, path: str) -> None:
    fetch(f"{programme.url}/opportunities/bread/invite", b"candidate=zoe")
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(f"{programme.url}{path}")
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.emulate_media(color_scheme="light")
    light = page.evaluate(COLOURS)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(COLOURS)
    assert all(brightness(before) < brightness(after) for before, after in zip(light, dark, strict=True))


def test_an_unknown_candidate_or_opportunity_is_not_found(programme: Example) -> None:
    for path, body in (
        ("/opportunities/none/invite", b"candidate=jane"),
        ("/opportunities/camera/invite", b"candidate=none"),
        ("/mailbox/none", None),
        ("/mail/9999/html", None),
    ):
        with pytest.raises(urllib.error.HTTPError, match="404") as error:
            fetch(programme.url + path, body)
        error.value.close()


def test_ctrl_c_stops_it_and_the_next_start_begins_anew(tmp_path: Path) -> None:
    with example("--port", "0", TMPDIR=str(tmp_path)) as first:
        fetch(f"{first.url}/opportunities/camera/invite", b"candidate=jane")
        link = re.search(r"/optout/[a-z2-7]+", fetch(f"{first.url}/mailbox/jane"))
        assert link is not None
        assert "Pocket Camera" in fetch(first.url + link[0])
        assert "Traceback" not in first.stop()
        assert first.process.returncode == 0
    assert list(tmp_path.iterdir()) == []

    with example("--port", first.url.rpartition(":")[2]) as second:
        assert second.url == first.url
        assert "0 mails" in fetch(f"{second.url}/mailbox/jane")
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
    assert COMMAND in (ROOT / "README.md").read_text().splitlines()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(requirement.startswith("aiosmtpd") for requirement in extras["example"])


@pytest.mark.long
def test_an_operator_finds_an_invitation_in_the_email_log(fresh: Example, page: Page) -> None:
    invite(page, fresh, "Pocket Camera", "Jane Doe")
    page.get_by_role("link", name="Email Log").click()
    page.get_by_role("link", name="Will you test our Pocket Camera?").click()
    page.get_by_role("link", name="Send it again").click()
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_role("heading", name="Sent again")).to_be_visible()
    open_mailbox(page, fresh, "Jane Doe", 2)
