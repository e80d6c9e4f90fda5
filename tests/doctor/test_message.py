"""A sample's headers and bodies, line by line of RFC 8058, 2369, 2919 and 3834."""

from __future__ import annotations

import pytest

from flask_optout.doctor.case import Case
from flask_optout.doctor.message import message
from flask_optout.doctor.sample import Sample, Unreadable
from tests.conftest import MakeHost
from tests.doctor.conftest import severities, the
from tests.support.hosts import Mailbox

PREFIX = "https://invite.example.org/optout/"
TOKEN = "a" * 120
LINK = PREFIX + TOKEN
SIGNED = "From:To:Subject:Date:Message-ID:List-Unsubscribe:List-Unsubscribe-Post:List-Id:Feedback-ID"
HEADERS = {
    "Return-Path": "<bounce@mail.example.org>",
    "DKIM-Signature": f"v=1; a=rsa-sha256; d=example.org; s=s1; h={SIGNED}; bh=AAAA; b=AAAA",
    "From": "The team <team@example.org>",
    "To": "Jane <jane@example.org>",
    "Subject": "Join us",
    "Date": "Tue, 24 Nov 2026 08:00:00 +0000",
    "Message-ID": "<1@example.org>",
    "List-Unsubscribe": f"<{PREFIX}one-click/{TOKEN}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    "List-Id": "<beta-42.optout.invite.example.org>",
    "Auto-Submitted": "auto-generated",
    "Content-Type": "text/plain; charset=utf-8",
}
FINE = {
    "message.list-unsubscribe": "ok",
    "message.list-unsubscribe-post": "ok",
    "message.list-id": "ok",
    "message.auto-submitted": "ok",
    "message.recipient": "ok",
    "message.dkim.covers": "ok",
    "message.link.text": "ok",
}


