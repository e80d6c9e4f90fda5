"""What the headers of a page mean together."""

from __future__ import annotations

from email.message import Message

import pytest

from flask_optout.doctor.http import Reply
from flask_optout.doctor.policies import policies
from tests.support.findings import ids

URL = "https://jobs.example.org/optout/aaaa"
CSP = "Content-Security-Policy"
OWN = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "same-origin"),
    ("X-Robots-Tag", "noindex, nofollow"),
    ("X-Content-Type-Options", "nosniff"),
    (CSP, "default-src 'self'; frame-ancestors 'none'; form-action 'self'"),
)


def looked_at(*headers: tuple[str, str]) -> set[str]:
    """What is said of a page with our own headers and those behind them."""
    said = Message()
    for name, value in (*OWN, *headers):
        said.add_header(name, value)
    return ids(policies(Reply(200, said, ""), URL))


WELL, LOST, LEAKS, BLOCKED = {"doors.headers"}, {"doors.headers.lost"}, {"doors.referrer"}, {"doors.form-blocked"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), WELL),
        # Of several values the last one that is known counts.
        ((("Referrer-Policy", "unsafe-url"),), LEAKS),
        ((("Referrer-Policy", "no-referrer, no-referrer-when-downgrade"),), LEAKS),
        ((("Referrer-Policy", "unsafe-url"), ("Referrer-Policy", "no-referrer")), WELL),
        ((("Referrer-Policy", "no-such-policy"),), WELL),
        ((("Referrer-Policy", "strict-origin"),), LOST),
        # Of several content security policies each one counts.
        (((CSP, "form-action 'none'"),), BLOCKED),
        (((CSP, "img-src *, form-action https://x.example"),), BLOCKED),
        (((CSP, "form-action"),), BLOCKED),
        (((CSP, "sandbox allow-scripts"),), BLOCKED),
        (((CSP, "sandbox allow-forms"),), WELL),
        (((CSP, "form-action https:"),), WELL),
        (((CSP, "form-action jobs.example.org"),), WELL),
        (((CSP, "form-action https://*.example.org/optout/"),), WELL),
        (((CSP, "form-action https://*.example.org/elsewhere"),), BLOCKED),
        (((CSP, "form-action https://jobs.example.org:443"),), WELL),
        (((CSP, "form-action https://jobs.example.org:*"),), WELL),
        (((CSP, "form-action http://jobs.example.org:8080"),), BLOCKED),
        (((CSP, "connect-src 'none'"),), BLOCKED),
        (((CSP, "connect-src 'none'; script-src 'none'"),), WELL),
        (((CSP, "script-src 'strict-dynamic'; connect-src 'none'"),), WELL),
        (((CSP, "require-trusted-types-for 'script'"),), WELL | {"doors.trusted-types"}),
        (((f"{CSP}-Report-Only", "form-action 'none'"),), WELL),
        # A browser reads the first value of these alone.
        ((("X-Content-Type-Options", "none"),), WELL),
    ],
)
def test_headers_count_as_a_browser_joins_them(headers: tuple[tuple[str, str], ...], expected: set[str]) -> None:
    assert looked_at(*headers) == expected


def test_each_header_that_is_lost_is_named() -> None:
    found = list(policies(Reply(200, Message(), ""), URL))
    assert [finding.facts["name"] for finding in found] == [
        "Cache-Control",
        "Referrer-Policy",
        "X-Robots-Tag",
        "Content-Security-Policy",
        "X-Content-Type-Options",
    ]
