"""Sending again looks the same whatever the candidate chose, and is no way around a mute."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from flask import request
from flask.testing import FlaskClient
from flask_babel import Babel

from flask_optout.email_log.records import id_at, now
from flask_optout.invitations.compose import Letter
from flask_optout.mailers.own_mails import Ready, serialise
from tests.conftest import MakeHost
from tests.support.email_log import post, sent, uniform
from tests.support.hosts import Host, Mailbox, RefusesRecipients, free_port, say, smtp_server


def test_it_is_sent_again_with_a_preface_and_fresh_links_to_the_same_address(
    host: Host, client: FlaskClient, smtp: Mailbox
) -> None:
    body = f"No? {host.optout.link('Jane@example.org', 'beta-42')} Bye"
    html = "<html><BODY class=x><p>Come</p></BODY></html>"
    path = sent(host, '"Doe, Jane" <Jane@example.org>', body=body, html=html)
    first = smtp.received.pop()
    asked = client.get(path).text
    assert "Jane@example.org gets a mail with their link." in asked
    assert "At most once a day and three times in all." in asked
    assert smtp.received == []
    answer = post(client, f"{path}/send-again", to="evil@example.org")
    assert (answer.status_code, answer.location) == (303, f"{path}?done=1#sent-again")
    [mail] = smtp.received
    assert mail.rcpt_to == ["Jane@example.org"]
    for name in ("From", "To", "Subject", "List-Unsubscribe", "List-Id"):
        assert mail.message[name] == first.message[name]
    preface = "You are getting this invitation again because somebody asked for it to be sent once more."
    assert mail.part("plain").strip().replace("\r\n", "\n") == f"{preface}\n\n{body}"
    assert re.search(f"<BODY class=x><table.*>{preface}</td></tr></table>\\s*<p>Come</p>", mail.part("html"))
    assert first.part("html").split("Come")[1] == mail.part("html").split("Come")[1]


def test_a_muted_candidate_gets_their_link_and_no_invitation(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    path = sent(host)
    smtp.received.clear()
    say(host, True, to="jane@example.org")
    assert post(client, f"{path}/send-again").status_code == 303
    [mail] = smtp.received
    assert mail.rcpt_to == ["jane@example.org"]
    assert host.optout.link("jane@example.org", "beta-42") in mail.part("plain")
    raw = mail.raw.decode()
    assert "Come and try it" not in raw and "Join us" not in raw and "List-Unsubscribe" not in raw
    assert mail.message["From"] == "The team <team@example.org>"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<html><body class=x>", "<p>Come</p></body></html>"),
        ("<!-- <body> --><BODY>", "<p>Come</p>"),
        ("<!--[if mso]><body class=mso><![endif]--><!--[if !mso]><!--><body>", "<!--<![endif]--><p>Come</p>"),
        ("""<body title="a > b" data-x='">'>""", "<p>Come</p>"),
        ("", "<p>Come to my <bodyguard>.</p>"),
        ("", "<p>Come</p><!-- <body> -- >" + "<!-- " * 20_000),
    ],
)
def test_the_preface_stands_at_the_beginning_of_the_body_that_is_shown(
    host: Host, client: FlaskClient, smtp: Mailbox, before: str, after: str
) -> None:
    path = sent(host, html=before + after)
    post(client, f"{path}/send-again")
    html = smtp.received[-1].part("html")
    assert html.startswith(f"{before}<table") and html.index("You are getting this") < html.index(after[:9])


def test_who_opts_out_while_the_mail_server_is_asked_gets_no_invitation(
    host: Host, client: FlaskClient, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = sent(host), []

    async def handle_RCPT(server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        asked.append(address)
        envelope.rcpt_tos.append(address)
        if len(asked) == 1:
            with host.app.app_context():
                say(host, True, to="jane@example.org")
        return "250 OK"

    monkeypatch.setattr(smtp, "handle_RCPT", handle_RCPT, raising=False)
    assert post(client, f"{path}/send-again").status_code == 303
    assert len(asked) > 1 and "Come and try it." not in smtp.received[-1].part("plain")


@pytest.mark.parametrize("muted", [False, True])
def test_both_mails_are_written_whichever_leaves(
    host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, muted: bool
) -> None:
    """To write a big one takes longer."""
    path, written = sent(host), []

    def write(letter: Letter) -> Ready:
        written.append(letter.subject)
        return serialise(letter)

    monkeypatch.setattr("flask_optout.email_log.pages.serialise", write)
    say(host, muted, to="jane@example.org")
    assert post(client, f"{path}/send-again").status_code == 303
    assert written == ["Join us", "The team: your link for Pixel Beta"]


def test_it_is_sent_once_a_day_and_says_when_again(
    host: Host, client: FlaskClient, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = sent(host), [now().replace(hour=10, minute=30, second=0, microsecond=0)]
    monkeypatch.setattr("flask_optout.email_log.resending.now", lambda: clock[0])
    monkeypatch.setattr("flask_optout.email_log.resending.make_id", lambda: id_at(clock[0]))

    def again(**headers: str) -> tuple[int, str]:
        answer = client.post(f"{path}/send-again", headers={"Sec-Fetch-Site": "same-origin", **headers})
        text = client.get(answer.location).text if answer.location else answer.text
        return answer.status_code, re.sub(r"<[^>]+>|\s+", " ", text)

    status, text = again()
    assert (status, "Accepted. It can be sent again tomorrow." in text) == (303, True)
    for status, text in (again(), (409, re.sub(r"<[^>]+>|\s+", " ", client.get(path).text))):
        assert status == 409 and "Send it again…" not in text and "Accepted." not in text
        assert f"It can be sent again from {clock[0] + datetime.timedelta(1):%Y-%m-%d} 10:30 ." in text.replace(
            "  ", " "
        )
    clock[0] += datetime.timedelta(days=1)
    status, text = again(**{"HX-Request": "true"})
    assert (status, "Accepted. It can be sent again tomorrow." in text) == (200, True)
    clock[0] += datetime.timedelta(days=1)
    assert "Accepted. It was sent again three times, and that is the most." in again()[1]
    clock[0] += datetime.timedelta(days=99)
    status, text = again()
    assert (status, "three times, and that is the most. You can still copy" in text) == (409, True)
    assert len(smtp.received) == 4


def test_a_url_alone_does_not_say_that_it_was_sent(host: Host, client: FlaskClient) -> None:
    path = sent(host)
    assert "Accepted." not in client.get(f"{path}?done=1").text


def test_a_failed_hand_off_is_said_and_noted(make: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    with smtp_server(RefusesRecipients) as smtp:
        host = make(operator=lambda: "Olga", MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
        answers = []
        with host.app.app_context():
            for to in ("jane@example.org", "joan@example.org"):
                host.app.extensions["mail"].suppress = True
                path = sent(host, to)
                host.app.extensions["mail"].suppress = False
                if to.startswith("jane"):
                    say(host, True, to=to)
                answer = post(host.app.test_client(), f"{path}/send-again")
                assert answer.status_code == 502
                assert "SMTPRecipientsRefused 550" in answer.text
                page = host.app.test_client().get(path).text
                assert "SMTPRecipientsRefused 550" in page and "Tried again" in page and "Sent again" not in page
                answers.append(uniform(answer.text))
        assert answers[0] == answers[1]
        assert {record.getMessage() for record in caplog.records} == {
            "optout.resend_failed: An invitation could not be sent again (SMTPRecipientsRefused 550 5.1.1)."
        }


def test_what_the_mail_server_finds_too_large_it_refuses_for_everybody_alike(
    host: Host, client: FlaskClient, smtp: Mailbox
) -> None:
    class Small(Controller):
        def factory(self) -> SMTP:
            return SMTP(self.handler, data_size_limit=20_000)

    paths = [sent(host, to, body="short\n" * 5_000) for to in ("jane@example.org", "joan@example.org")]
    say(host, True, to="jane@example.org")
    before, mail = len(smtp.received), host.app.extensions["mail"]
    small = Small(smtp, hostname=smtp.host, port=free_port())
    small.start()
    mail.port = small.port
    try:
        answers = [post(client, f"{path}/send-again") for path in paths]
    finally:
        small.stop()
    assert [answer.status_code for answer in answers] == [502, 502] and len(smtp.received) == before
    assert "SMTPSenderRefused 552" in answers[0].text and uniform(answers[0].text) == uniform(answers[1].text)


@pytest.mark.parametrize("muted", [False, True])
@pytest.mark.parametrize(("language", "speaks"), [("ar", "ar"), (None, "fr")])
def test_it_speaks_the_candidates_language_and_not_the_operators(
    host: Host, client: FlaskClient, smtp: Mailbox, muted: bool, language: str | None, speaks: str
) -> None:
    Babel(host.app, default_locale="fr", locale_selector=lambda: "ja" if request else None)
    path = sent(host, language=language)
    if muted:
        host.press(host.path(), "mute")
    assert post(client, f"{path}/send-again").status_code == 303
    first, again = smtp.received
    text, html = again.part("plain"), again.part("html")
    assert f'lang="{speaks}"' in html and not re.search("[\u3040-\u30ff]", text + html)
    assert ("/optout/ar/" in text) is (language == "ar")
    assert ("تصلك هذه الدعوة" if language else "Vous recevez de nouveau") in text or muted
