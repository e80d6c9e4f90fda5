"""Messages of the standard library: an Invitation leaves only as what the gate has cleared."""

from __future__ import annotations

import base64
import smtplib
from collections.abc import Callable
from email import message_from_bytes, message_from_string
from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import HTTP, SMTP, compat32
from functools import partial
from typing import Any

import pytest

from flask_optout import AddressError, InvitationError, NotGated, OpportunityError
from flask_optout.mailers.stdlib import Invitation, send_invitations
from tests.support.hosts import Host, Mailbox, say


def invitation(**headers: str) -> Invitation:
    invitation = Invitation(opportunity="beta-42")
    fields = {"From": "team@example.org", "To": "jane@example.org", "Subject": "Join us", **headers}
    for name, value in fields.items():
        invitation[name.replace("_", "-")] = value
    invitation.set_content("Come.")
    invitation.add_alternative("<p>Come.</p>", subtype="html")
    return invitation


class Connection(smtplib.SMTP):
    """Notes to whom it is told that mail goes."""

    def __init__(self, server: Mailbox) -> None:
        super().__init__(server.host, server.port)
        self.told: list[str] = []

    def rcpt(self, recip: str, options: Any = ()) -> tuple[int, bytes]:
        self.told.append(recip)
        return super().rcpt(recip, options)


def left(*messages: EmailMessage) -> list[EmailMessage]:
    found: list[EmailMessage] = []
    send_invitations(messages, found.append)
    return found


@pytest.mark.parametrize("policy", [{}, {"policy": SMTP}])
def test_an_invitation_says_what_it_invites_to(policy: Any) -> None:
    with pytest.raises(OpportunityError, match="does not say what it invites to"):
        Invitation(**policy)


@pytest.mark.parametrize(
    ("make", "add"),
    [
        ("make_related", "add_related"),
        ("make_alternative", "add_alternative"),
        ("make_mixed", "add_attachment"),
    ],
)
def test_its_parts_are_no_invitations(make: str, add: str) -> None:
    whole = Invitation(opportunity="beta-42")
    whole.set_content("Come.")
    getattr(whole, make)("a boundary")
    getattr(whole, add)("<p>Come.</p>", subtype="html")
    assert [type(part) for part in whole.iter_parts()] == [EmailMessage] * 2
    assert whole.get_boundary() == "a boundary"


def test_a_policy_without_addresses_is_refused(host: Host) -> None:
    source = invitation()
    source.policy = compat32
    with pytest.raises(InvitationError, match="compat32"):
        left(source)


def test_what_sends_by_smtp_is_rehearsed_also_with_options_of_its_own(host: Host, smtp: Mailbox) -> None:
    say(host, True, to="jane@example.org")
    with Connection(smtp) as connection:
        for send in (connection.send_message, partial(connection.send_message, mail_options=["BODY=8BITMIME"])):
            send_invitations([invitation()], send)
        assert connection.told == ["jane@example.org"] * 2 and smtp.received == []
        say(host, False, to="jane@example.org")
        send_invitations([invitation()], connection.send_message)
    assert len(smtp.received) == 1


class SendsMessages(smtplib.SMTP):
    """Sends messages in a way of its own."""

    sent = 0

    def send_message(self, *args: Any, **options: Any) -> Any:
        self.sent += 1


class Elsewhere(SendsMessages):
    """Sends everything in a way of its own, as tests and fallbacks do."""

    def sendmail(self, *args: Any, **options: Any) -> Any:
        self.sent += 1


def test_what_stands_for_smtplib_in_a_hosts_tests_sends_nothing_to_a_muted_person(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtplib, "SMTP", Elsewhere)
    say(host, True, to="jane@example.org")
    connection = Elsewhere()
    send_invitations([invitation()], connection.send_message)
    assert connection.sent == 0


