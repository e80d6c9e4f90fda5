"""Flask-Mail and its adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import flask_mail

from flask_optout.invitations.gate import OnError
from flask_optout.mailers import flask_mail as gated
from tests.support.hosts import Host, Mailbox
from tests.support.library import Many, Wanted, Way, over_smtp


class FlaskMail:
    name = "Flask-Mail"
    smtputf8 = False
    works_without_optout = True
    parts: dict[str, Callable[[Any], object]] = {
        "a file": lambda message: message.attach("Plän.pdf", "application/pdf", b"\0\1"),
        "a file without a name": lambda message: message.attach(None, "application/pdf", b"\0\1"),
        "text in a file": lambda message: message.attach("a.txt", "text/plain", "Größe"),
        "a message": lambda message: message.attach("a.eml", "message/rfc822", b"Subject: a\r\n\r\nb"),
        "a picture": lambda message: message.attach("a.png", "image/png", b"\0", "inline", {"Content-ID": "<a>"}),
        "another alternative": lambda message: message.alts.update({"calendar": "BEGIN:VCALENDAR"}),
    }

    def __init__(self) -> None:
        self.ways: dict[str, Way] = {
            "Mail.send": over_smtp(self.send),
            "Connection.send": over_smtp(lambda host, message: self._connect(host, [message])),
            "Message.send": over_smtp(self._message),
            "Mail.send_invitations": over_smtp(lambda host, message: self.send_invitations(host, [message])),
            'app.extensions["mail"].send': over_smtp(lambda host, message: host.app.extensions["mail"].send(message)),
            "MAIL_SUPPRESS_SEND": self._suppressed,
        }
        self.many: dict[str, Many] = {
            "Mail.connect": self._connect,
            "Mail.send_invitations": self.send_invitations,
        }

    def invitation(self, host: Host, wanted: Wanted) -> Any:
        return self._fill(
            gated.Invitation,
            wanted,
            cc=wanted.cc,
            bcc=wanted.bcc,
            opportunity=wanted.opportunity,
            language=wanted.language,
        )

    def ordinary(self, host: Host, wanted: Wanted) -> Any:
        return self._fill(flask_mail.Message, wanted)

    def address(self, message: Any, to: str) -> None:
        message.recipients = [to]

    def send(self, host: Host, message: Any) -> object:
        return host.mail.send(message)  # type: ignore[func-returns-value]

    def send_invitations(self, host: Host, messages: Iterable[Any], on_error: OnError | None = None) -> object:
        return host.mail.send_invitations(messages, on_error)  # type: ignore[func-returns-value]

    def send_ungated(self, host: Host, message: Any) -> None:
        mail = host.app.extensions["mail"]
        flask_mail.Mail(host.app).send(message)
        host.app.extensions["mail"] = mail

    @staticmethod
    def _fill(kind: type[Any], wanted: Wanted, **more: Any) -> Any:
        to = [who[1] if isinstance(who, tuple) and not who[0] else who for who in wanted.to]
        more |= {"sender": wanted.sender, "reply_to": wanted.reply_to, "extra_headers": dict(wanted.headers)}
        message = kind(wanted.subject, to, wanted.text, wanted.html, **more)
        for name, of, data in wanted.attachments:
            message.attach(name, of, data)
        return message

    def _connect(self, host: Host, messages: Iterable[Any]) -> None:
        with host.mail.connect() as connection:
            for message in messages:
                connection.send(message)

    def _message(self, host: Host, message: Any) -> None:
        with host.mail.connect() as connection:
            message.send(connection)

    def _suppressed(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        host.app.config["MAIL_SUPPRESS_SEND"] = True
        mail = gated.Mail(host.app)
        with mail.record_messages() as outbox:
            for message in messages:
                mail.send(message)
        assert smtp.received == []
        return [message.as_bytes() for message in outbox]
