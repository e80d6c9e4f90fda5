"""The Flask-Mail adapter: a drop-in ``Mail`` that sends through the gate, and the ``Invitation`` to send with it."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import flask_mail
from flask import Flask, current_app

from ..addresses import Recipient, unfold
from ..invitations.compose import Draft, InvitationMixin, Letter, not_gated
from ..invitations.gate import DynamicMixin, OnError, finish, prove_recipient, serialising
from ..wiring import current_state
from .rehearsal import can_rehearse, is_worn_out, rehearsing
from .releases import check_library, is_gated

#: The gated classes of the library, each with its methods that send mail or are overridden.
KNOWN: dict[Any, set[str]] = {
    flask_mail.Mail: {"send", "send_message", "connect", "init_mail"},
    flask_mail.Connection: {"send", "send_message"},
    flask_mail.Message: {"send", "send_to", "_message"},
}


class Invitation(InvitationMixin, flask_mail.Message):
    """A ``flask_mail.Message`` that invites to ``opportunity``, an id of 1 to 128 bytes, in ``language``, a tag."""

    def _message(self) -> Any:
        if not isinstance(self, Cleared):
            raise not_gated("Make your mail object with 'from flask_optout.mailers.flask_mail import Mail'.")
        message = super()._message()
        finish(message)
        return message

    has_bad_headers = _message  # a connection calls this first, even one that suppresses sending


class Connection(flask_mail.Connection):
    """A connection that hands off an invitation only after the gate has cleared it."""

    def send(self, message: flask_mail.Message, envelope_from: Recipient | None = None) -> None:
        """Send one message; an invitation passes the gate."""
        has_left = isinstance(message, Cleared) and message.left
        if isinstance(message, Invitation) and not has_left:
            return self.send_invitations([message], envelope_from=envelope_from)
        if not has_left and "optout" in current_app.extensions:
            current_state().gate.warn_if_ungated(lambda: [message.body, *message.alts.values()])
        super().send(message, envelope_from)

    def send_invitations(
        self,
        invitations: Iterable[flask_mail.Message],
        on_error: OnError | None = None,
        envelope_from: Recipient | None = None,
    ) -> None:
        """Send many over this connection, as :meth:`Mail.send_invitations`."""

        def leave(message: flask_mail.Message, clear: bool) -> None:
            if isinstance(message, Cleared):  # a listener of the library's signal may send a withheld message
                message.left = clear = clear and message.left
            with ExitStack() as stack:
                if not clear and can_rehearse(self.host):
                    stack.enter_context(rehearsing(self.host))
                elif not clear:
                    stack.callback(setattr, self, "host", self.host)
                    self.host = None
                super(Connection, self).send(message, envelope_from)  # one line for both, as tracebacks quote it
            if not clear and is_worn_out(self.host):
                self.__exit__(None, None, None)
                self.host = self.configure_host()

        current_state().gate.hand_off(invitations, _make_draft, Cleared.like, leave, on_error)

    def __exit__(self, *error: Any) -> None:
        with suppress(smtplib.SMTPServerDisconnected):  # the mail is sent, and other errors say more
            super().__exit__(*error)


class _Gated(flask_mail._MailMixin):
    @contextmanager
    def record_messages(self) -> Iterator[list[flask_mail.Message]]:
        """Record the messages that leave; the signal ``email_dispatched`` is sent for those to muted people, too."""
        outbox: list[flask_mail.Message] = []

        def record(app: Flask, message: flask_mail.Message) -> None:
            if getattr(message, "left", True):
                outbox.append(message)

        with flask_mail.email_dispatched.connected_to(record):
            yield outbox

    def connect(self) -> Connection:
        """Open a gated connection to the mail host."""
        return Connection(super().connect().mail)

    def send_invitations(self, invitations: Iterable[flask_mail.Message], on_error: OnError | None = None) -> None:
        """Send many over one connection, each checked as it leaves; when one fails, the others are sent.

        :param on_error: called with each invitation that could not be sent and its error. An exception that it
            raises ends the run.
        :raises NotAllSent: at the end, when some could not be sent and there is no ``on_error``.
        """
        with self.connect() as connection:
            connection.send_invitations(invitations, on_error)


class _State(_Gated, flask_mail._Mail):
    """The object in ``app.extensions["mail"]``; Flask-Security sends through it."""


class Mail(_Gated, flask_mail.Mail):
    """A drop-in for ``flask_mail.Mail``."""

    def init_app(self, app: Flask) -> flask_mail._Mail:
        """Initialise the app.

        :raises ConfigurationError: when the installed release bypasses the gate.
        """
        state = super().init_app(app)
        trial = Invitation("", ["nobody@example.com"], sender="nobody@example.com", opportunity="trial")
        tried = {"Message.as_bytes": is_gated(trial.as_bytes), "Message.as_string": is_gated(trial.as_string)}
        tried["Mail.init_app"] = isinstance(app.extensions.get("mail"), _State)
        check_library("Flask-Mail", KNOWN, tried)
        return state

    def init_mail(self, *args: Any, **kwargs: Any) -> _State:
        return _State(**vars(super().init_mail(*args, **kwargs)))


class Cleared(DynamicMixin, Invitation):
    """The message that leaves. It is serialised as it is created, so errors come before the gate is asked."""

    left = True
    # Declared here to hide properties of the host's class, which might reject assignments.
    recipients: Any = None
    cc: Any = None
    bcc: Any = None
    subject: Any = None
    body: Any = None
    sender: Any = None
    reply_to: Any = None
    extra_headers: Any = None
    alts: Any = None
    date: Any = None
    msgId: Any = None
    charset: Any = None
    send_to: Any = flask_mail.Message.send_to
    has_bad_headers: Any = flask_mail.Message.has_bad_headers

    def __init__(self, invitation: Invitation, letter: Letter) -> None:
        spellings = letter.recipient or letter.address.named, letter.address.named
        to: Recipient = prove_recipient(spellings, flask_mail.sanitize_address, letter.address)
        own: dict[str, Any] = {"recipients": [to], "cc": [], "bcc": [], "subject": letter.subject}
        own |= {"body": letter.text, "sender": letter.sender, "reply_to": letter.reply_to}
        own |= {"extra_headers": dict(letter.headers), "charset": invitation.charset}
        vars(self).update(vars(invitation), **own)
        self.alts = invitation.alts | ({_find_html_key(invitation): letter.html} if letter.html else {})
        self.date = time.time() if invitation.date is None else invitation.date
        self.msgId = letter.message_id or invitation.msgId
        if self.has_bad_headers():  # such as a subject that is folded at LF alone
            self.subject = unfold(letter.subject)
        with serialising():
            try:
                self._bytes = super().as_bytes()
            except UnicodeError:  # the footer may be in another script
                self.charset = "utf-8"
                self._bytes = super().as_bytes()

    def as_bytes(self) -> bytes:
        return self._bytes


def rehearse(message: Cleared) -> None:
    """Send the mail server every command for a message except its text; no signal is sent."""
    sender, to = flask_mail.sanitize_address(message.sender), flask_mail.sanitize_addresses(message.send_to)
    with current_app.extensions["mail"].connect() as connection:
        if can_rehearse(smtp := connection.host):
            with rehearsing(smtp):
                smtp.sendmail(sender, to, message.as_bytes(), message.mail_options, message.rcpt_options)


def _make_draft(message: flask_mail.Message) -> Draft | None:
    if not isinstance(message, Invitation) or isinstance(message, Cleared):
        return None
    return Draft(
        recipients=message.recipients,
        opportunity=message.opportunity,
        subject=message.subject,
        text=message.body,
        html=message.alts.get(_find_html_key(message)),
        sender=message.sender,
        reply_to=message.reply_to,
        headers=message.extra_headers or {},
        smtputf8=False,
        language=message.language,
        cc=message.cc,
        bcc=message.bcc,
        attachments=_check_names(message),
    )


def _find_html_key(message: flask_mail.Message) -> str:
    """Return the key of the html among the alternatives; of several, the last, which mail programs show."""
    return next((kind for kind in reversed(message.alts) if kind.lower().partition(";")[0].strip() == "html"), "html")


def _check_names(message: flask_mail.Message) -> list[str]:
    """Return the file names; raise InvitationError if a string of a part would inject a header."""
    strings = [*message.alts]
    for file in message.attachments:
        strings += [file.filename or "", file.content_type, file.disposition, *file.headers, *file.headers.values()]
    for value in strings:
        unfold(str(value))
    return [file.filename or "" for file in message.attachments]
