"""Messages of Flask-Mail: an Invitation leaves only as what the gate has cleared, made of it and of a letter."""

from __future__ import annotations

import pickle
import smtplib
from collections.abc import Callable
from copy import copy
from email import message_from_bytes
from typing import Any

import flask_mail
import pytest
from flask_mail import Message

from flask_optout import AddressError, InvitationError, NotGated, Opportunity
from flask_optout.addresses import parse
from flask_optout.mailers.flask_mail import Cleared, Invitation, Mail
from flask_optout.mailers.own_mails import compose_link_letter, serialise
from tests.conftest import MakeHost
from tests.support.hosts import Host, say


def left(host: Host, message: Message) -> Message:
    """What left of a message."""
    with host.mail.record_messages() as outbox:
        host.mail.send(message)
    [ready] = outbox
    return ready


@pytest.mark.parametrize("serialise", [str, bytes, Message.as_string, Message.as_bytes])
def test_an_invitation_refuses_to_be_serialised(host: Host, serialise: Callable[[Message], Any]) -> None:
    with pytest.raises(NotGated):
        serialise(host.invitation())


def test_what_a_server_took_is_sent_also_if_it_hangs_up_then(host: Host) -> None:
    with host.mail.connect() as connection:
        connection.host = smtplib.SMTP()  # which is not connected


def test_record_messages_sees_what_left_and_only_that(make: MakeHost) -> None:
    host = make(TESTING=True)
    with host.app.app_context(), host.mail.record_messages() as outbox:
        say(host, True, to="bob@example.org")
        host.mail.send(host.invitation(to="bob@example.org"))
        host.mail.send(host.invitation())
        host.mail.send(Message("Hello", recipients=["bob@example.org"], body="Hello"))
        link = host.optout.link("jane@example.org", "beta-42")
    invitation, hello = outbox
    assert invitation.recipients == ["jane@example.org"]
    assert invitation.body is not None and invitation.body.endswith(link)
    assert hello.recipients == ["bob@example.org"]


