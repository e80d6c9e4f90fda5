"""The story of the Email Log, both parts played: the mail is deleted, the operator helps, and learns nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import request
from playwright.sync_api import Browser, Page, expect

from flask_optout.cli.commands import optout_cli
from flask_optout.links.tokens import ALPHABET
from flask_optout.presses.judge import WINDOW
from tests.conftest import MakeHost, page_of
from tests.support.email_log import LOG, operator_of, post
from tests.support.hosts import Host, Mailbox, free_port, http_server, until
from tests.support.story import link_in, press

pytestmark = pytest.mark.long


@pytest.fixture
def served(make: MakeHost, smtp: Mailbox) -> Iterator[Host]:
    """A host on a real HTTP server, whose operators show a header."""
    port = free_port()
    host = make(
        operator=lambda: request.headers.get("X-Operator"),
        MAIL_SERVER=smtp.host,
        MAIL_PORT=smtp.port,
        OPTOUT_BASE_URL=f"http://127.0.0.1:{port}",
    )
    with http_server(host.app, port), host.app.app_context():
        yield host


@pytest.fixture
def operator(browser: Browser, scripts: bool) -> Iterator[Page]:
    """The operator's browser."""
    options = {"extra_http_headers": {"X-Operator": "Olga"}, "permissions": ["clipboard-read", "clipboard-write"]}
    with page_of(browser, java_script_enabled=scripts, **options) as page:
        yield page


def wait_for(smtp: Mailbox, count: int) -> str:
    """The text of the newest mail, once there are so many."""
    until(lambda: len(smtp.received) >= count)
    assert len(smtp.received) == count
    return smtp.received[-1].part("plain")


def mute(page: Page, link: str) -> None:
    page.goto(link)
    press(page, "Not Interested?")
    expect(page.get_by_role("button", name="I've changed my mind.")).to_be_visible()


def undo(page: Page, link: str) -> None:
    page.goto(link)
    press(page, "I've changed my mind.")
    expect(page.get_by_role("button", name="Not Interested?")).to_be_visible()


def find_by_saved_filter(operator: Page, url: str) -> None:
    """Narrow the list, save the filter, come back another day and find the invitation by it."""
    operator.goto(url)
    operator.get_by_role("searchbox").fill("JANE@example.org")
    operator.get_by_label("Opportunity").select_option("Pixel Beta")
    operator.get_by_role("button", name="Search", exact=True).click()
    expect(operator.get_by_role("row")).to_have_count(2)
    operator.get_by_text("Save this filter").click()
    operator.get_by_label("Name", exact=True).fill("Jane's beta")
    operator.get_by_role("button", name="Save for all operators").click()
    operator.goto(url)
    operator.get_by_role("link", name="Jane's beta").click()
    expect(operator.get_by_role("cell", name="jane@example.org")).to_be_visible()
    operator.get_by_role("link", name="Join us").click()


