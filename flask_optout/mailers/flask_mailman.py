"""The Flask-Mailman adapter: a drop-in ``Mail`` with gated backends, and the ``Invitation`` to send with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import ExitStack, closing, nullcontext
from email.mime.base import MIMEBase
from email.utils import formataddr
from functools import partial
from typing import Any

from flask import Flask, current_app

from ..invitations.compose import Draft, InvitationMixin, Letter, not_gated
from ..invitations.gate import DynamicMixin, OnError, finish, prove_recipient, serialising
from ..wiring import current_state
from . import mailman_library
from .rehearsal import can_rehearse, is_worn_out, rehearsing
from .releases import check_library

#: The gated classes of the library, each with its methods that send mail or are overridden.
KNOWN: dict[Any, set[str]] = {
    mailman_library.Mail: {"send_mail", "send_mass_mail", "import_backend"},
    mailman_library.EmailMultiAlternatives: {"send", "message"},
    mailman_library.BaseEmailBackend: {"send_messages"},
}


class Invitation(InvitationMixin, mailman_library.EmailMultiAlternatives):
    """An ``EmailMultiAlternatives`` inviting to ``opportunity``, an id of 1 to 128 bytes, in ``language``, a tag."""

    def message(self) -> Any:
        if not isinstance(self, Cleared):
            raise not_gated("Make your mail object with 'from flask_optout.mailers.flask_mailman import Mail'.")
        message = super().message()
        finish(message)
        return message


class _GatedBackend:
    """A mixin that gates a backend."""

    _rehearsal: ExitStack | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "connection" and self._rehearsal and can_rehearse(value):  # a send may reconnect
            self._rehearsal.enter_context(rehearsing(value))

    def send_messages(self: Any, messages: Iterable[mailman_library.EmailMessage]) -> int:
        """Send messages: invitations as :meth:`Mail.send_invitations` does, others as the library does.

        :return: how many were sent, counting those to muted people.
        """
        if "optout" not in current_app.extensions:
            return super().send_messages(messages) or 0  # type: ignore[misc]
        return int(self.send_invitations(messages)) if messages else 0

    def send_invitations(
        self: Any, messages: Iterable[mailman_library.EmailMessage], on_error: OnError | None = None
    ) -> int:
        """Send many over this connection, as :meth:`Mail.send_invitations`."""
        send, silent = super().send_messages, 0  # type: ignore[misc]

        def leave(message: mailman_library.EmailMessage, clear: bool) -> None:
            nonlocal silent
            smtp: Any = getattr(self, "connection", None)
            if not isinstance(message, Cleared):
                current_state().gate.warn_if_ungated(lambda: [text for text, _ in _list_bodies(message)])
            if clear or can_rehearse(smtp):
                with ExitStack() as stack:
                    if not clear:
                        self._rehearsal = stack
                        stack.callback(setattr, self, "_rehearsal", None)
                        stack.enter_context(rehearsing(smtp))
                    silent += send([message]) == 0  # one line for both, as tracebacks quote it
                if not clear and is_worn_out(getattr(self, "connection", None)):
                    self.close()
                    self.open()

        # Threads share a backend by this lock; no other thread may send during a rehearsal.
        with getattr(self, "_lock", nullcontext()), closing(self) if self.open() else nullcontext():
            opens = type(self).open is not mailman_library.BaseEmailBackend.open
            if opens and getattr(self, "connection", True) is None:
                return 0  # it failed to open, silently; nothing is sent, muted or not
            return int(current_state().gate.hand_off(messages, _make_draft, Cleared.like, leave, on_error) - silent)


class _Gated(mailman_library._MailMixin):
    def import_backend(self, backend_name: Any) -> type[Any]:
        bases = _GatedBackend, super().import_backend(backend_name), mailman_library.BaseEmailBackend
        return type("GatedBackend", bases, {})

    def send_invitations(
        self, invitations: Iterable[mailman_library.EmailMessage], on_error: OnError | None = None
    ) -> int:
        """Send many over one connection, each checked as it leaves; when one fails, the others are sent.

        :param on_error: called with each invitation that could not be sent and its error. An exception that it
            raises ends the run.
        :return: how many were sent, counting those to muted people.
        :raises NotAllSent: at the end, when some could not be sent and there is no ``on_error``.
        """
        connection: Any = self.get_connection()  # a _GatedBackend
        return int(connection.send_invitations(invitations, on_error))


class _State(_Gated, mailman_library._Mail):
    """The object in ``app.extensions["mailman"]``; ``EmailMessage.send`` sends through it."""


class Mail(_Gated, mailman_library.Mail):
    """A drop-in for ``flask_mailman.Mail``."""

    def init_app(self, app: Flask) -> mailman_library._Mail:
        """Initialise the app.

        :raises ConfigurationError: when the installed release bypasses the gate.
        """
        state = super().init_app(app)
        with app.app_context():
            backend = state.get_connection("dummy")
        tried = {"Mail.init_app": isinstance(app.extensions.get("mailman"), _State)}
        tried["Mail.get_connection"] = isinstance(backend, _GatedBackend)
        check_library("Flask-Mailman", KNOWN, tried)
        return state

    @staticmethod
    def init_mail(*args: Any, **kwargs: Any) -> _State:
        return _State(**vars(mailman_library.Mail.init_mail(*args, **kwargs)))


class Cleared(DynamicMixin, Invitation):
    """The message that leaves. It is built as it is created, so errors come before the gate is asked."""

    # Declared here to hide properties of the host's class, which might reject assignments.
    to: list[str] = []
    cc: Any = None
    bcc: Any = None
    subject: Any = None
    body: Any = None
    alternatives: Any = None
    attachments: Any = None
    extra_headers: Any = None
    connection: Any = None
    encoding: Any = None

    def __init__(self, source: Invitation, letter: Letter) -> None:
        bodies = _list_bodies(source)
        places = {_strip_parameters(of): place for place, (_, of) in enumerate(bodies)}
        for kind, text in (("text/plain", letter.text), ("text/html", letter.html)):
            if text:
                bodies[places[kind]] = text, bodies[places[kind]][1]
        own = {"connection": None, "subject": letter.subject, "body": bodies[0][0], "alternatives": bodies[1:]}
        vars(self).update(vars(source), cc=[], bcc=[], encoding=source.encoding, **own)
        self.attachments = [
            copy.deepcopy(part) if isinstance(part, MIMEBase) else part for part in source.attachments
        ]
        self.extra_headers = dict(letter.headers)
        if letter.message_id:
            self.extra_headers["Message-ID"] = letter.message_id
        encoding: Any = self.encoding or current_app.extensions["mailman"].default_charset
        named = letter.address.named if isinstance(letter.address.named, str) else formataddr(letter.address.named)
        spellings = letter.recipient if isinstance(letter.recipient, str) else named, named
        spell = partial(mailman_library.sanitize_address, encoding=encoding)
        self.to = [prove_recipient(spellings, spell, letter.address)]
        with serialising():
            mailman_library.sanitize_address(self.from_email, encoding)  # else this fails only as the mail leaves
            try:
                self._built = self._serialise()
            except UnicodeError:  # the footer may be in another script
                self.encoding = "utf-8"
                self._built = self._serialise()

    def _serialise(self) -> Any:
        message = super().message()
        message.as_bytes()
        return message

    def message(self) -> Any:
        return self._built

    def recipients(self) -> list[str]:
        return self.to


def _list_bodies(message: mailman_library.EmailMessage) -> list[tuple[Any, str]]:
    """Return the body and its alternatives, each with its type; of one type, mail programs show the last."""
    return [(message.body, f"text/{message.content_subtype}"), *getattr(message, "alternatives", [])]


def _strip_parameters(of: str) -> str:
    """Return a media type without its parameters."""
    return of.partition(";")[0].strip().lower()


def rehearse(message: Cleared) -> None:
    """Send the mail server, if there is one, every command for a message except its text."""
    backend: Any = current_app.extensions["mailman"].get_connection()
    with closing(backend) if backend.open() else nullcontext():
        smtp = getattr(backend, "connection", None)
        if can_rehearse(smtp):
            with rehearsing(smtp):
                super(_GatedBackend, backend).send_messages([message])


def _make_draft(source: mailman_library.EmailMessage) -> Draft | None:
    if not isinstance(source, Invitation) or isinstance(source, Cleared):
        return None
    for name in ("alternatives", "attachments", "reply_to"):  # an iterator would be empty at the second read
        setattr(source, name, [*(getattr(source, name) or ())])
    parts = {_strip_parameters(of): part for part, of in _list_bodies(source)}
    return Draft(
        recipients=source.to,
        opportunity=source.opportunity,
        subject=source.subject,
        text=parts.get("text/plain"),
        html=parts.get("text/html"),
        sender=source.from_email,
        reply_to=", ".join(map(str, source.reply_to)) or None,
        headers={name: str(value) for name, value in source.extra_headers.items()},  # as the library writes them
        smtputf8=False,
        language=source.language,
        cc=source.cc,
        bcc=source.bcc,
        attachments=[
            part.get_filename("") if isinstance(part, MIMEBase) else part[0] or "" for part in source.attachments
        ],
    )
