"""Flask-Mailman: a drop-in ``Mail`` each of whose backends passes the gate, and the ``Invitation`` to send by it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, nullcontext
from email.utils import formataddr, make_msgid
from itertools import groupby, starmap
from typing import Any, NoReturn

from ..invitations.compose import Draft, Letter
from ..wiring import current_state
from . import mailman_library
from .wire import VERBATIM, Inviting, not_gated, rehearse, serialising


class Invitation(Inviting, mailman_library.EmailMultiAlternatives):
    """An ``EmailMultiAlternatives`` inviting to the opportunity with this id, 1 to 128 bytes, in this language."""

    def message(self) -> NoReturn:
        raise not_gated("Make your mail object with 'from flask_optout.mailers.flask_mailman import Mail'.")


class _GatedBackend:
    """Goes in front of a backend; with an ``opportunity``, each message sent through it is an invitation to that."""

    def __init__(self, *args: Any, opportunity: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opportunity = opportunity

    def send_messages(self: Any, messages: Iterable[mailman_library.EmailMessage]) -> int:
        """Send messages, each checked as it leaves; one to a muted person is dropped without a trace, and counted.

        :raises OptOutError: when an invitation cannot be sent, or when nobody can tell whether it may be.
        """
        with closing(self) if messages and self.open() else nullcontext():
            # An SMTP backend may have failed to open, silently; then all fail, muted or not.
            runs = groupby(messages, lambda each: getattr(each, "opportunity", self.opportunity))
            return sum(starmap(self._pass, runs)) if getattr(self, "connection", True) is not None else 0

    def _pass(self: Any, about: str | None, run: Iterable[mailman_library.EmailMessage]) -> int:
        send = super().send_messages  # type: ignore[misc]
        if about is None:
            return sum(send([message]) or 0 for message in run)

        def leave(cleared: Cleared, clear: bool) -> None:
            if clear:
                send([cleared])
            elif not self.fail_silently:
                rehearse(getattr(self, "connection", None), cleared.sender, cleared.message().as_bytes())

        return current_state().gate.hand_off(run, lambda each: _draft(each, about), Cleared, leave)


class _Gated(mailman_library._MailMixin):
    def import_backend(self, backend_name: Any) -> type[Any]:
        return type("GatedBackend", (_GatedBackend, super().import_backend(backend_name)), {})


class _State(_Gated, mailman_library._Mail):
    """What stands in ``app.extensions["mailman"]``; ``EmailMessage.send`` sends through it."""


class Mail(_Gated, mailman_library.Mail):
    """A drop-in for ``flask_mailman.Mail``."""

    @staticmethod
    def init_mail(*args: Any, **kwargs: Any) -> _State:
        return _State(**vars(mailman_library.Mail.init_mail(*args, **kwargs)))


class Cleared(mailman_library.EmailMultiAlternatives):
    """What leaves: a message of its own; what cannot be built fails at once, before the gate is asked."""

    def __init__(self, source: mailman_library.EmailMessage, letter: Letter) -> None:
        to = formataddr((letter.address.name, letter.address.deliverable))
        kind, others = source.content_subtype, getattr(source, "alternatives", [])
        body = (letter.html if kind == "html" else letter.text) or ""
        alternatives = [(letter.html if of == "text/html" else part, of) for part, of in others]
        self.__dict__.update(vars(source), to=[to], cc=[], bcc=[], subject=letter.subject, content_subtype=kind)
        self.__dict__.update(body=body, alternatives=alternatives)
        self.message_id: str = make_msgid(domain=str(mailman_library.DNS_NAME))
        self.extra_headers: dict[str, str] = {**letter.headers, "Message-ID": self.message_id}
        self.sender: str = mailman_library.sanitize_address(self.from_email, "utf-8")
        with serialising():
            self._built = super().message()
        self._built.policy = VERBATIM

    def message(self) -> Any:
        return self._built


def _draft(source: mailman_library.EmailMessage, about: str) -> Draft:
    parts = {kind: part for part, kind in getattr(source, "alternatives", [])} | {source.content_subtype: source.body}
    html, language = parts.get("text/html", parts.get("html")), getattr(source, "language", None)
    who = source.from_email, ", ".join(source.reply_to) or None
    to, extra = source.to + source.cc + source.bcc, source.extra_headers
    return Draft(to, about, source.subject, parts.get("plain"), html, *who, extra, smtputf8=False, language=language)
