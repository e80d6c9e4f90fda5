"""Flask-Mail: a drop-in ``Mail`` whose every way out passes the gate, and the ``Invitation`` to send through it."""

from __future__ import annotations

import smtplib
import time
from contextlib import suppress
from email.mime.base import MIMEBase
from email.policy import EmailPolicy
from email.utils import make_msgid
from typing import Any

import flask_mail
from flask import current_app

from ..errors import NotGated
from ..invitation import OWN_HEADERS, Draft, Letter
from ..state import current_state


class Invitation(flask_mail.Message):
    """A message that invites one person to one opportunity; takes what ``flask_mail.Message`` takes.

    :param opportunity: the id of the opportunity, 1 to 128 bytes.
    """

    def __init__(self, *args: Any, opportunity: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opportunity = opportunity

    def has_bad_headers(self) -> bool:
        """Refuse: every connection asks this before it hands a message off, and a gated one never gets so far.

        :raises NotGated: always.
        """
        raise _not_gated()

    def _message(self) -> MIMEBase:
        raise _not_gated()


class Connection(flask_mail.Connection):
    """A connection that hands off an invitation only after the gate has cleared it."""

    def send(self, message: flask_mail.Message, envelope_from: str | tuple[str, str] | None = None) -> None:
        """Send a message; an invitation to a muted person is dropped without a trace.

        :raises OptOutError: when an invitation cannot be sent, or when nobody can tell whether it may be.
        """
        if not isinstance(message, Invitation):
            return super().send(message, envelope_from)
        gate = current_state().gate
        letter = gate.letter(_draft(message))
        cleared = Cleared(message, letter)
        with gate.passing(letter, message_id=cleared.msgId) as clear:
            if clear:
                super().send(cleared, envelope_from)
            else:
                self._rehearse(cleared, envelope_from)
        return None

    def _rehearse(self, cleared: Cleared, envelope_from: str | tuple[str, str] | None) -> None:
        """Go as far as the sender: what the server says against that, it says for muted and unmuted alike."""
        if self.host is not None:
            sender = flask_mail.sanitize_address(envelope_from or cleared.sender)
            with suppress(smtplib.SMTPRecipientsRefused):  # as there is none
                self.host.sendmail(sender, [], cleared.as_bytes(), cleared.mail_options)


class _Gated(flask_mail._MailMixin):
    def connect(self) -> Connection:
        """Open a connection to the mail host, gated."""
        return Connection(super().connect().mail)


class _State(_Gated, flask_mail._Mail):
    """What stands in ``app.extensions["mail"]``; Flask-Security sends through it."""


class Mail(_Gated, flask_mail.Mail):
    """A drop-in for ``flask_mail.Mail``."""

    def init_mail(self, *args: Any, **kwargs: Any) -> _State:
        return _State(**vars(super().init_mail(*args, **kwargs)))


class Cleared(flask_mail.Message):
    """What leaves: a message of its own, so that nothing of one candidate's reaches the next.

    It is serialised at once, so that whatever cannot be serialised fails before the gate is asked.
    """

    def __init__(self, invitation: Invitation, letter: Letter) -> None:
        vars(self).update(vars(invitation))
        address = letter.address
        self.recipients = [(address.name, address.deliverable) if address.name else address.deliverable]
        self.subject = letter.subject
        self.body = letter.text
        self.alts = dict(invitation.alts)
        self.html = letter.html
        self.extra_headers = dict(letter.headers)
        self.date = time.time() if invitation.date is None else invitation.date
        self.msgId = make_msgid()
        self._bytes = super().as_bytes()

    def as_bytes(self) -> bytes:
        return self._bytes

    def _message(self) -> MIMEBase:
        message = super()._message()
        message.policy = VERBATIM
        return message


def deliver(letter: Letter) -> None:
    """Hand off a letter as it is, past the gate, through what the host has in ``app.extensions["mail"]``."""
    carrier = Invitation(opportunity=letter.opportunity, sender=letter.sender, reply_to=letter.reply_to)
    current_app.extensions["mail"].send(Cleared(carrier, letter))


class _Verbatim(EmailPolicy):
    """Leaves our header values alone: the folding that Flask-Mail asks for turns long URLs into encoded words."""

    def fold(self, name: str, value: Any) -> str:
        return f"{name}: {value}{self.linesep}" if name in OWN_HEADERS else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name in OWN_HEADERS:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


VERBATIM = _Verbatim(linesep="\r\n")


def _draft(invitation: Invitation) -> Draft:
    copies = [*invitation.cc, *invitation.bcc]
    return Draft(
        recipients=[*invitation.recipients, *copies] if copies else invitation.recipients,
        opportunity=invitation.opportunity,
        subject=invitation.subject,
        text=invitation.body,
        html=invitation.html,
        sender=invitation.sender,
        reply_to=invitation.reply_to,
        headers=invitation.extra_headers or {},
        smtputf8=False,
    )


def _not_gated() -> NotGated:
    return NotGated(
        "An Invitation was handed to a mailer that does not know the gate.",
        "It would reach people who opted out, and carry no link.",
        "Make your mail object with 'from flask_optout.mailers.flask_mail import Mail'.",
    )
