"""Flask-Mailman: a drop-in ``Mail`` each of whose backends passes the gate, and the ``Invitation`` to send by it."""

from __future__ import annotations

from collections.abc import Iterable
from email.message import Message
from email.utils import formataddr, make_msgid
from typing import Any

import flask_mailman
from flask_mailman.message import sanitize_address

from ..invitation import Draft, Letter
from ..state import current_state
from .wire import VERBATIM, not_gated, rehearse, serialising


class Invitation(flask_mailman.EmailMultiAlternatives):
    """An ``EmailMultiAlternatives`` that invites to the opportunity with this id, 1 to 128 bytes.

    :param language: the recipient's, as a tag such as ``"de"``: of the footer, and of the page that its link opens.
    """

    def __init__(self, *args: Any, opportunity: str, language: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opportunity = opportunity
        self.language = language

    def message(self) -> Message:
        raise not_gated("Make your mail object with 'from flask_optout.mailers.flask_mailman import Mail'.")


class _GatedBackend:
    """Goes in front of a backend; with an ``opportunity``, each message sent through it is an invitation to that."""

    def __init__(self, *args: Any, opportunity: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opportunity = opportunity

    def send_messages(self, messages: Iterable[flask_mailman.EmailMessage]) -> int:
        """Send messages, each checked as it leaves; one to a muted person is dropped without a trace, and counted.

        :raises OptOutError: when an invitation cannot be sent, or when nobody can tell whether it may be.
        """
        backend: Any = self
        opened = bool(messages) and backend.open()
        try:
            # An SMTP backend may have failed to open, silently; then all fail, muted or not.
            return sum(map(self._pass, messages)) if getattr(self, "connection", True) is not None else 0
        finally:
            if opened:
                backend.close()

    def _pass(self, message: flask_mailman.EmailMessage) -> int:
        opportunity = getattr(message, "opportunity", self.opportunity)
        if opportunity is None:
            return super().send_messages([message])  # type: ignore[misc,no-any-return]
        gate = current_state().gate
        letters = gate.letters(_draft(message, opportunity))
        for letter, cleared in [(letter, Cleared(message, letter)) for letter in letters]:
            with gate.passing(letter, message_id=cleared.extra_headers["Message-ID"]) as clear:
                if clear:
                    super().send_messages([cleared])  # type: ignore[misc]
                elif not vars(self)["fail_silently"]:
                    rehearse(getattr(self, "connection", None), cleared.sender, cleared.message().as_bytes())
        return 1


class _Gated(flask_mailman._MailMixin):
    def import_backend(self, name: Any) -> type:
        return type("GatedBackend", (_GatedBackend, super().import_backend(name)), {})


class _State(_Gated, flask_mailman._Mail):
    """What stands in ``app.extensions["mailman"]``; ``EmailMessage.send`` sends through it."""


class Mail(_Gated, flask_mailman.Mail):
    """A drop-in for ``flask_mailman.Mail``."""

    @staticmethod
    def init_mail(*args: Any, **kwargs: Any) -> _State:
        return _State(**vars(flask_mailman.Mail.init_mail(*args, **kwargs)))


class Cleared(flask_mailman.EmailMultiAlternatives):
    """What leaves: a message of its own; what cannot be built fails at once, before the gate is asked."""

    def __init__(self, source: flask_mailman.EmailMessage, letter: Letter) -> None:
        to = formataddr((letter.address.name, letter.address.deliverable))
        self.__dict__.update(vars(source), to=[to], cc=[], bcc=[], subject=letter.subject)
        self.content_subtype = source.content_subtype
        self.body = (letter.html if self.content_subtype == "html" else letter.text) or ""
        others = getattr(source, "alternatives", [])
        self.alternatives = [(letter.html if kind == "text/html" else part, kind) for part, kind in others]
        self.extra_headers = {**letter.headers, "Message-ID": make_msgid(domain=str(flask_mailman.DNS_NAME))}
        self.sender = sanitize_address(self.from_email, "utf-8")
        with serialising():
            self._built: Message = super().message()
        self._built.policy = VERBATIM

    def message(self) -> Message:
        return self._built


def _draft(source: flask_mailman.EmailMessage, about: str) -> Draft:
    parts = {kind: part for part, kind in getattr(source, "alternatives", [])} | {source.content_subtype: source.body}
    to, extra, who = source.to + source.cc + source.bcc, source.extra_headers, source.from_email
    reply_to = ", ".join(source.reply_to) or None
    bodies = parts.get("plain"), parts.get("text/html", parts.get("html"))
    language = getattr(source, "language", None)
    return Draft(to, about, source.subject, *bodies, who, reply_to, extra, smtputf8=False, language=language)
