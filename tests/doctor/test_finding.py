"""What a finding may show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_optout.doctor.finding import Finding, Severity, clean, tag_list
from tests.support.hosts import Host


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("rua=mailto:dmarc@example.org", "rua=mailto:…@example.org"),
        ("To: Jane <jane.doe+x@example.org>", "To: Jane <…@example.org>"),
        ('"jane doe"@example.org', "…@example.org"),
        ("bounce+jane=example.com@relay.test", "…@relay.test"),
        ("josé@example.org", "…@example.org"),
        ("@ IN TXT", "@ IN TXT"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("one\ntwo\u202e", "one\\ntwo\\u202e"),
        ("\ud800", "\\ud800"),
        ("x " * 1_000, "x " * 450 + "… (2000 characters)"),
    ],
)
def test_text_is_shown_without_addresses_and_without_what_moves_a_terminal(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_no_token_is_shown(host: Host) -> None:
    link = host.optout.link("jane@example.org", "beta-42")
    assert link.rpartition("/")[2] not in clean(f"seen {link} and {link.upper()}").lower()


@settings(deadline=None)
@given(st.text(max_size=1_000))
def test_whatever_is_said_is_printable_and_short(text: str) -> None:
    assert clean(text).isprintable()
    assert len(Finding("a.b", Severity.OK, text).seen) < 10_000


def test_half_a_record_is_not_offered_for_pasting() -> None:
    assert Finding("a.b", Severity.FAIL, "seen", paste="x" * 901).paste == ""


def test_details_have_an_end() -> None:
    finding = Finding("a.b", Severity.FAIL, "seen", details=tuple("x" for _ in range(1_000)))
    assert len(finding.details) == 61
    assert finding.details[-1] == "… and 940 more lines"


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("v=DKIM1; k=rsa; p=AB C=", {"v": "DKIM1", "k": "rsa", "p": "AB C="}),
        (" P = none ;p=reject;;x", {"p": "none"}),
        ("", {}),
    ],
)
def test_tag_lists(text: str, tags: dict[str, str]) -> None:
    assert tag_list(text) == tags