def eml(body: str = f"Not for you? {LINK}\r\n", /, **changes: str | None) -> bytes:
    """A message with some headers changed, or left out."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in {**HEADERS, **named}.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def looked_at(raw: bytes) -> dict[str, str]:
    return severities(message(Case.of(SETTINGS, message=raw), PREFIX))


SETTINGS = {"OPTOUT_BOUNCE_DOMAIN": None, "OPTOUT_DKIM_SELECTORS": (), "OPTOUT_SENDING_HOST": None}


def signature(**changes: str) -> str:
    tags = {"v": "1", "a": "rsa-sha256", "d": "example.org", "s": "s1", "h": SIGNED, **changes}
    return "; ".join(f"{name}={value}" for name, value in tags.items())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        # RFC 8058 section 3.1 and RFC 2369 section 2.
        ({"List_Unsubscribe": None}, {"message.list-unsubscribe": "fail"}),
        (
            {"List_Unsubscribe": "<https://x.example/1>\r\nList-Unsubscribe: <https://x.example/1>"},
            {"message.list-unsubscribe": "fail"},
        ),
        ({"List_Unsubscribe": LINK}, {"message.list-unsubscribe": "fail"}),
        ({"List_Unsubscribe": "<http://x.example/1>"}, {"message.list-unsubscribe": "fail"}),
        ({"List_Unsubscribe": "<mailto:x@example.org>"}, {"message.list-unsubscribe": "fail"}),
        ({"List_Unsubscribe": "<https://x.example/1>, <https://x.example/2>"}, {"message.list-unsubscribe": "fail"}),
        ({"List_Unsubscribe": "< https://x.example/1 >"}, {"message.list-unsubscribe": "fail"}),
        ({"List_Unsubscribe": "=?utf-8?q?=3Chttps=3A//x=2Eexample/1=3E?="}, {"message.list-unsubscribe": "fail"}),
        ({"List_Unsubscribe": "<https://x.example/1>,\r\n <mailto:stop-1@example.org> (Stop)"}, {}),
        (
            {"List_Unsubscribe": "<https://x.example/1>, <mailto:stop@example.org?subject=1>"},
            {"message.list-unsubscribe.mailto": "warn"},
        ),
        ({"List_Unsubscribe_Post": None}, {"message.list-unsubscribe-post": "fail"}),
        ({"List_Unsubscribe_Post": "List-Unsubscribe=One-Click, x=y"}, {"message.list-unsubscribe-post": "fail"}),
        ({"List_Unsubscribe_Post": "list-unsubscribe=one-click"}, {"message.list-unsubscribe-post": "fail"}),
        # RFC 2919, RFC 3834, Feedback-ID.
        ({"List_Id": None}, {"message.list-id": "warn"}),
        ({"List_Id": "The beta"}, {"message.list-id": "warn"}),
        ({"Auto_Submitted": None}, {"message.auto-submitted": "warn"}),
        ({"Auto_Submitted": "no"}, {"message.auto-submitted": "warn"}),
        ({"Feedback_ID": "a:b:c:sender"}, {"message.feedback-id": "ok"}),
        ({"Feedback_ID": "a:b:c:four"}, {"message.feedback-id": "warn"}),
        ({"Feedback_ID": "a:sender"}, {"message.feedback-id": "warn"}),
        # One recipient.
        ({"To": "a@example.org, b@example.org"}, {"message.recipient": "fail"}),
        ({"Cc": "b@example.org"}, {"message.recipient": "fail"}),
        ({"To": None}, {"message.recipient": "fail"}),
        # RFC 5322 section 2.1.1.
        ({"X_Long": "x" * 1_000}, {"message.lines": "warn"}),
        ({"Subject": "Jöin us"}, {"message.lines": "warn"}),
        # What the signature covers: RFC 8058 section 4, RFC 6376 section 5.4, RFC 8301 section 3.1.
        ({"DKIM_Signature": None}, {"message.dkim": "fail", "message.dkim.covers": ""}),
        (
            {"DKIM_Signature": signature(h="From:List-Unsubscribe")},
            {"message.dkim.covers": "fail", "message.dkim.leaves-out": "warn"},
        ),
        (
            {"DKIM_Signature": signature(h=SIGNED.replace("From:", ""))},
            {"message.dkim.covers": "fail"},
        ),
        (
            {"DKIM_Signature": signature(h="From : List-Unsubscribe :\r\n List-Unsubscribe-Post")},
            {"message.dkim.leaves-out": "warn"},
        ),
        ({"DKIM_Signature": signature(l="10")}, {"message.dkim.length": "warn"}),
        ({"DKIM_Signature": signature(a="rsa-sha1")}, {"message.dkim.sha1": "fail"}),
        ({"DKIM_Signature": f"{signature(h='From')}\r\nDKIM-Signature: {signature()}"}, {}),
    ],
)
def test_each_line_of_the_standards(changes: dict[str, str | None], expected: dict[str, str]) -> None:
    wanted = {id: severity for id, severity in {**FINE, **expected}.items() if severity}
    assert looked_at(eml(**changes)) == wanted


def html(body: str) -> bytes:
    return eml(body, Content_Type="text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        (f'<a href="{LINK}">Not Interested?</a>', "ok"),
        (f'<p><a href="{LINK}"><b>Not</b> Interested?</a></p>', "ok"),
        (f'<a href="{LINK}"><img src="x.png" alt="Not Interested?"></a>', "ok"),
        (f'<br><div style="color:red"><a href="{LINK}">Not Interested?</a>', "ok"),
        (f'<a href="{LINK}"></a>', "fail"),
        (f'<a href="{LINK}"> </a> Not Interested?', "fail"),
        (f'<a href="{LINK}" style="display:none">Not Interested?</a>', "fail"),
        (f'<div style="Display : None"><p><a href="{LINK}">Not Interested?</a></p></div>', "fail"),
        (f'<p hidden><a href="{LINK}">Not Interested?</a></p>', "fail"),
        (f'<div hidden><br></div><a href="{LINK}">Not Interested?</a>', "ok"),
        (f"<!-- {LINK} -->", "fail"),
        ('<a href="https://elsewhere.example/">Not Interested?</a>', "fail"),
        ("", "fail"),
    ],
)
def test_the_html_part_shows_the_link(body: str, severity: str) -> None:
    assert looked_at(html(body))["message.link.html"] == severity


def test_each_part_shows_the_link() -> None:
    parts = (
        "--x\r\nContent-Type: text/plain\r\n\r\nNo link here.\r\n"
        f'--x\r\nContent-Type: text/html\r\n\r\n<a href="{LINK}">Not Interested?</a>\r\n--x--\r\n'
    )
    found = looked_at(eml(parts, Content_Type='multipart/alternative; boundary="x"'))
    assert (found["message.link.text"], found["message.link.html"]) == ("fail", "ok")


def test_the_link_of_the_header_does_not_stand_in_the_body() -> None:
    body = f"Not for you? {PREFIX}one-click/{TOKEN}\r\n"
    found = severities(message(Case.of(SETTINGS, message=eml(body, List_Unsubscribe=f"<{LINK}>")), PREFIX))
    assert "message.link.same" not in found
    body = f"Not for you? {LINK}\r\n"
    assert looked_at(eml(body, List_Unsubscribe=f"<{LINK}>"))["message.link.same"] == "fail"


def test_what_we_send_is_fine_but_for_the_signature(make: MakeHost, smtp: Mailbox) -> None:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        host.mail.send(host.invitation())
    case = Case.of(host.app.config, message=smtp.received[0].raw)
    wrong = [
        finding.id for finding in message(case, "https://invite.example.org/optout/") if finding.severity != "ok"
    ]
    assert wrong == ["message.dkim"]


def test_nothing_personal_is_shown() -> None:
    for finding in message(Case.of(SETTINGS, message=eml("no link", To="jane@x.example, joe@x.example")), PREFIX):
        for text in (finding.seen, finding.why, finding.mend, finding.paste, *finding.details):
            assert "jane" not in text and TOKEN not in text


def test_without_a_sample_the_doctor_says_how_to_get_one() -> None:
    finding = the(message(Case(), None), "message.none")
    assert (finding.severity, finding.paste) == ("note", "flask optout doctor --message invitation.eml")


def test_a_sample_tells_the_domains_and_the_selectors() -> None:
    sample = Sample.read(eml())
    assert (sample.author, sample.bounce, sample.selectors) == (
        "example.org",
        "mail.example.org",
        [("s1", "example.org")],
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 1_000,
        b"no headers at all",
        b"Subject: no sender\r\n\r\nbody",
        b"From: a@example.org\r\n" + b"X: y\r\n" * 50_000 + b"\r\nbody",
        b"From: a@example.org\r\n\r\n" + b"x" * 2_000_001,
    ],
)
def test_what_is_no_message_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        Sample.read(raw)
    assert looked_at(raw) == {"message.unreadable": "fail"}
