"""The pages work in a browser behind an nginx that strips a prefix and tells the app nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import MakeHost, missing
from tests.support.hosts import Host, Mailbox, free_port, http_server
from tests.support.proxies import NoNginx, nginx
from tests.support.story import press

pytestmark = pytest.mark.usefixtures("minutes_over")

CONF = "server {{ listen 127.0.0.1:{port}; location /jobs/ {{ proxy_pass http://127.0.0.1:{app}/; }} }}"


@pytest.fixture
def stripped(make: MakeHost, smtp: Mailbox, tmp_path: Path) -> Iterator[Host]:
    port, app = free_port(), free_port()
    base = f"http://127.0.0.1:{port}/jobs"
    host = make(OPTOUT_BASE_URL=base, MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, operator=lambda: True)
    try:
        with (
            nginx(tmp_path, port, CONF.format(port=port, app=app)),
            http_server(host.app, app),
            host.app.app_context(),
        ):
            yield host
    except NoNginx:
        missing("nginx", "apt-get install nginx-light")


def test_a_candidate_mutes_and_changes_their_mind(stripped: Host, page: Page) -> None:
    page.goto(stripped.optout.link("jane@example.org", "beta-42"))
    assert page.evaluate("document.styleSheets[0].cssRules.length") > 0
    press(page, "Not Interested?")
    expect(page.get_by_role("heading", name="You will get no more invitations to Pixel Beta.")).to_be_visible()
    assert not stripped.optout.may_invite("jane@example.org", "beta-42")
    press(page, "I've changed my mind.")
    expect(page.get_by_text("Try the new camera.")).to_be_visible()
    assert stripped.optout.may_invite("jane@example.org", "beta-42")
    assert "/jobs/optout/" in page.url


def test_an_operator_searches_and_sends_again(stripped: Host, smtp: Mailbox, page: Page) -> None:
    stripped.mail.send(stripped.invitation())
    page.goto(f"{stripped.app.config['OPTOUT_BASE_URL']}/optout/operator/")
    page.get_by_role("searchbox").fill("join")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("link", name="Join us").click()
    page.get_by_text("Send it again…").click()
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_text("Accepted. It can be sent again tomorrow.")).to_be_visible()
    assert "/jobs/optout/operator/" in page.url and len(smtp.received) == 2
