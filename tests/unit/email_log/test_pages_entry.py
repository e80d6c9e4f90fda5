"""An operator reads one invitation without its links, and has it sent again, which looks the same for everybody."""

from __future__ import annotations

import datetime
import email
import re
import sys
from typing import Any

import pytest
from flask import Response
from flask.testing import FlaskClient

from flask_optout.addresses import parse
from flask_optout.email_log.pages import PREVIEW_CSP
from flask_optout.email_log.records import SLOT, Outgoing, now
from flask_optout.links.tokens import ALPHABET
from flask_optout.wiring import current_state
from tests.support.email_log import LOG, post, sent, uniform
from tests.support.hosts import Host, say

HOSTILE = """<svg onload=parent.stolen=1><script>parent.stolen=1</script><meta http-equiv=refresh content='0;https://e.example'>
<form action='https://e.example'><button>x</button></form><img src='https://e.example/pixel.png'>"""


def test_an_invitation_leads_back_to_the_list_as_it_was_filtered(host: Host, client: FlaskClient) -> None:
    path = sent(host)

    def back(referrer: str) -> str:
        text = client.get(path, headers={"Referer": referrer}).text
        return str(re.findall(r'<li><a href="([^"]+)" id="log-back"', text)[0])

    assert back(f"https://proxy.example{LOG}?q=jane&when=week") == f"{LOG}?q=jane&amp;when=week"
    assert back(f"https://proxy.example{path}?part=html") == back(f"https://proxy.example{LOG}") == back("") == LOG
    assert back(f'https://x.example{LOG}?"><script>') == f"{LOG}?&#34;&gt;&lt;script&gt;"


def test_an_invitation_shows_its_parts_without_links(host: Host, client: FlaskClient) -> None:
    path = sent(host, body="<b>Come</b>", html="<p>Come</p>")
    text = client.get(path).text
    assert "&lt;b&gt;Come&lt;/b&gt;" in text and SLOT in text
    headers = client.get(f"{path}?part=headers").text
    assert f"List-Unsubscribe: {SLOT}" in headers and "To: jane@example.org" in headers
    assert 'aria-current="page" id="part-headers"' in headers
    assert '<iframe sandbox=""' in client.get(f"{path}?part=html").text
    assert 'aria-current="page" id="part-text"' in client.get(f"{path}?part=nonsense").text
    for part in ("text", "html", "headers"):
        tokens = set(ALPHABET.findall(client.get(f"{path}?part={part}").text.lower()))
        assert len(tokens) == 1, "only that of the ask page"


def test_the_html_part_can_do_nothing_in_its_frame(host: Host, client: FlaskClient) -> None:
    path = sent(host, html=HOSTILE)
    blocked = client.get(f"{path}/html")
    assert blocked.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
    )
    assert blocked.headers["Cache-Control"] == "no-store"


def test_an_invitation_tells_its_recipients_name_its_attachments_and_its_end(host: Host, client: FlaskClient) -> None:
    message = host.invitation("Jane Doe <jane@example.org>")
    message.attach("The programme\r\n of June.pdf", "application/pdf", b"%PDF")
    message.attach(content_type="text/plain", data="x")
    host.mail.send(message)
    text = client.get(re.findall(rf"{LOG}\d+", client.get(LOG).text)[0]).text
    assert ">Attachments</dt><dd>The programme of June.pdf<" in text
    assert "<dd>Jane Doe <a " in text
    assert f"Kept until {now() + datetime.timedelta(days=90):%Y-%m-%d}," in text


def test_beside_the_list_an_invitation_stands_without_its_page(host: Host, client: FlaskClient) -> None:
    path = sent(host)
    part = client.get(path, headers={"HX-Request": "true"}).text
    assert "<article" in part and "<html" not in part


