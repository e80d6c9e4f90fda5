"""Bad headers and bodies: nothing is smuggled into a message, and no candidate's link reaches another."""

from __future__ import annotations

import pickle
import re
from typing import Any

import flask_mail
import pytest
from flask.testing import FlaskClient
from flask_mail import Attachment

from flask_optout import InvitationError, OptOutError
from tests.support.hosts import Host, Mailbox, say

pytestmark = pytest.mark.long

EVIL = "evil@example.net"
REFUSED: dict[str, dict[str, Any]] = {
    "a header's value": {"extra_headers": {"X-A": f"a\r\nBcc: {EVIL}"}},
    "LF alone": {"extra_headers": {"X-A": f"a\nBcc: {EVIL}"}},
    "CR alone": {"extra_headers": {"X-A": f"a\rBcc: {EVIL}"}},
    "NUL": {"extra_headers": {"X-A": "a\0b"}},
    "a number": {"extra_headers": {"X-A": 5}},
    "a header's name": {"extra_headers": {f"X-A: b\r\nBcc: {EVIL}\r\nX-B": "c"}},
    "a colon": {"extra_headers": {"X:A": "b"}},
    "a space": {"extra_headers": {"X A": "b"}},
    "an empty name": {"extra_headers": {"": "b"}},
    "not ASCII": {"extra_headers": {"X-É": "b"}},
    "no string": {"extra_headers": {5: "b"}},
    "cc": {"cc": [f"a@example.org\r\nBcc: {EVIL}"]},
    "bcc": {"bcc": [f"a@example.org\r\nBcc: {EVIL}"]},
    "a sender's name": {"sender": (f"Team\r\nBcc: {EVIL}", "team@example.org")},
    "a sender's folded name": {"sender": ("Team\n x", "team@example.org")},
    "a sender": {"sender": f"team@example.org\r\nBcc: {EVIL}"},
    "reply-to": {"reply_to": f"team@example.org\nBcc: {EVIL}"},
    "a subject": {"subject": f"a\nBcc: {EVIL}"},
    "a subject with CR": {"subject": f"a\rBcc: {EVIL}"},
    "a subject with NUL": {"subject": "a\0b"},
    "a subject that ends so": {"subject": "a\r\n"},
    "an empty fold": {"subject": f"a\r\n \r\nBcc: {EVIL}"},
    "no subject": {"subject": None},
    "List-Unsubscribe": {"extra_headers": {"List-Unsubscribe": "<mailto:x@example.org>"}},
    "in another case": {"extra_headers": {"LIST-unsubscribe": "<mailto:x@example.org>"}},
    "the other one": {"extra_headers": {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}},
    "List-Id": {"extra_headers": {"List-Id": "<x.example.org>"}},
    "neither": {"body": None, "html": None},
    "empty": {"body": "", "html": ""},
    "the name of a file": {"attachments": [Attachment("a\r\nX-A: b.pdf", "application/pdf", b"x")]},
    "the type of a file": {"attachments": [Attachment("a.pdf", "application/pdf\nX-A: b", b"x")]},
    "the place of a file": {"attachments": [Attachment("a.pdf", "application/pdf", b"x", "inline\nX-A: b")]},
    "a header of a file": {"attachments": [Attachment("a.pdf", "application/pdf", b"x", None, {"X": "a\nX-A: b"})]},
    "a header's name of a file": {"attachments": [Attachment("a.pdf", "a/b", b"x", None, {"X\nX-A": "b"})]},
    "the type of an alternative": {"alts": {"html": "<p>Hi</p>", "calendar\nX-A: b": "BEGIN:VCALENDAR"}},
    "no sender": {"sender": None},
}


@pytest.mark.parametrize("row", REFUSED)
def test_it_is_refused_and_nothing_is_sent(
    host: Host, smtp: Mailbox, row: str, caplog: pytest.LogCaptureFixture
) -> None:
    invitation = host.invitation("kofi@example.org")
    for name, value in REFUSED[row].items():
        setattr(invitation, name, value)
    with pytest.raises(OptOutError) as refused:
        host.mail.send(invitation)
    assert smtp.received == []
    for text in (str(refused.value), caplog.text):
        assert EVIL not in text and "kofi" not in text


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("a\r\n b", "a b"),
        ("a\n\tb", "a\tb"),
        ("Käse für alle", "Käse für alle"),
        ("x" * 2_000, "x" * 2_000),
        ("🙂", "🙂"),
    ],
    ids=["folded", "folded by a tab", "not ASCII", "long", "emoji"],
)
def test_a_subject_arrives_on_one_line(host: Host, smtp: Mailbox, subject: str, expected: str) -> None:
    invitation = host.invitation()
    invitation.subject = subject
    host.mail.send(invitation)
    [mail] = smtp.received
    assert re.sub(r"\s", "", str(mail.message["Subject"])) == re.sub(r"\s", "", expected)
    assert mail.rcpt_to == ["jane@example.org"] and mail.message["Bcc"] is None