@pytest.mark.parametrize("name", ["send_message", "sendmail"])
def test_a_method_that_a_hosts_tests_have_replaced_sends_nothing_to_a_muted_person(
    host: Host, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sent: list[object] = []
    monkeypatch.setattr(smtplib.SMTP, name, lambda *args, **options: sent.append(args))
    for muted in (True, False):
        say(host, muted, to="jane@example.org")
        connection = smtplib.SMTP()
        connection.ehlo_resp = b"ready"
        send_invitations([invitation()], connection.send_message)
        assert len(sent) == (not muted)


def test_nor_does_one_that_they_have_set_on_the_connection(host: Host) -> None:
    sent: list[object] = []
    connection = smtplib.SMTP()
    connection.ehlo_resp = b"ready"
    connection.sendmail = lambda *args, **options: sent.append(args)  # type: ignore[assignment]
    for muted in (True, False):
        say(host, muted, to="jane@example.org")
        send_invitations([invitation()], connection.send_message)
        assert len(sent) == (not muted)


@pytest.mark.parametrize(
    ("kind", "name"), [(Elsewhere, "send_message"), (Elsewhere, "sendmail"), (SendsMessages, "send_message")]
)
def test_a_connection_with_a_way_of_its_own_is_not_used_for_a_muted_person(
    host: Host, kind: type[SendsMessages], name: str
) -> None:
    for muted in (True, False):
        say(host, muted, to="jane@example.org")
        connection = kind()
        send_invitations([invitation()], getattr(connection, name))
        assert connection.sent == (not muted)


async def asynchronous(message: EmailMessage) -> None:
    raise AssertionError


class Client:
    async def __call__(self, message: EmailMessage) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    "send",
    [
        asynchronous,
        partial(asynchronous),
        lambda message: asynchronous(message),
        Client(),
        partial(smtplib.SMTP().send_message, to_addrs=["bob@example.org"]),
    ],
)
def test_a_function_that_sends_nothing_or_to_somebody_else_is_refused(
    host: Host, send: Callable[[EmailMessage], Any]
) -> None:
    with pytest.raises(InvitationError, match="async, or names recipients"):
        send_invitations([invitation()], send)


@pytest.mark.parametrize("serialise", [str, bytes, EmailMessage.as_string, EmailMessage.as_bytes])
def test_an_invitation_refuses_to_be_serialised(serialise: Callable[[EmailMessage], Any]) -> None:
    with pytest.raises(NotGated):
        serialise(invitation())


