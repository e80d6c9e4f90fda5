"""Flask-Mail: a drop-in ``Mail`` whose every way out passes the gate, and the ``Invitation`` to send through it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from email.utils import make_msgid
from typing import Any

import flask_mail

from ..addresses import Recipient
from ..invitations.compose import Draft, Letter
from ..wiring import current_state
from .wire import VERBATIM, Inviting, not_gated, rehearse, serialising


class Invitation(Inviting, flask_mail.Message):
    """A ``flask_mail.Message`` that invites to the opportunity with this id, 1 to 128 bytes, in this language."""

    def _message(self) -> Any:
        raise not_gated("Make your mail object with 'from flask_optout.mailers.flask_mail import Mail'.")

    has_bad_headers = _message  # what a connection asks first, even one that suppresses sending


class Connection(flask_mail.Connection):
    """A connection that hands off an invitation only after the gate has cleared it."""

    def send(self, message: flask_mail.Message, envelope_from: Recipient | None = None) -> None:
        """Send a message; an invitation as :meth:`Mail.send_invitations` sends many."""
        if not isinstance(message, Invitation):
            return super().send(message, envelope_from)
        self.send_invitations([message], envelope_from)

    def send_invitations(self, invitations: Iterable[Invitation], envelope_from: Recipient | None = None) -> None:
        """Send many over this connection, as :meth:`Mail.send_invitations`."""

        def leave(cleared: Cleared, clear: bool) -> None:
            if clear:
                return super(Connection, self).send(cleared, envelope_from)
            sender = flask_mail.sanitize_address(envelope_from or cleared.sender)
            rehearse(self.host, sender, cleared.as_bytes(), cleared.mail_options)

        current_state().gate.hand_off(invitations, _draft, Cleared, leave)


class _Gated(flask_mail._MailMixin):
    def connect(self) -> Connection:
        """Open a connection to the mail host, gated."""
        return Connection(super().connect().mail)

    def send_invitations(self, invitations: Iterable[Invitation]) -> None:
        """Send many over one connection, each checked as it leaves; one to a muted person is dropped without a trace.

        :raises OptOutError: at the first that cannot be sent or checked; those before it have left.
        """
        with self.connect() as connection:
            connection.send_invitations(invitations)


class _State(_Gated, flask_mail._Mail):
    """What stands in ``app.extensions["mail"]``; Flask-Security sends through it."""


class Mail(_Gated, flask_mail.Mail):
    """A drop-in for ``flask_mail.Mail``."""

    def init_mail(self, *args: Any, **kwargs: Any) -> _State:
        return _State(**vars(super().init_mail(*args, **kwargs)))


class Cleared(flask_mail.Message):
    """What leaves: a message of its own; what cannot be serialised fails at once, before the gate is asked."""

    def __init__(self, invitation: Invitation, letter: Letter) -> None:
        name, to = letter.address.name, letter.address.deliverable
        own = {"recipients": [(name, to) if name else to], "cc": [], "bcc": [], "msgId": make_msgid()}
        vars(self).update(vars(invitation), **own, subject=letter.subject, body=letter.text)
        self.extra_headers: dict[str, str] | None = dict(letter.headers)
        self.alts: dict[str, str] = {**invitation.alts, **({"html": letter.html} if letter.html else {})}
        self.date: float = time.time() if invitation.date is None else invitation.date
        self.message_id: str = self.msgId
        with serialising():
            self._bytes = super().as_bytes()

    def as_bytes(self) -> bytes:
        return self._bytes

    def _message(self) -> Any:
        message = super()._message()
        message.policy = VERBATIM
        return message


def _draft(message: Invitation) -> Draft:
    to = [*message.recipients, *message.cc, *message.bcc] if message.cc or message.bcc else message.recipients
    args = (to, message.opportunity, message.subject, message.body, message.html, message.sender, message.reply_to)
    return Draft(*args, message.extra_headers or {}, smtputf8=False, language=message.language)
