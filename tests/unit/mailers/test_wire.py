"""What adapters share: known ways out, lines of legal length, proof of the recipient, the rehearsal."""

from __future__ import annotations

import email.policy
import smtplib
from email.message import EmailMessage, Message
from importlib.metadata import version
from typing import Any

import flask_mail
import flask_mailman
import pytest
from flask import Flask

from flask_optout import AddressError, ConfigurationError, InvitationError
from flask_optout.addresses import parse
from flask_optout.mailers import flask_mail as gated_mail
from flask_optout.mailers import flask_mailman as gated_mailman
from flask_optout.mailers.wire import finish, proved, rehearsing, serialising

ADAPTERS = {"Flask-Mail": gated_mail, "Flask-Mailman": gated_mailman}


@pytest.mark.parametrize(
    ("library", "kind", "name"),
    [
        ("Flask-Mail", flask_mail.Mail, "send_later"),
        ("Flask-Mail", flask_mail.Connection, "deliver"),
        ("Flask-Mail", flask_mail.Message, "enqueue"),
        ("Flask-Mailman", flask_mailman.Mail, "asend"),
        ("Flask-Mailman", flask_mailman.EmailMessage, "send_async"),
    ],
)
def test_a_new_way_out_is_refused_at_start(
    library: str, kind: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, name, lambda self: None, raising=False)
    with pytest.raises(ConfigurationError, match=rf"{library} {version(library)} \(.*{name}"):
        ADAPTERS[library].Mail(Flask("host"))


def test_what_gets_something_is_no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flask_mail.Message, "get_sender", lambda self: None, raising=False)
    gated_mail.Mail(Flask("host"))


def test_a_hook_that_is_gone_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(flask_mail.Message, "_message")
    with pytest.raises(ConfigurationError, match="Message._message"):
        gated_mail.Mail(Flask("host"))


def past_the_hook(self: Any, *args: Any) -> Any:
    return b"as a later release might serialise"


def past_the_state(self: Any, app: Flask) -> Any:
    """As a later release might start, from the library's own class."""
    app.extensions["mail"] = app.extensions["mailman"] = object()
    return flask_mailman.Mail().init_mail(app.config)


@pytest.mark.parametrize(
    ("library", "kind", "name", "instead"),
    [
        ("Flask-Mail", flask_mail.Message, "as_bytes", past_the_hook),
        ("Flask-Mail", flask_mail.Message, "as_string", past_the_hook),
        ("Flask-Mail", flask_mail.Mail, "init_app", past_the_state),
        ("Flask-Mailman", flask_mailman.Mail, "init_app", past_the_state),
        ("Flask-Mailman", flask_mailman._MailMixin, "get_connection", lambda self, backend: object()),
    ],
)
def test_a_hook_that_does_something_else_is_refused_at_start(
    library: str, kind: Any, name: str, instead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H7."""
    monkeypatch.setattr(kind, name, instead)
    with pytest.raises(ConfigurationError, match=rf"{library} {version(library)} \(.*{name}"):
        ADAPTERS[library].Mail(Flask("host"))


@pytest.mark.parametrize("library", ADAPTERS)
def test_the_installed_release_is_known(library: str) -> None:
    assert ADAPTERS[library].Mail(Flask("host")).state is not None


def test_a_recipient_is_proved_by_the_first_spelling_that_leads_to_the_checked_address() -> None:
    address = parse("jane@example.org")
    spellings = ["other@example.org", "JANE@example.org", "jane@example.org", "later"]
    assert proved(spellings, str, address) == "jane@example.org"
    with pytest.raises(AddressError, match="another address"):
        proved(["other@example.org"], str, address)


def test_a_spelling_that_the_library_cannot_write_proves_nothing() -> None:
    def spell(spelling: str) -> str:
        return spelling.encode("ascii").decode()  # a UnicodeError is a ValueError

    assert proved(["jané@example.org", "jane@example.org"], spell, parse("jane@example.org")) == "jane@example.org"


@pytest.mark.parametrize("policy", [email.policy.default, email.policy.compat32, email.policy.SMTP])
def test_our_headers_stand_on_one_line_and_the_others_as_the_library_folds_them(policy: Any) -> None:
    message = EmailMessage(policy) if isinstance(policy, email.policy.EmailPolicy) else Message(policy)
    link, words = f"<https://x.example/{'a' * 200}>", "many words " * 20
    message["List-Unsubscribe"], message["X-Note"] = link, words
    message.set_payload("Come.")
    finish(message)
    written = message.as_bytes().decode().replace("\r\n", "\n")
    assert f"List-Unsubscribe: {link}\n" in written and f"X-Note: {words}\n" not in written


@pytest.mark.parametrize(("length", "encoding"), [(998, "7bit"), (999, "quoted-printable")])
def test_a_part_with_a_line_that_is_too_long_is_quoted_printable(length: int, encoding: str) -> None:
    message = EmailMessage()
    message.set_payload("a" * length + "\nshort\n")
    message["Content-Transfer-Encoding"] = "7bit"
    finish(message)
    assert message["Content-Transfer-Encoding"] == encoding
    assert message.get_payload(decode=True) == b"a" * length + b"\nshort\n"
    assert max(map(len, message.as_bytes().splitlines())) <= 998


def test_a_character_that_cannot_be_written_is_named_without_an_address() -> None:
    with pytest.raises(InvitationError, match="character that cannot stand there") as refused, serialising():
        "jané@example.org".encode("ascii")
    assert "jan" not in str(refused.value)


def test_a_rehearsal_says_all_but_the_text_and_ends() -> None:
    class Server(smtplib.SMTP):
        def rset(self) -> tuple[int, bytes]:
            return 250, b"reset"

        def data(self, msg: Any) -> tuple[int, bytes]:
            return 250, b"sent"

    server = Server()
    with rehearsing(server):
        assert server.data("text") == (250, b"reset")
    assert server.data("text") == (250, b"sent")
