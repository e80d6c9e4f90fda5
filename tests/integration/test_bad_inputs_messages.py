"""Bad headers and bodies: nothing is smuggled into a message, and no candidate's link reaches another."""

from __future__ import annotations

import pickle
import re
from typing import Any

import flask_mail
import pytest
from flask.testing import FlaskClient

from flask_optout import ConfigurationError, InvitationError, OptOutError
from tests.conftest import MakeHost
from tests.support.hosts import Host, Mailbox, say

pytestmark = pytest.mark.long

EVIL = "evil@example.net"
REFUSED: dict[str, dict[str, Any]] = {
    "D1 a header's value": {"extra_headers": {"X-A": f"a\r\nBcc: {EVIL}"}},
    "D1 LF alone": {"extra_headers": {"X-A": f"a\nBcc: {EVIL}"}},
    "D1 CR alone": {"extra_headers": {"X-A": f"a\rBcc: {EVIL}"}},
    "D1 NUL": {"extra_headers": {"X-A": "a\0b"}},
    "D1 a number": {"extra_headers": {"X-A": 5}},
    "D2 a header's name": {"extra_headers": {f"X-A: b\r\nBcc: {EVIL}\r\nX-B": "c"}},
    "D2 a colon": {"extra_headers": {"X:A": "b"}},
    "D2 a space": {"extra_headers": {"X A": "b"}},
    "D2 empty": {"extra_headers": {"": "b"}},
    "D2 not ASCII": {"extra_headers": {"X-É": "b"}},
    "D2 no string": {"extra_headers": {5: "b"}},
    "D3 cc": {"cc": [f"a@example.org\r\nBcc: {EVIL}"]},
    "D3 bcc": {"bcc": [f"a@example.org\r\nBcc: {EVIL}"]},
    "D3 a sender's name": {"sender": (f"Team\r\nBcc: {EVIL}", "team@example.org")},
    "D3 a sender's folded name": {"sender": ("Team\n x", "team@example.org")},
    "D3 a sender": {"sender": f"team@example.org\r\nBcc: {EVIL}"},
    "D3 reply-to": {"reply_to": f"team@example.org\nBcc: {EVIL}"},
    "D4 a subject": {"subject": f"a\nBcc: {EVIL}"},
    "D4 a subject with CR": {"subject": f"a\rBcc: {EVIL}"},
    "D4 a subject with NUL": {"subject": "a\0b"},
    "D4 a subject that ends so": {"subject": "a\r\n"},
    "D4 an empty fold": {"subject": f"a\r\n \r\nBcc: {EVIL}"},
    "D4 no subject": {"subject": None},
    "D7 List-Unsubscribe": {"extra_headers": {"List-Unsubscribe": "<mailto:x@example.org>"}},
    "D7 in another case": {"extra_headers": {"LIST-unsubscribe": "<mailto:x@example.org>"}},
    "D7 the other one": {"extra_headers": {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}},
    "D7 List-Id": {"extra_headers": {"List-Id": "<x.example.org>"}},
    "D11 neither": {"body": None, "html": None},
    "D11 empty": {"body": "", "html": ""},
    "no sender": {"sender": None},
}


@pytest.mark.parametrize("row", REFUSED)
def test_it_is_refused_and_nothing_is_sent(
    host: Host, smtp: Mailbox, row: str, caplog: pytest.LogCaptureFixture
) -> None:
    invitation = host.invitation()
    for name, value in REFUSED[row].items():
        setattr(invitation, name, value)
    with pytest.raises(OptOutError) as refused:
        host.mail.send(invitation)
    assert smtp.received == []
    assert EVIL not in str(refused.value) and "jane@example.org'" not in str(refused.value).replace("as 'jane@", "")
    assert EVIL not in caplog.text


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("a\r\n b", "a b"),
        ("a\n\tb", "a\tb"),
        ("Käse für alle", "Käse für alle"),
        ("x" * 2_000, "x" * 2_000),
        ("🙂", "🙂"),
    ],
    ids=["D4 folded", "D4 folded by a tab", "not ASCII", "long", "emoji"],
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
    "D10 tags": "<b>bold</b><script>alert(1)</script>",
    "D10 a quote": '" onmouseover="alert(1)',
    "D10 CRLF": "a\r\nSet-Cookie: x=y",
    "D10 emoji": "🙂",
    "D10 10 kB": "x" * 10_000,
    "D10 right to left": "\u202eabc",
    "D10 a template": "{{ 7*7 }}{% raw %}",
    "D10 NUL": "a\0b",
    "D10 a number": 5,
    "D10 None": None,
    "D10 bytes": b"bytes",
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


