"""RFC 8058, over a real socket as a mailbox provider's server would speak it."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.support.hosts import Host

MARKER = "List-Unsubscribe=One-Click"


def post(host: Host, body: str, content_type: str | None) -> tuple[int, dict[str, str]]:
    url = urlsplit(current_state().links.url(Door.ONE_CLICK, parse("jane@example.org"), "beta-42"))
    connection = http.client.HTTPConnection(url.netloc)
    connection.request("POST", url.path, body.encode(), {"Content-Type": content_type} if content_type else {})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (MARKER, "application/x-www-form-urlencoded"),
        (MARKER, "application/x-www-form-urlencoded; charset=UTF-8"),
        (MARKER + "\r\n", "application/x-www-form-urlencoded"),
        (MARKER, None),
        (
            '--B\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--B--\r\n',
            "multipart/form-data; boundary=B",
        ),
        (
            'B\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\nB\r\n',
            'multipart/form-data; boundary="B"',
        ),
    ],
    ids=["urlencoded", "charset", "trailing line break", "no content type", "multipart", "as in the RFC"],
)
def test_the_signal_mutes_at_once(served: Host, body: str, content_type: str | None) -> None:
    for _ in range(2):
        status, headers = post(served, body, content_type)
        assert status == 200
        assert "location" not in headers and "set-cookie" not in headers
    assert not served.optout.may_invite("jane@example.org", "beta-42")
    assert served.optout.may_invite("jane@example.org", "study-7")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("", "application/x-www-form-urlencoded"),
        ("", None),
        ("list-unsubscribe=one-click", "application/x-www-form-urlencoded"),
        ("List-Unsubscribe=one-click", "application/x-www-form-urlencoded"),
        ("List-Unsubscribe=", "application/x-www-form-urlencoded"),
        (MARKER, "text/plain"),
        ('{"List-Unsubscribe": "One-Click"}', "application/json"),
        (MARKER, "multipart/form-data; boundary=B"),
        (MARKER + "&a=" + "b" * 1_024, "application/x-www-form-urlencoded"),
    ],
    ids=ascii,
)
def test_any_other_body_is_refused(served: Host, body: str, content_type: str | None) -> None:
    status, _ = post(served, body, content_type)
    assert status == 400
    assert served.optout.may_invite("jane@example.org", "beta-42")