@pytest.mark.parametrize("kind", [Response, type("Own", (Response,), {})])
def test_no_policy_of_the_app_loosens_the_frame_of_a_message(
    host: Host, client: FlaskClient, kind: type[Response]
) -> None:
    """As Flask-Talisman sets one, on every answer."""

    @host.app.after_request
    def restrict(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src * 'unsafe-inline'"
        return response

    host.app.response_class = kind
    policy = client.get(f"{sent(host)}/html").headers.getlist("Content-Security-Policy")
    assert policy == [PREVIEW_CSP]


def test_a_mail_without_html_has_an_empty_preview(host: Host, client: FlaskClient) -> None:
    path = sent(host, html=None)
    assert client.get(f"{path}/html").data == b""
    assert ">HTML<" not in client.get(path).text


@pytest.mark.parametrize(
    ("parts", "types"),
    [
        ({}, ["multipart/alternative", "text/plain", "text/html"]),
        ({"html": None}, ["text/plain"]),
        ({"body": None}, ["text/html"]),
    ],
)
def test_the_mail_file_is_redacted_too(
    host: Host, client: FlaskClient, parts: dict[str, Any], types: list[str]
) -> None:
    answer = client.get(sent(host, **parts, extra_headers={"X-Campaign": "7"}) + ".eml")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    message = email.message_from_bytes(answer.data, policy=email.policy.default)
    assert [part.get_content_type() for part in message.walk()] == types
    assert (message["To"], message["X-Campaign"], message["List-Unsubscribe"]) == ("jane@example.org", "7", SLOT)
    assert SLOT in answer.text and not ALPHABET.search(answer.text.lower())


def test_a_mail_file_can_be_made_of_every_header(host: Host, client: FlaskClient) -> None:
    strange = {"X-A": "a", "subject": "twice", "Content-Type": "x/y", "X-B": "ü" * 200}
    answer = client.get(sent(host, extra_headers=strange) + ".eml")
    message = email.message_from_bytes(answer.data, policy=email.policy.default)
    assert (message["From"], message["Subject"]) == ("The team <team@example.org>", "Join us")
    assert (message["X-A"], message["X-B"]) == ("a", "ü" * 200)
    assert message.get_content_type() == "multipart/alternative"


def kept(name: str, value: str) -> str:
    """Keep an invitation with this header; gives the path of its mail file."""
    row = Outgoing(parse("j@x.org"), "beta-42", "", "<1@x.org>", [(name, value)], "Come.", None, ("https://x/1",))
    [id] = current_state().email_log.record([row])
    return f"{LOG}{id}.eml"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("To", "jör@example.org"),
        ("From", '"Zoë, Größe" <zoe@example.org>'),
        ("Reply-To", "<"),
        ("Reply-To", '"'),
        ("Message-ID", "<ä@"),
        ("Sender", "group:@;;@"),
        ("Date", "soon"),
        ("Message-ID", "é =?utf-8?b?/w==?="),
        ("X-A", "x" * 3000),
        ("X-A", " ".join(["word"] * 400)),
        ("Content-Language", "de"),
        ("Content-Disposition", "inline"),
    ],
    ids=ascii,
)
def test_no_header_is_too_strange_for_a_mail_file(client: FlaskClient, name: str, value: str) -> None:
    answer = client.get(kept(name, value))
    head, _, text = answer.data.partition(b"\r\n\r\n")
    assert (answer.status_code, text) == (200, b"Come.\r\n") and head.startswith(f"{name}: ".encode())
    assert max(map(len, head.split(b"\r\n"))) <= 998  # RFC 5322 section 2.1.1
    found = email.message_from_bytes(answer.data, policy=email.policy.default)
    assert found.get_content_type() == "text/plain" and len(found.keys()) == 4
    if name not in ("Reply-To", "Sender", "Message-ID") and "=?" not in value:  # which the library cannot read
        assert found[name] == value


