"""The one-click door: the exact signal mutes at once, and nothing else does anything (RFC 8058)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.pages.one_click import UNSIGNED, is_signal
from flask_optout.wiring import current_state
from tests.support.hosts import Host, say

MARKER = "List-Unsubscribe=One-Click"
MULTIPART = "multipart/form-data"


def one_click_path(to: str = "jane@example.org") -> str:
    return urlsplit(current_state().links.url(Door.ONE_CLICK, parse(to), "beta-42")).path


@pytest.mark.parametrize(
    ("body", "mimetype", "is_one"),
    [
        (MARKER, "application/x-www-form-urlencoded", True),
        (f"{MARKER}\r\n", "application/x-www-form-urlencoded", True),
        (f"a=b&{MARKER}", "application/x-www-form-urlencoded", True),
        (MARKER, "", True),
        (
            '--B\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--B--\r\n',
            MULTIPART,
            True,
        ),
        ("B\nContent-Disposition: form-data; name=list-unsubscribe\n\nOne-Click\nB\n", MULTIPART, True),
        ('--B\r\nContent-Disposition: form-data; name="choice"\r\n\r\nOne-Click\r\n--B--\r\n', MULTIPART, False),
        ("", "", False),
        ("List-Unsubscribe=one-click", "", False),
        ("List-Unsubscribe=", "", False),
        (MARKER, "text/plain", False),
        (MARKER, MULTIPART, False),
        ('{"List-Unsubscribe": "One-Click"}', "application/json", False),
        (f"{MARKER}&a={'b' * 1_024}", "application/x-www-form-urlencoded", False),
    ],
    ids=ascii,
)
def test_the_signal_is_known_in_each_shape(body: str, mimetype: str, is_one: bool) -> None:
    assert is_signal(body.encode(), mimetype) is is_one


@pytest.mark.parametrize(("body", "status"), [(MARKER, 200), ("", 400)])
def test_it_mutes_or_says_that_nothing_changed(host: Host, client: FlaskClient, body: str, status: int) -> None:
    for _ in range(2):
        answer = client.post(one_click_path(), data=body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == status and (answer.text == UNSIGNED) is (status == 400)
        assert "Location" not in answer.headers and "Set-Cookie" not in answer.headers
    assert host.optout.may_invite("jane@example.org", "beta-42") is (status == 400)
    assert host.optout.may_invite("jane@example.org", "study-7")


def test_it_never_undoes(host: Host, client: FlaskClient) -> None:
    say(host, True, to="jane@example.org")
    client.post(one_click_path(), data={"List-Unsubscribe": "One-Click", "choice": "undo"})
    assert not host.optout.may_invite("jane@example.org", "beta-42")


def test_opened_in_a_browser_it_shows_the_landing_page(host: Host, client: FlaskClient) -> None:
    pages = [client.get(path).text for path in (one_click_path(), host.path())]
    opened, landing = (re.sub(r'name="nonce" value="[^"]+"', "", page) for page in pages)
    assert opened == landing
