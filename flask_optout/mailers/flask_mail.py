"""Flask-Mail: a drop-in ``Mail`` whose every way out passes the gate, and the ``Invitation`` to send through it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from email.mime.base import MIMEBase
from email.utils import make_msgid
from typing import Any

import flask_mail

from ..invitation import Draft, Letter
from ..state import current_state
from .wire import VERBATIM, not_gated, rehearse, serialising


class Invitation(flask_mail.Message):
    """A ``flask_mail.Message`` that invites to the opportunity with this id, 1 to 128 bytes.

    :param language: the recipient's, as a tag such as ``"de"``: of the footer, and of the page that its link opens.
    """

    def __init__(self, *args: Any, opportunity: str, language: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opportunity = opportunity
        self.language = language

    def _message(self) -> Any:
        raise not_gated("Make your mail object with 'from flask_optout.mailers.flask_mail import Mail'.")

    has_bad_headers = _message  # what a connection asks first, even one that suppresses sending


class Connection(flask_mail.Connection):
    """A connection that hands off an invitation only after the gate has cleared it."""

    def send(self, message: flask_mail.Message, envelope_from: str | tuple[str, str] | None = None) -> None:
        """Send a message; an invitation to a muted person is dropped without a trace.

        :raises OptOutError: when an invitation cannot be sent, or when nobody can tell whether it may be.
        """
        if isinstance(message, Invitation):
            gate = current_state().gate
            for letter, cleared in [(letter, Cleared(message, letter)) for letter in gate.letters(_draft(message))]:
                with gate.passing(letter, message_id=cleared.msgId) as clear:
                    if clear:
                        super().send(cleared, envelope_from)
                    else:
                        sender = flask_mail.sanitize_address(envelope_from or cleared.sender)
                        rehearse(self.host, sender, cleared.as_bytes(), cleared.mail_options)
        else:
            super().send(message, envelope_from)


class _Gated(flask_mail._MailMixin):
    def connect(self) -> Connection:
        """Open a connection to the mail host, gated."""
        return Connection(super().connect().mail)

    def send_invitations(self, invitations: Iterable[Invitation]) -> None:
        """Send many over one connection, each checked as it leaves.

        :raises OptOutError: as :meth:`Connection.send`, at the first that fails; those before it have left.
        """
        with self.connect() as connection:
            for invitation in invitations:
                connection.send(invitation)


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
        vars(self).update(vars(invitation), recipients=[(name, to) if name else to], cc=[], bcc=[])
        self.subject, self.body, self.extra_headers = letter.subject, letter.text, dict(letter.headers)
        self.alts = {**invitation.alts, **({"html": letter.html} if letter.html else {})}
        self.date = time.time() if invitation.date is None else invitation.date
        self.msgId = make_msgid()
        with serialising():
            self._bytes = super().as_bytes()

    def as_bytes(self) -> bytes:
        return self._bytes

    def _message(self) -> MIMEBase:
        message = super()._message()
        message.policy = VERBATIM
        return message


def _draft(message: Invitation) -> Draft:
    to = [*message.recipients, *message.cc, *message.bcc] if message.cc or message.bcc else message.recipients
    extra, about = message.extra_headers or {}, message.opportunity
    args = (to, about, message.subject, message.body, message.html, message.sender, message.reply_to, extra)
    return Draft(*args, smtputf8=False, language=message.language)
