"""What a finding may show."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout import OptOut
from flask_optout.doctor import finding
from flask_optout.doctor.finding import TEXTS, Finding, Severity, Unsure, attempt, clean, side_by_side, tell
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


@given(st.text(max_size=1_000))
def test_whatever_is_said_is_printable_and_short(text: str) -> None:
    assert clean(text).isprintable()
    finding = tell("domain.spf.record", domain=text, record=text)
    assert finding.seen.isprintable()
    assert len(finding.seen) < 10_000


def test_half_a_record_is_not_offered_for_pasting() -> None:
    assert tell("domain.spf.all", (), "x" * 2_001, domain="x.example").paste == ""


def test_details_have_an_end() -> None:
    finding = tell("domain.spf.record", tuple("x" for _ in range(1_000)), domain="x.example", record="x")
    assert len(finding.details) == 61
    assert finding.details[-1] == "… and 940 more lines"


def test_what_is_pasted_keeps_its_mailboxes_and_moves_no_terminal() -> None:
    finding = tell("domain.dmarc.removed", (), "rua=mailto:dmarc@x.example\x1b[2J\nnext", at="x", tags=["pct=5"])
    assert finding.paste == "rua=mailto:dmarc@x.example\\x1b[2J\nnext"


NAMES = {id: texts for id, texts in TEXTS.items() if "." in id}
FIELDS = {"severity", "seen", "why", "mend", "paste", "source"}


@pytest.mark.parametrize("id", NAMES)
def test_every_text_says_what_why_and_how(id: str) -> None:
    shared = TEXTS.get(id.rpartition(".")[2], {})
    texts = {**shared, **NAMES[id]}
    places = {place for text in texts.values() if isinstance(text, str) for place in re.findall(r"{(\w+)}", text)}
    assert {name for name in texts if isinstance(texts[name], dict)} <= places
    assert {name for name in texts if isinstance(texts[name], str)} <= FIELDS
    assert texts["seen"]
    if Severity(texts["severity"]) is Severity.OK:
        assert not {"why", "mend", "paste", "source"} & texts.keys()
    else:
        assert texts["why"] and texts["mend"]


def test_what_a_text_tells_to_call_is_there() -> None:
    texts = (Path(finding.__file__).parent / "texts.toml").read_text()
    called = {*re.findall(r"(?<![\w.])(?:optout\.)?(\w+)\(\)", texts)}
    assert "send_invitations" in called and called <= {*dir(OptOut), "optout_toggle"}


def test_a_fact_is_data_and_its_text_stands_in_the_file() -> None:
    finding = tell("domain.mx.none", domain="x.example", what="lost", hosts=["a.example", "b.example"])
    assert finding.facts == {"domain": "x.example", "what": "lost", "hosts": "a.example, b.example"}
    assert finding.seen == "x.example takes no mail: a.example, b.example has no address."


def test_what_could_not_be_told_adds_to_a_text_for_all() -> None:
    def look() -> Iterator[Finding]:
        yield tell("domain.mx", domain="x.example", hosts="mx.example")
        raise Unsure("no answer in time")

    [_, lost] = attempt("domain.mx", look())
    assert (lost.id, lost.group, lost.severity.value) == ("domain.mx.unknown", "domain", "unknown")
    assert lost.seen == "Could not tell whether the domain takes mail: no answer in time."
    assert lost.mend == "Run the doctor again when it answers."


def test_an_error_brings_its_own_texts() -> None:
    def look() -> Iterator[Finding]:
        yield tell("setup.tables", kind="sqlite")
        raise StoreUnavailable("What.", "Why.", "Mend.")

    [_, error] = attempt("setup.store", look())
    assert (error.id, error.severity.value) == ("setup.store.error", "fail")
    assert (error.seen, error.why, error.mend) == ("What.", "Why.", "Mend.")


def test_a_check_that_cannot_tell_says_what_in_words_of_its_own() -> None:
    code = "".join(path.read_text() for path in Path(finding.__file__).parent.glob("*.py"))
    checks = {*re.findall(r'attempt\("((?:domain|message)\..+?)"', code), *re.findall(r'"(doors\..+)": _', code)}
    assert len(checks) > 10
    for check in checks:
        assert f"{check}.unknown" in TEXTS, check
        assert "no answer in time" in tell(f"{check}.unknown", reason="no answer in time").seen, check


def well() -> Iterator[Finding]:
    yield tell("doors.headers")


def breaks() -> Iterator[Finding]:
    yield tell("doors.headers")
    raise KeyError("secret")


def lasts() -> Iterator[Finding]:
    yield tell("doors.headers")
    time.sleep(2)


def is_not_answered() -> Iterator[Finding]:
    yield tell("doors.headers")
    raise Unsure("no answer in time")


def test_what_is_late_or_breaks_ends_in_a_finding_that_says_so() -> None:
    work = {"doors.a": well(), "doors.b": breaks(), "doors.c": lasts(), "doors.reading": is_not_answered()}
    found = list(side_by_side(work, 0.3))
    ends = ["b.trouble.unknown", "c.time.unknown", "reading.unknown"]
    assert [finding.id for finding in found if finding.id != "doors.headers"] == [f"doors.{end}" for end in ends]
    assert [finding.id for finding in found].count("doors.headers") == len(work)
    assert found[2].seen == "Could not tell: the rest cannot be read (KeyError)"
    assert found[4].seen == "Could not tell: the rest took longer than 0 seconds"
    assert found[6].facts == {"reason": "no answer in time"}
