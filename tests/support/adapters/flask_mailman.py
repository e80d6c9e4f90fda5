"""Flask-Mailman and its adapter."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import flask_mailman
from flask_mailman.backends.smtp import EmailBackend

from flask_optout.invitations.gate import OnError
from flask_optout.mailers import flask_mailman as gated
from tests.support.hosts import Host, Mailbox
from tests.support.library import Many, Wanted, Way, over_smtp, pair


class FlaskMailman:
    name = "Flask-Mailman"
    smtputf8 = False
    works_without_optout = True
    parts: dict[str, Callable[[Any], object]] = {
        "a file": lambda message: message.attach("Plän.pdf", b"\0\1", "application/pdf"),
        "a file without a name": lambda message: message.attach(None, b"\0\1", "application/pdf"),
        "text in a file": lambda message: message.attach("a.txt", "Größe", "text/plain"),
        "a message": lambda message: message.attach("a.eml", EmailMessage(), "message/rfc822"),
        "MIMEText": lambda message: message.attach(MIMEText("Größe")),
        "MIMEApplication": lambda message: message.attach(MIMEApplication(b"data")),
        "MIMEMessage": lambda message: message.attach(MIMEMessage(EmailMessage())),
        "MIMEMultipart": lambda message: message.attach(MIMEMultipart("mixed", None, [MIMEText("a")])),
        "another alternative": lambda message: message.attach_alternative("BEGIN:VCALENDAR", "text/calendar"),
    }

    def __init__(self) -> None:
        def connections(connect: Callable[[Host], Any]) -> Way:
            return over_smtp(lambda host, message: connect(host).send_messages([message]))

        self.ways: dict[str, Way] = {
            "EmailMessage.send": over_smtp(self._send),
            "get_connection": over_smtp(self.send),
            "state.get_connection": connections(lambda host: host.app.extensions["mailman"].get_connection()),
            'backend="smtp"': connections(lambda host: gated.Mail(host.app).get_connection("smtp")),
            "backend=class": connections(lambda host: gated.Mail(host.app).get_connection(EmailBackend)),
            "open connection": over_smtp(lambda host, message: self._open(host, [message])),
            "locmem": self._locmem,
            "console": self._console,
            "file": self._file,
        }
        self.many: dict[str, Many] = {
            "send_messages": lambda host, messages: gated.Mail(host.app).get_connection().send_messages(messages),
            "open connection": self._open,
            "Mail.send_invitations": self.send_invitations,
        }

    def invitation(self, host: Host, wanted: Wanted) -> Any:
        more = {"cc": [pair(to) for to in wanted.cc], "bcc": [pair(to) for to in wanted.bcc]}
        return self._fill(
            gated.Invitation, host, wanted, opportunity=wanted.opportunity, language=wanted.language, **more
        )

    def ordinary(self, host: Host, wanted: Wanted) -> Any:
        return self._fill(flask_mailman.EmailMultiAlternatives, host, wanted)

    def address(self, message: Any, to: str) -> None:
        message.to = [to]

    def send(self, host: Host, message: Any) -> object:
        return gated.Mail(host.app).get_connection().send_messages([message])

    def send_invitations(self, host: Host, messages: Iterable[Any], on_error: OnError | None = None) -> object:
        return gated.Mail(host.app).send_invitations(messages, on_error)

    def send_ungated(self, host: Host, message: Any) -> None:
        with flask_mailman.Mail(host.app).get_connection() as connection:
            connection.send_messages([message])

    @staticmethod
    def _fill(kind: type[Any], host: Host, wanted: Wanted, **more: Any) -> Any:
        gated.Mail(host.app)
        more |= {"reply_to": [pair(wanted.reply_to)] if wanted.reply_to else None, "headers": dict(wanted.headers)}
        message = kind(wanted.subject, wanted.text, pair(wanted.sender), [pair(to) for to in wanted.to], **more)
        if wanted.html:
            message.attach_alternative(wanted.html, "text/html")
        for name, of, data in wanted.attachments:
            message.attach(name, data, of)
        return message

    def _send(self, host: Host, message: Any) -> None:
        assert message.send() == 1

    def _open(self, host: Host, messages: Iterable[Any]) -> None:
        with gated.Mail(host.app).get_connection() as connection:
            for message in messages:
                assert connection.send_messages([message]) == 1

    def _locmem(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        mail = gated.Mail(host.app)
        assert mail.get_connection("locmem").send_messages(messages) == len(messages)
        return [message.message().as_bytes(linesep="\r\n") for message in mail.outbox]

    def _console(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        stream = io.StringIO()
        gated.Mail(host.app).get_connection("console", stream=stream).send_messages(messages)
        return [part.encode().lstrip() for part in stream.getvalue().split("-" * 79) if part.strip()]

    def _file(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        with TemporaryDirectory() as folder:
            gated.Mail(host.app).get_connection("file", file_path=folder).send_messages(messages)
            written = b"".join(file.read_bytes() for file in Path(folder).iterdir())
        return [part.lstrip() for part in written.split(b"-" * 79) if part.strip()]
