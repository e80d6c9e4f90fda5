"""For the tests of host apps."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from .scan import Answer, Finding, Scanner, scan


def scanner_visits(client: FlaskClient, url: str) -> list[Finding]:
    """Let mail scanners visit a candidate's link through a test client, and tell what each of them changed.

    :param url: such as ``optout.link("jane@example.org", "beta-42")``.
    """

    def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        parts = urlsplit(url)
        response = client.open(
            parts.path,
            method=method,
            query_string=parts.query,
            headers=dict(headers),
            data=body,
            base_url=f"{parts.scheme}://{parts.netloc}" if parts.netloc else None,
            follow_redirects=True,
        )
        return Answer(response.status_code, response.request.url, response.text)

    state = client.application.extensions["optout"]
    clock, ahead = state.clock, 0.0

    def wait(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    state.clock = lambda: clock() + ahead
    try:
        return list(scan(Scanner(send, url, wait=wait)))
    finally:
        state.clock = clock
