"""What a finding may show."""

from __future__ import annotations

import dns.rdata
import pytest
from dns.rdtypes.ANY.TXT import TXT
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_optout.doctor.finding import TEXTS, Finding, Severity, clean, of_error, tell, unknown
from flask_optout.doctor.records import paste_of
from flask_optout.doctor.sample import tag_list
from flask_optout.errors import StoreUnavailable
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
    finding = tell("domain.spf.record", domain=text, record=text)
    assert finding.seen.isprintable()
    assert len(finding.seen) < 10_000


def test_half_a_record_is_not_offered_for_pasting() -> None:
    assert tell("domain.spf.all", (), "x" * 2_001, domain="x.example").paste == ""


def test_details_have_an_end() -> None:
    finding = Finding("domain.spf.record", details=tuple("x" for _ in range(1_000)))
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


def test_what_is_pasted_keeps_its_mailboxes_and_moves_no_terminal() -> None:
    finding = tell("domain.dmarc.removed", (), "rua=mailto:dmarc@x.example\x1b[2J\nnext", at="x", tags="pct=5")
    assert finding.paste == "rua=mailto:dmarc@x.example\\x1b[2J\nnext"


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=1_000))
def test_a_txt_record_is_pasted_in_strings_that_read_back_as_it(text: str) -> None:
    read = dns.rdata.from_text("IN", "TXT", paste_of("x.example", text).partition(" IN TXT ")[2])
    assert isinstance(read, TXT)
    strings = read.strings
    assert b"".join(strings).decode() == text
    assert max(map(len, strings)) <= 255


def test_every_text_says_what_why_and_how() -> None:
    for id, texts in TEXTS.items():
        assert texts.keys() <= {"severity", "seen", "why", "mend", "paste", "source"}, id
        assert texts["seen"]
        if Severity(texts["severity"]) is not Severity.OK:
            assert texts["why"], id
            assert texts["mend"], id
        else:
            assert texts.keys() == {"severity", "seen"}, id


def test_what_could_not_be_told_and_errors_share_their_texts() -> None:
    lost = unknown("domain.spf", "what the record says", "DNS did not answer")
    assert (lost.id, lost.group, lost.severity.value) == ("domain.spf.unknown", "domain", "unknown")
    assert lost.seen == "Could not tell what the record says: DNS did not answer"
    error = of_error("setup.store", StoreUnavailable("What.", "Why.", "Mend."))
    assert (error.id, error.severity.value) == ("setup.store.error", "fail")
    assert (error.seen, error.why, error.mend) == ("What.", "Why.", "Mend.")
