"""Every way out of Flask-Mail passes the gate; what a real SMTP server received is what counts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import flask_mail
import pytest
from flask_mail import Message

from flask_optout import AddressError, ConfigurationError, InvitationError, NotGated, OpportunityError
from flask_optout.mailers.flask_mail import Invitation
from tests.conftest import MakeHost
from tests.support.hosts import Host, Mailbox, say

Send = Callable[[Host, Message], Any]


def through_connect(host: Host, message: Message) -> None:
    with host.mail.connect() as connection:
        connection.send(message)


def through_message(host: Host, message: Message) -> None:
    with host.mail.connect() as connection:
        message.send(connection)


def through_state_connection(host: Host, message: Message) -> None:
    with host.app.extensions["mail"].connect() as connection:
        connection.send(message)


PATHS: dict[str, Send] = {
    "mail.send": lambda host, message: host.mail.send(message),
    "connection.send": through_connect,
    "message.send": through_message,
    "extensions": lambda host, message: host.app.extensions["mail"].send(message),
    "extensions connect": through_state_connection,
}
every_path = pytest.mark.parametrize("send", PATHS.values(), ids=PATHS)


@every_path
def test_an_invitation_leaves_with_its_link(host: Host, smtp: Mailbox, send: Send) -> None:
    assert send(host, host.invitation()) is None
    [mail] = smtp.received
    link = host.optout.link("jane@example.org", "beta-42")
    assert mail.rcpt_to == ["jane@example.org"]
    assert mail.mail_from == "team@example.org"
    assert link in mail.part("plain") and link in mail.part("html")


@every_path
def test_to_a_muted_recipient_nothing_leaves_and_nothing_tells(
    host: Host, smtp: Mailbox, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    say(host, True, to="jane@example.org")
    invitation = host.invitation()
    before = dict(vars(invitation))
    assert send(host, invitation) is None
    assert smtp.received == []
    assert vars(invitation) == before
    assert caplog.records == []


@every_path
def test_ordinary_mail_passes_untouched_also_to_a_muted_person(host: Host, smtp: Mailbox, send: Send) -> None:
    say(host, True, to="jane@example.org", everything=True)
    send(host, Message("Your password", recipients=["jane@example.org", "bob@example.org"], body="Reset it."))
    [mail] = smtp.received
    assert sorted(mail.rcpt_to) == ["bob@example.org", "jane@example.org"]
    assert mail.part("plain").rstrip() == "Reset it."
    assert not any(name.startswith("List-") for name in mail.message)


def test_send_message_sends_an_ordinary_message(host: Host, smtp: Mailbox) -> None:
    host.mail.send_message("Your password", recipients=["jane@example.org"], body="Reset it.")
    with host.mail.connect() as connection:
        connection.send_message("Your password", recipients=["jane@example.org"], body="Reset it.")
    assert len(smtp.received) == 2


@every_path
@pytest.mark.parametrize("suppress", [True, False])
def test_an_ungated_mailer_cannot_send_an_invitation(
    make: MakeHost, smtp: Mailbox, send: Send, suppress: bool
) -> None:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, MAIL_SUPPRESS_SEND=suppress)
    ungated: Any = flask_mail.Mail(host.app)
    host.mail = ungated
    with host.app.app_context(), pytest.raises(NotGated, match="flask_optout.mailers.flask_mail import Mail"):
        send(host, host.invitation())
    assert smtp.received == []


def test_an_app_without_optout_sends_no_invitation(host: Host, smtp: Mailbox) -> None:
    invitation = host.invitation()
    del host.app.extensions["optout"]
    with pytest.raises(ConfigurationError, match="init_app"):
        host.mail.send(invitation)
    assert smtp.received == []


@pytest.mark.parametrize("length", [40, 60, 90, 140, 200, 300, 400])
def test_links_of_every_length_stay_unfolded_and_unencoded(make: MakeHost, smtp: Mailbox, length: int) -> None:
    path = "/" + "p" * (length - len("https://i.example/") - 1)
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, OPTOUT_BASE_URL=f"https://i.example{path}")
    with host.app.app_context():
        link = host.optout.link("jane@example.org", "beta-42")
        host.mail.send(host.invitation())
    raw = smtp.received[0].raw
    header = re.search(rb"^List-Unsubscribe: <(\S+)>\r\n[^ \t]", raw, re.MULTILINE)
    assert header is not None and header[1].startswith(f"https://i.example{path}/optout/one-click/".encode())
    assert f"\r\n{link}\r\n".encode() in raw and f'href="{link}"'.encode() in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_each_of_our_headers_stands_once_beside_the_hosts(host: Host, smtp: Mailbox) -> None:
    host.mail.send(host.invitation(extra_headers={"X-Campaign": "spring"}))
    names = [name for name in smtp.received[0].message if name.startswith(("List-", "Auto-", "X-"))]
    assert sorted(names) == ["Auto-Submitted", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "X-Campaign"]


@pytest.mark.parametrize(
    ("to", "rcpt"),
    [
        ("JANE@Example.org.", "JANE@example.org"),
        ('"jane"@example.org', "jane@example.org"),
        ("jane(at work)@example.org", "jane@example.org"),
        ("a@straße.de", "a@xn--strae-oqa.de"),
        ("a@ｅxample.com", "a@example.com"),
        ('"jane doe"@example.org', '"jane doe"@example.org'),
    ],
)
def test_the_address_sent_to_is_the_address_checked(host: Host, smtp: Mailbox, to: str, rcpt: str) -> None:
    host.mail.send(host.invitation(to=to))
    [mail] = smtp.received
    assert mail.rcpt_to == [rcpt]
    assert [to.addr_spec for to in mail.message["To"].addresses] == [rcpt]
    say(host, True, to=rcpt)
    host.mail.send(host.invitation(to=to))
    assert len(smtp.received) == 1


def test_a_display_name_in_any_script_is_kept(host: Host, smtp: Mailbox) -> None:
    host.mail.send(host.invitation(to='"Müller, Jürgen (Köln)" <jane@example.org>'))
    [to] = smtp.received[0].message["To"].addresses
    assert (to.display_name, to.addr_spec) == ("Müller, Jürgen (Köln)", "jane@example.org")


@pytest.mark.parametrize(
    "fields",
    [
        {"recipients": []},
        {"recipients": "jane@example.org"},
        {"recipients": ["jane@example.org", "bob@example.org"]},
        {"cc": ["bob@example.org"]},
        {"bcc": ["jane@example.org"]},
        {"recipients": ["josé@example.org"]},
        {"recipients": [("jane", "jane@example.org", "x")]},
        {"sender": "team@example.org\r\nBcc: e@example.org"},
        {"sender": ("a@\N{REPLACEMENT CHARACTER}, b", "team@example.org")},
        {"reply_to": "team@example.org\nBcc: e@example.org"},
        {"extra_headers": {"X": "a\r\nBcc: e@example.org"}},
        {"extra_headers": {"list-unsubscribe": "<https://example.org>"}},
        {"body": None, "html": None},
    ],
    ids=str,
)
def test_a_bad_invitation_is_refused_alike_whether_or_not_its_recipient_is_muted(
    host: Host, smtp: Mailbox, fields: dict[str, Any]
) -> None:
    arguments = {"recipients": ["jane@example.org"], "body": "Come.", "opportunity": "beta-42", **fields}
    errors = []
    for muted in (False, True):
        say(host, muted, to="jane@example.org")
        with pytest.raises((AddressError, InvitationError)) as refused:
            host.mail.send(Invitation("Join us", **arguments))
        errors.append(str(refused.value))
    assert errors[0] == errors[1]
    assert smtp.received == []


def test_one_template_sent_to_many_carries_nothing_from_one_to_the_next(host: Host, smtp: Mailbox) -> None:
    invitation = host.invitation()
    people = [f"person{n}@example.org" for n in range(20)]
    with host.mail.connect() as connection:
        for person in people:
            invitation.recipients = [person]
            connection.send(invitation)
    for person, mail in zip(people, smtp.received, strict=True):
        own = host.optout.link(person, "beta-42").encode()
        assert mail.rcpt_to == [person]
        assert mail.raw.count(b"/optout/") == 3 and mail.raw.count(own) == 2
    assert (invitation.body, invitation.extra_headers) == ("Come and try it.", None)
    assert len({mail.message["Message-ID"] for mail in smtp.received}) == len(people)


def test_an_invitation_to_nothing_says_what_it_lacks() -> None:
    with pytest.raises(OpportunityError, match="An Invitation does not say what it invites to.*opportunity='camera'"):
        Invitation("Join us", recipients=["jane@example.org"], body="Come.")
