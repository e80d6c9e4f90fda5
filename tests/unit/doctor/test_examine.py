"""All four groups, and a sample as a whole, where nothing is asked of anybody."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from flask_optout.doctor import examine as module
from flask_optout.doctor.case import Case
from flask_optout.doctor.examine import check_message, examine, make_is_ours
from flask_optout.doctor.finding import Finding, attempt, tell
from flask_optout.wiring import current_state
from tests.support.findings import ids, the
from tests.support.hosts import Host
from tests.support.samples import LINK, OURS, PREFIX, SETTINGS, TOKEN, eml


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        (LINK, True),
        (OURS, True),
        (LINK.upper(), True),
        (f"{LINK}?utm_source=mail", True),
        (f"{PREFIX}short", False),
        (f"https://elsewhere.example/optout/{TOKEN}", False),
    ],
)
def test_which_url_is_a_candidates_link(url: str, is_ours: bool) -> None:
    assert make_is_ours(PREFIX)(url) is is_ours


def test_nothing_personal_is_shown() -> None:
    sample = eml("no link", To="jane@x.example, joe@x.example", X_Spam_Status="Yes, for jane@x.example")
    found = list(check_message(Case.of(SETTINGS, message=sample), PREFIX))
    assert "Yes, for …@x.example" in the(found, "message.spam").seen and "message.recipient.wrong" in ids(found)
    for finding in found:
        assert "jane" not in " ".join((finding.seen, finding.why, finding.mend, finding.paste, *finding.details))


def test_without_a_sample_the_doctor_says_how_to_get_one() -> None:
    finding = the(check_message(Case(), PREFIX), "message.none")
    assert (finding.severity.value, finding.paste) == ("note", "flask optout doctor --message invitation.eml")


def test_what_is_no_message_is_said_to_be_none() -> None:
    assert ids(check_message(Case.of(SETTINGS, message=b"no headers at all"), PREFIX)) == {"message.unreadable"}


def test_what_the_extra_lacks_is_named_and_the_headers_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "flask_optout.doctor.signatures", raising=False)
    monkeypatch.setitem(sys.modules, "authres", None)
    found = list(attempt("message", check_message(Case.of(SETTINGS, message=eml()), PREFIX)))
    assert the(found, "message.extra").facts == {"package": "authres"}
    assert "message.list-id" in ids(found)
    assert not {"message.receiver", "message.link.text"} & ids(found)


def test_a_link_of_another_key_is_told() -> None:
    found = ids(check_message(Case.of(SETTINGS, message=eml()), PREFIX, lambda url: False))
    assert "message.list-unsubscribe.other-key" in found


def examined(host: Host, case: Case) -> list[Finding]:
    return list(examine(current_state(), case, offline=True))


@pytest.mark.parametrize("sample", [None, eml()])
def test_offline_asks_nobody(host: Host, sample: bytes | None) -> None:
    found = ids(examined(host, Case.of(host.app.config, message=sample)))
    assert {"domain.offline", "doors.offline", "setup.store"} <= found
    assert ("message.offline" in found) is (sample is not None)


def test_each_group_that_is_done_is_told(host: Host) -> None:
    groups = dict.fromkeys(finding.group for finding in examined(host, Case()))
    assert list(groups) == ["setup", "domain", "message", "doors"]


def test_a_group_that_breaks_leaves_the_others(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> Any:
        yield tell("setup.keys", count="1 key")
        raise KeyError("secret")

    monkeypatch.setattr(module, "check_setup", breaks)
    found = examined(host, Case())
    assert {"setup.keys", "setup.trouble.unknown", "domain.offline", "doors.offline"} <= ids(found)
    assert not any("secret" in finding.seen for finding in found)
