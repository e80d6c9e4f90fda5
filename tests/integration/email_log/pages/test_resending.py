"""Sending again looks the same whatever the candidate chose, and is no way around a mute."""

from __future__ import annotations

import re

import pytest
from flask import request
from flask.testing import FlaskClient
from flask_babel import Babel

from tests.conftest import MakeHost
from tests.support.email_log import post, sent, uniform
from tests.support.hosts import Host, Mailbox, RefusesRecipients, say, smtp_server


def test_it_is_sent_again_with_a_preface_and_fresh_links_to_the_same_address(
    host: Host, client: FlaskClient, smtp: Mailbox
) -> None:
    body = f"No? {host.optout.link('Jane@example.org', 'beta-42')} Bye"
    path = sent(host, "Jane@example.org", body=body, html="<html><BODY class=x><p>Come</p></BODY></html>")
    first = smtp.received.pop()
    assert "jane@example.org" in client.get(f"{path}/send-again").text.lower()
    assert smtp.received == []
    answer = post(client, f"{path}/send-again", to="evil@example.org")
    assert (answer.status_code, answer.location) == (303, f"{path}#sent-again")
    [mail] = smtp.received
    assert mail.rcpt_to == ["Jane@example.org"]
    for name in ("From", "Subject", "List-Unsubscribe", "List-Id"):
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


def test_it_is_sent_once_a_day(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    path = sent(host)
    token = {"form_token": re.findall(r'name="form_token" value="([^"]+)"', client.get(f"{path}/send-again").text)[0]}
    assert client.post(f"{path}/send-again", data=token).status_code == 303
    again = client.post(f"{path}/send-again", data=token)
    assert (again.status_code, "Once a day is the most." in again.text) == (409, True)
    assert "Once a day is the most." in client.get(f"{path}/send-again").text
    assert len(smtp.received) == 2


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
                assert "SMTPRecipientsRefused 550" in host.app.test_client().get(path).text
                answers.append(uniform(answer.text))
        assert answers[0] == answers[1]
        assert {record.getMessage() for record in caplog.records} == {
            "An invitation could not be sent again (SMTPRecipientsRefused 550)."
        }


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