def copy_url(operator: Page, scripts: bool) -> str:
    button = operator.get_by_role("button", name="Copy invitation URL")
    field = operator.get_by_label("Invitation URL", exact=True)
    if not scripts:
        expect(button).to_be_hidden()
        return field.input_value()
    button.click()
    expect(operator.get_by_role("button", name="Copied")).to_be_visible()
    expect(operator.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    copied = str(operator.evaluate("navigator.clipboard.readText()"))
    assert copied == field.input_value()
    return copied


def test_the_operator_gets_a_candidate_back_to_their_link(
    served: Host, smtp: Mailbox, page: Page, operator: Page, scripts: bool
) -> None:
    for to in ("jane@example.org", "joan@example.org"):
        served.mail.send(served.invitation(to))
    served.mail.send(served.invitation(opportunity="study-7"))
    mute(page, link_in(smtp.to("jane@example.org")[0].part("plain")))
    page.goto("about:blank")
    smtp.received.clear()  # the mail is deleted

    find_by_saved_filter(operator, served.app.config["OPTOUT_BASE_URL"] + LOG)
    url = copy_url(operator, scripts)
    operator.get_by_text("Send it again…").click()
    operator.get_by_role("button", name="Send it again").click()
    expect(operator.get_by_text("Accepted. It can be sent again tomorrow.")).to_be_visible()
    expect(operator.get_by_role("listitem").filter(has_text="Olga")).to_be_visible()

    # The first way back: the mail that was sent again.
    again = wait_for(smtp, 1)
    assert "Come and try it." not in again
    undo(page, link_in(again))
    assert served.optout.may_invite("jane@example.org", "beta-42")

    served.wait(WINDOW)
    # The second: the copied URL. Whoever else opens it sees the same page and gets nothing.
    mute(page, link_in(again))
    operator.goto(url)
    expect(operator.get_by_role("heading", name="Get the link to your invitation again")).to_be_visible()
    operator.get_by_label("Your email address").fill("olga@example.org")
    operator.get_by_role("button", name="Mail me my link").click()
    expect(operator.get_by_role("heading", name="Check your email.")).to_be_visible()
    assert not served.optout.may_invite("jane@example.org", "beta-42")
    page.goto(url)
    page.get_by_label("Your email address").fill("Jane@Example.org")
    page.get_by_role("button", name="Mail me my link").click()
    undo(page, link_in(wait_for(smtp, 2)))
    assert served.optout.may_invite("jane@example.org", "beta-42")
    assert {mail.rcpt_to[0] for mail in smtp.received} == {"jane@example.org"}


def test_filtering_is_live_where_there_are_scripts(served: Host, browser: Browser) -> None:
    for to in ("jane@example.org", "joan@example.org"):
        served.mail.send(served.invitation(to))
    url = served.app.config["OPTOUT_BASE_URL"] + LOG
    with page_of(browser, extra_http_headers={"X-Operator": "Olga"}) as operator:
        operator.goto(url)
        field = operator.get_by_role("searchbox")
        field.press_sequentially("joan@example.org")
        expect(operator.get_by_role("row")).to_have_count(2)
        expect(operator.get_by_role("status")).to_have_text("1 invitation.")
        expect(field).to_be_focused()
        expect(operator).to_have_url(f"{url}?q=joan@example.org")
        operator.reload()
        expect(operator.get_by_role("cell", name="joan@example.org")).to_be_visible()
        expect(operator.get_by_role("cell", name="jane@example.org")).to_be_hidden()
        operator.go_back()
        expect(operator.get_by_role("row")).to_have_count(3)


def test_where_the_clipboard_is_denied_the_field_stays_selected(served: Host, browser: Browser) -> None:
    served.mail.send(served.invitation())
    with page_of(browser, extra_http_headers={"X-Operator": "Olga"}) as operator:
        operator.add_init_script("delete Navigator.prototype.clipboard")
        operator.goto(served.app.config["OPTOUT_BASE_URL"] + LOG)
        operator.get_by_role("link", name="Join us").click()
        operator.get_by_role("button", name="Copy invitation URL").click()
        expect(operator.locator("#ask-url-status")).to_have_text("Selected. Copy it with the keyboard.")
        field = operator.get_by_label("Invitation URL", exact=True)
        assert operator.evaluate("getSelection().toString()") == field.input_value()


def test_a_hostile_html_part_stays_in_its_frame(served: Host, browser: Browser) -> None:
    hostile = (
        "<svg onload='top.stolen=1'></svg><script>top.stolen=1</script><p>Come</p>"
        "<meta http-equiv=refresh content='0;url=/optout/operator/'>"
        "<a target=_top href='/gone'>top</a><form action='/gone'><button>Send</button></form>"
    )
    served.mail.send(served.invitation(html=hostile))
    context = browser.new_context(extra_http_headers={"X-Operator": "Olga"})
    operator = context.new_page()
    asked: list[str] = []
    operator.goto(served.app.config["OPTOUT_BASE_URL"] + LOG)
    operator.get_by_role("link", name="Join us").click()
    operator.get_by_role("link", name="HTML").click()
    frame = operator.frame_locator("iframe")
    expect(frame.get_by_text("Come")).to_be_visible()
    operator.on("request", lambda request: asked.append(request.url))
    here = operator.url
    frame.get_by_role("button", name="Send").click()
    frame.get_by_role("link", name="top").click()
    operator.wait_for_timeout(300)
    assert operator.evaluate("window.stolen") is None
    assert (operator.url, asked) == (here, [])
    context.close()


def test_with_everything_but_the_keys_the_choice_can_be_neither_seen_nor_undone(
    served: Host, smtp: Mailbox, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever an operator can read is searched for tokens, and each of them is tried at each door."""
    for to in ("jane@example.org", "joan@example.org"):
        served.mail.send(served.invitation(to))
    mute(page, link_in(smtp.to("jane@example.org")[0].part("plain")))
    held = "\n".join((*screens(served), *commands(served), *(r.getMessage() for r in caplog.records), dump(served)))
    assert "jane@example.org" in held and "joan@example.org" in held

    outsider = served.app.test_client()
    tokens = set(ALPHABET.findall(held.lower()))
    assert len(tokens) == 2  # the ask page's, one for each candidate
    asking = set()
    for token in tokens:
        for door in ("", "one-click/"):
            assert outsider.get(f"/optout/{door}{token}").status_code == 404
            for fields in ({"choice": "undo"}, {"choice": "undo-all"}, {"List-Unsubscribe": "One-Click"}):
                assert outsider.post(f"/optout/{door}{token}", data=fields).status_code == 404
        asking.add(outsider.get(f"/optout/ask/{token}").data)
    assert len(asking) == 1  # the same page for the muted candidate and the other one
    assert not served.optout.may_invite("jane@example.org", "beta-42")
    assert served.optout.may_invite("joan@example.org", "beta-42")


def screens(host: Host) -> Iterator[str]:
    """Every operator route, for every invitation there is."""
    operator = operator_of(host)
    entries = operator.get(LOG).text
    paths = [LOG, f"{LOG}?q=jane@example.org", f"{LOG}?q=jane&failed=1"]
    for id in sorted(set(re.findall(rf"{LOG}(\d+)", entries))):
        path = LOG + id
        paths += [
            path,
            f"{path}?part=html",
            f"{path}?part=headers",
            f"{path}/html",
            f"{path}.eml",
        ]
        yield post(operator, f"{path}/send-again").text
    yield from (operator.get(path).text for path in paths)


def commands(host: Host) -> Iterator[str]:
    runner = host.app.test_cli_runner()
    assert not any(re.search("undo|unmute|status|show|list|link|token", name) for name in optout_cli.commands)
    for name in optout_cli.commands:
        yield runner.invoke(args=["optout", name, "--help"]).output
        yield runner.invoke(args=["optout", name]).output


def dump(host: Host) -> str:
    """The whole database, its bytes in hexadecimal and, as tokens are, in base32."""
    with host.db.engine.connect() as connection:
        rows = [row for table in host.db.metadata.sorted_tables for row in connection.execute(sa.select(table))]
    return "\n".join(value.hex() if isinstance(value, bytes) else str(value) for row in rows for value in row)