def test_what_leaves_is_a_message_of_its_own(host: Host) -> None:
    source = invitation(X_Campaign="spring", Message_ID="<mine@example.org>")
    [ready] = left(source)
    link = host.optout.link("jane@example.org", "beta-42")
    for kind in ("plain", "html"):
        part, before = ready.get_body((kind,)), source.get_body((kind,))
        assert part is not None and link in part.get_content()
        assert before is not None and link not in before.get_content()
    assert ready["X-Campaign"] == "spring" and ready["Message-ID"] != source["Message-ID"] == "<mine@example.org>"
    assert ready["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" and "List-Id" not in source


def test_a_muted_person_gets_nothing_and_ordinary_mail_leaves_as_it_is(host: Host) -> None:
    say(host, True, to="jane@example.org")
    ordinary = EmailMessage()
    ordinary["To"] = "jane@example.org"
    assert left(invitation(), ordinary) == [ordinary]


def in_an_unknown_charset() -> EmailMessage:
    message = EmailMessage()
    message.set_content("Hello.")
    message.set_param("charset", "nonsense")
    return message


ORDINARY: dict[str, Callable[[], Any]] = {
    "nothing in it": EmailMessage,
    "parts, but none": lambda: MIMEMultipart("related"),
    "of the older classes": lambda: MIMEText("Hello."),
    "of the oldest class": Message,
    "of the older policy": lambda: message_from_string("To: a@x.org\n\nHello.", EmailMessage, policy=compat32),
    "in an unknown charset": in_an_unknown_charset,
    "a type that is none": lambda: message_from_string(
        "Content-Type: multipart/mixed; boundary\n\n--\n", policy=SMTP
    ),
    "no message at all": lambda: "Hello.",
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_mail_leaves_whatever_is_wrong_with_it(host: Host, kind: str) -> None:
    message = ORDINARY[kind]()
    assert left(message) == [message]


@pytest.mark.parametrize("kind", ["nothing in it", "in an unknown charset"])
def test_an_invitation_that_cannot_carry_a_text_is_refused(host: Host, kind: str) -> None:
    source = invitation()
    source.set_payload(ORDINARY[kind]().get_payload())
    source.replace_header("Content-Type", "text/plain; charset=nonsense")
    with pytest.raises(InvitationError):
        left(source)


@pytest.mark.parametrize(
    ("to", "written"),
    [
        ("Jane <jane@example.org>", "Jane <jane@example.org>"),
        ("jane@EXAMPLE.org", "jane@example.org"),
        ("Jané <jane@example.org>", "Jané <jane@example.org>"),
        ("jané@example.org", "jané@example.org"),
    ],
)
def test_the_recipient_stays_as_written_where_it_leads_to_the_checked_address(
    host: Host, to: str, written: str
) -> None:
    [ready] = left(invitation(To=to))
    assert str(ready["To"]) == written


@pytest.mark.parametrize("name", ["Cc", "Bcc"])
def test_nobody_gets_a_copy(host: Host, name: str) -> None:
    with pytest.raises(InvitationError, match=f"An invitation has a {name.lower()}"):
        left(invitation(**{name: "bob@example.org"}))


@pytest.mark.parametrize("to", ["a@x.org, b@x.org", "Team: a@x.org;", "a@x.org b@x.org", "", "=?utf-8?q?a?=@x.org"])
def test_other_recipients_than_one_are_refused(host: Host, to: str) -> None:
    with pytest.raises((AddressError, InvitationError)):
        left(invitation(To=to))


def parsed(rest: str, policy: Any = SMTP) -> EmailMessage:
    """An invitation that the standard library's parser has made, as of a template in a file."""
    kind: Any = partial(Invitation, opportunity="beta-42")
    head = "From: team@example.org\r\nTo: jane@example.org\r\nSubject: Hi\r\n"
    message: EmailMessage = message_from_bytes((head + rest).encode("latin-1"), kind, policy=policy)
    return message


PARSED = {
    **{
        f"in {encoding}": "Content-Type: text/plain; charset=iso-8859-1\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n{text}\r\n"
        for encoding, text in (
            ("Quoted-Printable", "Gr=FC=DFe."),
            ("BASE64", "R3L832Uu"),
            ("8BIT", "Grüße."),
            ("binary", "Grüße."),
            ("7Bit", "Come."),
        )
    },
    "UTF-16": "Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode("Grüße.\n\n".encode("utf-16")).decode(),
    "no type": "\r\nCome.\r\n",
    "a type": 'Content-Type: text/plain; charset="iso-8859-1"\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße.\r\n',
    "parts": "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nCome.\r\n"
    "--b\r\nContent-Type: text/html\r\n\r\n<p>Come.</p>\r\n--b--\r\n",
}


@pytest.mark.parametrize("row", PARSED)
def test_an_invitation_may_come_from_a_parser(host: Host, row: str) -> None:
    [ready] = left(parsed(PARSED[row]))
    link, parts = host.optout.link("jane@example.org", "beta-42"), [*ready.iter_parts()] or [ready]
    assert ready.as_bytes()
    assert all(isinstance(part, EmailMessage) and link in part.get_content() for part in parts)
    assert all(text in part.get_content() for part in parts for text in ("Grüße.\n\n",) if "Gr" in PARSED[row])


@pytest.mark.parametrize("policy", [HTTP, SMTP.clone(max_line_length=0)])
@pytest.mark.parametrize("row", ["Quoted-Printable", "7Bit", "BASE64"])
def test_its_headers_may_be_of_any_length(host: Host, row: str, policy: Any) -> None:
    [ready] = left(parsed(f"X-Long: {'a ' * 200}\r\n{PARSED[f'in {row}']}", policy))
    assert host.optout.link("jane@example.org", "beta-42") in ready.get_content()
    assert max(map(len, ready.as_bytes().partition(b"\r\n\r\n")[2].splitlines())) <= 78
    assert "X-Long: " + "a " * 200 in ready.as_string()


def test_a_signature_is_not_broken(host: Host) -> None:
    rest = "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n{}\r\n--b\r\n\r\nsignature\r\n--b--\r\n"
    whole = "Content-Type: multipart/mixed; boundary=w\r\n\r\n--w\r\n{}--w\r\n\r\na list's footer\r\n--w--\r\n"
    for written in (rest, whole.format(rest)):
        with pytest.raises(InvitationError, match="Sign it in the function"):
            left(parsed(written.format("Come.")))
    text = f"No: {host.optout.link('jane@example.org', 'beta-42')}"
    [ready] = left(parsed(rest.format(text)))
    assert [part.as_bytes().decode() for part in ready.iter_parts()] == [f"\r\n{text}", "\r\nsignature"]


def test_a_text_that_its_charset_does_not_have_is_refused(host: Host) -> None:
    with pytest.raises(InvitationError, match="cannot be read as text"):
        left(parsed("Content-Type: text/plain; charset=us-ascii\r\n\r\nGrüße.\r\n"))


@pytest.mark.parametrize("written", ["de, en", None])
def test_a_language_that_the_host_has_written_stays(host: Host, written: str | None) -> None:
    source = invitation()
    source.language = "de"
    if written:
        source["Content-Language"] = written
    [ready] = left(source)
    assert ready.get_all("Content-Language") == [written or "de"]


def test_a_part_keeps_its_charset(host: Host) -> None:
    source = invitation()
    source.clear_content()
    source.set_content("Komm, Jané.", charset="iso-8859-1")
    [ready] = left(source)
    assert ready.get_content_charset() == "iso-8859-1" and "Komm, Jané." in ready.get_content()
    source.clear_content()
    source.set_content("\N{SNOWMAN} https://x.example", charset="utf-8")
    [ready] = left(source)
    assert ready.get_content_charset() == "utf-8" and "\N{SNOWMAN}" in ready.get_content()