def test_what_stands_for_smtplib_in_a_hosts_tests_gets_nothing_for_a_muted_person(
    make: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fake:
        def sendmail(self, sender: str, to: list[str], *args: object) -> None:
            sent.extend(to)

        def set_debuglevel(self, level: int) -> None: ...

        def quit(self) -> None: ...

    sent: list[str] = []
    host = make()
    with host.app.app_context():
        monkeypatch.setattr(smtplib, "SMTP", lambda server, port: Fake())
        told = send_to_both(host)
        monkeypatch.undo()
        monkeypatch.setattr(smtplib.SMTP, "connect", lambda self, *args: (220, b"ready"))
        monkeypatch.setattr(smtplib.SMTP, "quit", lambda self: None)
        monkeypatch.setattr(smtplib.SMTP, "sendmail", Fake.sendmail)
        told += send_to_both(host)
    assert sent == ["jane@example.org"] * 2 and told == ["bob@example.org", "jane@example.org"] * 2


def send_to_both(host: Host) -> list[Any]:
    """Send to a muted person and another one, and rehearse; gives whom a signal told of."""
    told: list[Any] = []

    def note(app: Any, message: Message) -> None:
        told.extend(message.recipients)

    say(host, True, to="bob@example.org")
    with flask_mail.email_dispatched.connected_to(note), host.mail.connect() as connection:
        for to in ("bob@example.org", "jane@example.org"):
            connection.send(host.invitation(to))
    link = Opportunity(""), "https://x.example/"
    serialise(compose_link_letter(parse("bob@example.org"), "beta-42", link, sender="team@example.org")).rehearse()
    return told


def test_what_was_withheld_from_a_muted_person_cannot_be_sent_again_past_the_gate(host: Host) -> None:
    with host.mail.record_messages() as outbox:
        say(host, True, to="jane@example.org")
        withheld = dispatched(host, host.invitation())
        for again in (withheld, pickle.loads(pickle.dumps(withheld))):
            host.mail.send(again)
            host.mail.send_invitations([again])
    assert outbox == [] and withheld.recipients == ["jane@example.org"]


def test_what_left_may_be_sent_again_as_from_a_queue(host: Host) -> None:
    ready = dispatched(host, host.invitation())
    say(host, True, to="jane@example.org")
    assert left(host, pickle.loads(pickle.dumps(ready))).as_bytes() == ready.as_bytes()


def dispatched(host: Host, message: Message) -> Message:
    """What the library's signal tells of."""
    told: list[Message] = []

    def note(app: Any, message: Message) -> None:
        told.append(message)

    with flask_mail.email_dispatched.connected_to(note):
        host.mail.send(message)
    [ready] = told
    return ready


def test_what_cannot_be_serialised_fails_alike_whether_or_not_its_recipient_is_muted(host: Host) -> None:
    for muted in (False, True):
        say(host, muted, to="jane@example.org")
        invitation = host.invitation()
        invitation.attach("a.bin", "nonsense", b"data")
        with pytest.raises(TypeError):
            host.mail.send(invitation)


class Signed(Invitation):
    """As hosts sign their mail."""

    def _message(self) -> Any:
        message = super()._message()
        assert any(line.startswith(b"List-Unsubscribe: <") for line in message.as_bytes().splitlines()), (
            "as it leaves"
        )
        message["X-Signer"] = "host"
        return message

    def as_bytes(self) -> bytes:
        return b"X-Signature: whole\r\n" + super().as_bytes()


def test_what_the_hosts_own_class_overrides_stays(host: Host) -> None:
    fields: dict[str, Any] = {"recipients": ["jane@example.org"], "body": "Come.", "opportunity": "beta-42"}
    with pytest.raises(NotGated):
        Signed("Join us", **fields).as_bytes()
    message = message_from_bytes(left(host, Signed("Join us", **fields)).as_bytes())
    assert (message["X-Signature"], message["X-Signer"]) == ("whole", "host")
    say(host, True, to="jane@example.org")
    with host.mail.record_messages() as outbox:
        host.mail.send(Signed("Join us", **fields))
    assert outbox == []


def computed(value: Any, later: Any = None) -> Any:
    """A property that takes no other value; ``later``: its value in what leaves."""
    return property(
        lambda self: copy(later if later and isinstance(self, Cleared) else value), lambda self, other: None
    )


class Computed(Invitation):
    """As hosts compute what they send."""

    recipients = computed(["jane@example.org"], ["bob@example.org"])
    cc = bcc = computed([], ["bob@example.org"])
    subject, sender, reply_to = (computed(text) for text in ("Join us", "team@example.org", "help@example.org"))
    body, alts = computed("Come."), computed({"html": "<p>Come.</p>"})
    extra_headers, date, msgId = computed({"X-Campaign": "spring"}), computed(None), computed("<same@example.org>")


def test_a_property_of_the_hosts_own_class_hides_neither_the_link_nor_the_checked_recipient(host: Host) -> None:
    ready = left(host, Computed(opportunity="beta-42"))
    message, link = message_from_bytes(ready.as_bytes()), host.optout.link("jane@example.org", "beta-42")
    assert ready.send_to == {"jane@example.org"} and message["To"] == "jane@example.org" and message["Cc"] is None
    assert all(link in str(text) for text in (ready.body, ready.html))
    assert (message["X-Campaign"], message["Subject"], message["Reply-To"]) == (
        "spring",
        "Join us",
        "help@example.org",
    )
    assert message["List-Unsubscribe"] and message["Message-ID"] != "<same@example.org>" and message["Date"]


@pytest.mark.parametrize("kind", ["html", "HTML", "html; charset=utf-8"])
def test_the_html_carries_the_link_however_its_type_is_written(host: Host, kind: str) -> None:
    invitation = host.invitation()
    invitation.alts = {kind: "<p>Come.</p>", "calendar": "BEGIN:VCALENDAR"}
    ready = left(host, invitation)
    link = host.optout.link("jane@example.org", "beta-42")
    assert [name for name, text in ready.alts.items() if link in text] == [kind] and len(ready.alts) == 2


def test_the_drop_in_is_a_flask_mail() -> None:
    assert issubclass(Mail, flask_mail.Mail) and issubclass(Invitation, Message)


@pytest.mark.parametrize("name", ["cc", "bcc"])
def test_nobody_gets_a_copy(host: Host, name: str) -> None:
    fields: dict[str, Any] = {name: ["bob@example.org"]}
    with pytest.raises(InvitationError, match=f"An invitation has a {name}"):
        host.mail.send(host.invitation(**fields))


def test_an_address_that_the_library_cannot_deliver_to_is_refused(host: Host) -> None:
    with pytest.raises(AddressError, match="SMTPUTF8"):
        host.mail.send(host.invitation("jané@example.org"))


@pytest.mark.parametrize("charset", ["iso-8859-1", "us-ascii", "koi8-r", "utf-8", None])
def test_a_footer_in_another_script_than_the_charsets_leaves_in_utf_8(host: Host, charset: str | None) -> None:
    host.optout.opportunity_loader(lambda id: {"title": "„Kamera“ ☃"})
    invitation = host.invitation(charset=charset)
    message = message_from_bytes(left(host, invitation).as_bytes())
    parts: list[Any] = [part for part in message.walk() if part.get_content_maintype() == "text"]
    assert [part.get_content_charset() for part in parts] == ["utf-8", "utf-8"]
    assert all("„Kamera“ ☃" in part.get_payload(decode=True).decode() for part in parts)
    assert invitation.charset == charset


def test_a_charset_that_is_none_is_refused(host: Host) -> None:
    with pytest.raises(InvitationError, match="at the charset"):
        host.mail.send(host.invitation(charset="nonsense"))


@pytest.mark.parametrize("charset", ["iso-8859-1", "koi8-r"])
def test_one_that_the_charset_has_leaves_in_it(host: Host, charset: str) -> None:
    message = message_from_bytes(left(host, host.invitation(charset=charset)).as_bytes())
    assert {part.get_content_charset() for part in message.walk()} == {charset, None}


def test_what_leaves_is_a_message_of_its_own(host: Host) -> None:
    invitation = host.invitation(extra_headers={"X-Campaign": "spring"})
    before = dict(vars(invitation))
    ready = left(host, invitation)
    link = host.optout.link("jane@example.org", "beta-42")
    assert vars(invitation) == before
    assert ready.recipients == ["jane@example.org"] and link in str(ready.body) and link in str(ready.html)
    assert f"Message-ID: {ready.msgId}\r\n" in ready.as_bytes().decode()


@pytest.mark.parametrize(
    ("to", "written"),
    [
        ("Jane <jane@example.org>", "Jane <jane@example.org>"),
        ("jane@EXAMPLE.org", "jane@example.org"),
        ('"jane"@example.org', "jane@example.org"),
        (("Jane", "jane@example.org"), ("Jane", "jane@example.org")),
    ],
)
def test_a_recipient_stays_as_written_where_the_library_sends_to_the_checked_address(
    host: Host, to: Any, written: Any
) -> None:
    assert left(host, host.invitation(to)).recipients == [written]