@pytest.mark.parametrize("value", ["=?utf-8?q?a=0d=0aBcc:_x@example.org?=", "a\u2028Bcc: x@example.org"], ids=ascii)
@pytest.mark.parametrize("name", ["Subject", "From", "X-A"])
def test_no_header_of_a_mail_file_becomes_two(client: FlaskClient, name: str, value: str) -> None:
    answer = client.get(kept(name, value))
    assert "Bcc" not in email.message_from_bytes(answer.data) and b"\nBcc" not in answer.data


@pytest.mark.parametrize(("muted", "subject"), [(False, "Join us"), (True, "The team: your link for Pixel Beta")])
def test_sent_again_it_is_the_invitation_or_the_link_alone(
    host: Host, client: FlaskClient, muted: bool, subject: str
) -> None:
    path = sent(host)
    say(host, muted, to="jane@example.org")
    with host.mail.record_messages() as outbox:
        answer = post(client, f"{path}/send-again")
    assert (answer.status_code, answer.location) == (303, f"{path}?done=1#sent-again")
    [mail] = outbox
    assert (mail.subject, mail.recipients) == (subject, ["jane@example.org"])
    said = f"{mail.body} {mail.html}"
    assert host.optout.link("jane@example.org", "beta-42") in said and ("Come and try it." in said) is not muted


def test_the_answer_is_the_same_whatever_was_chosen(host: Host, client: FlaskClient) -> None:
    paths = {to: sent(host, f"{to}@example.org") for to in ("jane", "joan")}
    say(host, True, to="joan@example.org")
    answers = set()
    for path in paths.values():
        post(client, f"{path}/send-again")
        answers.add(uniform(client.get(f"{path}?done=1").text))
    assert len(answers) == 1


def test_what_the_app_lacks_to_send_again_is_told_in_its_log(
    host: Host, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    path = sent(host)
    del host.app.extensions["mail"]
    answer = post(client, f"{path}/send-again")
    assert answer.status_code == 502 and "ConfigurationError" in answer.text
    assert "neither Flask-Mail nor Flask-Mailman" in caplog.text and "Set up one of them" in caplog.text


def test_a_worker_that_is_stopped_while_it_waits_has_not_sent_it_again(
    host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As gunicorn stops one whose mail server does not answer."""
    path = sent(host)
    with monkeypatch.context() as patch:
        patch.setattr(host.app.extensions["mail"], "send", sys.exit)
        with pytest.raises(SystemExit):
            post(client, f"{path}/send-again")
    assert "Tried again" in client.get(path).text
    assert post(client, f"{path}/send-again").status_code == 303


def test_a_second_time_on_one_day_is_refused_and_sends_nothing(host: Host, client: FlaskClient) -> None:
    path = sent(host)
    with host.mail.record_messages() as outbox:
        answers = [post(client, f"{path}/send-again") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 409] and len(outbox) == 1
    assert "It can be sent again from" in answers[1].text


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        ("SMTPRecipientsRefused 550 5.1.1", "there is no such mailbox. Check the address."),
        ("SMTPSenderRefused 550 5.1.8", "the mail server refused it."),
        ("SMTPRecipientsRefused 552 5.2.2", "the mailbox is full."),
        ("SMTPDataError 554 5.7.1", "refused it by its rules or as spam."),
        ("SMTPDataError 554", "the mail server refused it."),
        ("SMTPDataError 451 4.7.1", "could not take it then. Try again later."),
        ("ConnectionRefusedError", "it did not reach the mail server."),
    ],
)
def test_a_failure_says_what_it_means_and_what_to_do(
    host: Host, client: FlaskClient, failure: str, says: str
) -> None:
    path = sent(host)
    assert "Accepted for sending. Whether it left and arrived cannot be seen here" in client.get(path).text
    table = current_state().tables.log.email
    current_state().email_log.change(table.update().values(failure=failure))
    for page in (path, LOG):
        text = client.get(page).text
        assert says in text and f"<small>{failure}</small>" in text and "Accepted for sending" not in text
        wrong_address = page == path and says.startswith("there is no such mailbox.")
        assert ("Send a new invitation to the right address" in text) is wrong_address