@pytest.mark.parametrize(
    ("body", "html"), [("text", None), (None, "<p>html</p>"), ("text", "<p>html</p>")], ids=["text", "html", "both"]
)
def test_d11_the_link_stands_in_each_part(host: Host, smtp: Mailbox, body: str | None, html: str | None) -> None:
    host.mail.send(host.invitation(body=body, html=html))
    [mail] = smtp.received
    for kind in [name for name, part in (("plain", body), ("html", html)) if part]:
        assert host.optout.link("jane@example.org", "beta-42") in mail.part(kind)


def test_d12_a_copied_body_carries_the_link_of_its_own_recipient(host: Host, smtp: Mailbox) -> None:
    host.mail.send(host.invitation("bob@example.org"))
    copied = smtp.received[0]
    host.mail.send(host.invitation(body=copied.part("plain"), html=copied.part("html")))
    for kind in ("plain", "html"):
        text = smtp.received[1].part(kind)
        assert text.count("/optout/") == 1 and host.path("jane@example.org") in text


def test_d13_one_message_object_for_many_leaves_nothing_behind(host: Host, smtp: Mailbox) -> None:
    people = [f"person{n}@example.org" for n in range(200)]
    invitation = host.invitation()
    with host.mail.connect() as connection:
        for person in people:
            invitation.recipients = [person]
            connection.send(invitation)
    links = [set(re.findall(r"/optout/(?:one-click/)?([a-z2-7]+)", mail.raw.decode())) for mail in smtp.received]
    assert [mail.rcpt_to for mail in smtp.received] == [[person] for person in people]
    assert len(set.union(*links)) == sum(map(len, links)) == 2 * len(people)
    assert invitation.body == "Come and try it." and not invitation.extra_headers


@pytest.mark.parametrize("way", ["pickled", "rebuilt"])
def test_d14_a_message_that_went_through_a_queue_is_still_gated(host: Host, smtp: Mailbox, way: str) -> None:
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


def test_d15_a_muted_recipient_in_the_middle_stops_nobody(host: Host, smtp: Mailbox) -> None:
    say(host, True, to="b@example.org")
    with host.mail.connect() as connection:
        for person in ("a@example.org", "b@example.org", "c@example.org"):
            connection.send(host.invitation(person))
    assert [mail.rcpt_to for mail in smtp.received] == [["a@example.org"], ["c@example.org"]]


URLS: dict[str, str | None] = {
    "D8 http": "http://invite.example.org",
    "D9 a space": "https://invite.example.org/a b",
    "D9 a bracket": "https://invite.example.org/>",
    "D9 too long": "https://invite.example.org/" + "x" * 998,
    "E5 relative": "/optout",
    "E5 no scheme": "invite.example.org",
    "E5 javascript": "javascript:alert(1)",
    "E5 userinfo": "https://user:secret@invite.example.org",
    "E5 a query": "https://invite.example.org/?a=b",
    "E5 a fragment": "https://invite.example.org/#a",
    "E5 a bad port": "https://invite.example.org:x",
    "E5 a bad IPv6": "https://[::1",
    "E5 CRLF": "https://invite.example.org\r\nBcc: x",
    "E5 no host": "https://",
    "E5 ftp": "ftp://invite.example.org",
    "E5 not ASCII": "https://invité.example.org",
    "not set": None,
}


@pytest.mark.parametrize("row", URLS)
def test_a_base_url_that_cannot_work_is_refused_at_start_up(make: MakeHost, row: str) -> None:
    with pytest.raises(ConfigurationError, match="OPTOUT_BASE_URL") as refused:
        make(OPTOUT_BASE_URL=URLS[row])
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://invite.example.org/",
        "https://invite.example.org:8443",
        "https://invite.example.org/app/",
        "http://localhost:5000",
    ],
)
def test_a_base_url_is_normalised(make: MakeHost, url: str) -> None:
    host = make(OPTOUT_BASE_URL=url)
    with host.app.app_context():
        assert host.optout.link("jane@example.org", "beta-42").startswith(url.rstrip("/") + "/optout/")


def test_the_refusal_says_what_to_do(host: Host) -> None:
    with pytest.raises(InvitationError) as refused:
        host.mail.send(host.invitation(body="", html=""))
    assert refused.value.what and refused.value.why and refused.value.mend