def test_a_header_that_is_not_ascii_arrives_encoded(host: Host, smtp: Mailbox) -> None:
    value = "日本語" * 50
    host.mail.send(host.invitation(extra_headers={"X-Name": value}))
    [mail] = smtp.received
    assert mail.raw.partition(b"\r\n\r\n")[0].isascii()
    assert re.sub(r"\s", "", str(mail.message["X-Name"])) == value


@pytest.mark.parametrize("value", ["José", "\ufffd", "José <jose@example.org>"], ids=ascii)
def test_a_header_that_the_library_alone_cannot_encode_is_refused_for_everybody(
    host: Host, smtp: Mailbox, value: str
) -> None:
    with pytest.raises(UnicodeEncodeError):
        flask_mail.Message("Hi", ["jane@example.org"], "Hi", extra_headers={"X-Name": value}).as_bytes()
    for muted in (False, True):
        say(host, muted, to="jane@example.org")
        with pytest.raises(InvitationError, match="character that cannot stand there") as refused:
            host.mail.send(host.invitation(extra_headers={"X-Name": value}))
        assert "jose@" not in str(refused.value)
    assert smtp.received == []


TITLES = {
    "tags": "<b>bold</b><script>alert(1)</script>",
    "a quote": '" onmouseover="alert(1)',
    "CRLF": "a\r\nSet-Cookie: x=y",
    "emoji": "🙂",
    "10 kB": "x" * 10_000,
    "right to left": "\u202eabc",
    "a template": "{{ 7*7 }}{% raw %}",
    "NUL": "a\0b",
    "a number": 5,
    "None": None,
    "bytes": b"bytes",
}


def without_random(page: str) -> str:
    """A page without what may hold any letters by chance: its nonce, token and id, and the hashes of its assets."""
    return re.sub(r'name="nonce" value="[^"]+"|\?v=[0-9a-f]+|/optout/[a-z2-7]{30,}|optout-[0-9a-f]{8}', "", page)


@pytest.mark.parametrize("row", TITLES)
def test_a_title_is_text_and_nothing_else(host: Host, client: FlaskClient, row: str) -> None:
    host.optout.opportunity_loader(lambda id: {"title": TITLES[row], "summary": TITLES[row], "link": TITLES[row]})
    answer = client.get(host.path())
    assert answer.status_code == 200
    for part in ("<script>alert", "<b>bold", '" onmouseover="', "49"):
        assert part not in without_random(answer.text)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", " javascript:alert(1)", "JavaScript:x", "vbscript:x"]
)
def test_a_link_that_runs_is_left_out(host: Host, client: FlaskClient, link: str) -> None:
    host.optout.opportunity_loader(lambda id: {"title": "Beta", "link": link})
    assert "script:" not in client.get(host.path()).text.lower() and "data:text" not in client.get(host.path()).text


@pytest.mark.parametrize(
    "id", ["<b>", '"', "{{ 7*7 }}", "🙂", "x" * 128, "a/b?c#d", "a b", "' OR 1", "%00", "../x"], ids=ascii
)
def test_an_id_may_be_anything_printable(host: Host, smtp: Mailbox, client: FlaskClient, id: str) -> None:
    host.mail.send(host.invitation(opportunity=id))
    [mail] = smtp.received
    assert re.fullmatch(r"<[a-z0-9.-]+>", mail.message["List-Id"])
    page = client.get(host.path(opportunity=id))
    text = without_random(page.text)
    assert page.status_code == 200 and "<b>" not in text.replace("<body", "") and "49" not in text


def test_a_copied_body_carries_the_link_of_its_own_recipient(host: Host, smtp: Mailbox) -> None:
    host.mail.send(host.invitation("bob@example.org"))
    copied = smtp.received[0]
    host.mail.send(host.invitation(body=copied.part("plain"), html=copied.part("html")))
    for kind in ("plain", "html"):
        text = smtp.received[1].part(kind)
        assert text.count("/optout/") == 1 and host.path("jane@example.org") in text


@pytest.mark.parametrize("way", ["pickled", "rebuilt"])
def test_a_message_that_went_through_a_queue_is_still_gated(host: Host, smtp: Mailbox, way: str) -> None:
    invitation = host.invitation()
    say(host, True, to="jane@example.org")
    if way == "pickled":
        again = pickle.loads(pickle.dumps(invitation))
    else:
        again = host.invitation("nobody@example.org")
        again.__dict__.update(invitation.__dict__)
    host.mail.send(again)
    again.recipients = ["bob@example.org"]
    host.mail.send(again)
    assert [mail.rcpt_to for mail in smtp.received] == [["bob@example.org"]]
