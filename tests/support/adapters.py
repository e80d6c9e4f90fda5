"""Every adapter, and every way out that its library offers, behind one face: what an adapter is held to.

To hold a new adapter to it, add a ``Library`` for it to ``LIBRARIES``.
"""

from __future__ import annotations

import io
import re
import smtplib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, TypeVar

import flask_mail
import flask_mailman
from flask import current_app
from flask_mailman.backends.smtp import EmailBackend

from flask_optout.mailers import flask_mail as gated_mail
from flask_optout.mailers import flask_mailman as gated_mailman
from flask_optout.mailers import stdlib
from tests.support import postbox
from tests.support.hosts import Host, Mailbox
from tests.support.library import Library, Wanted, Way, over_smtp, pair

M = TypeVar("M", bound=EmailMessage)
MANUAL = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text()


class FlaskMail:
    name = "Flask-Mail"

    def __init__(self) -> None:
        self.ways: dict[str, Way] = {
            "Mail.send": over_smtp(lambda host, message: host.mail.send(message)),
            "Connection.send": over_smtp(self._connection),
            "Message.send": over_smtp(self._message),
            "Mail.send_invitations": over_smtp(self._bulk),
            'app.extensions["mail"].send': over_smtp(lambda host, message: host.app.extensions["mail"].send(message)),
            "MAIL_SUPPRESS_SEND": self._suppressed,
        }

    def invitation(self, wanted: Wanted) -> gated_mail.Invitation:
        return gated_mail.Invitation(
            wanted.subject,
            wanted.to,
            wanted.text,
            wanted.html,
            cc=wanted.cc,
            bcc=wanted.bcc,
            extra_headers=wanted.headers,
            opportunity=wanted.opportunity,
        )

    def ordinary(self, to: str) -> flask_mail.Message:
        return flask_mail.Message("Your password", [to], "Set a new one.")

    def send_ungated(self, host: Host, message: Any) -> None:
        flask_mail.Mail(host.app).send(message)

    def _connection(self, host: Host, message: Any) -> None:
        with host.mail.connect() as connection:
            connection.send(message)

    def _message(self, host: Host, message: Any) -> None:
        with host.mail.connect() as connection:
            message.send(connection)

    def _bulk(self, host: Host, message: Any) -> None:
        if isinstance(message, gated_mail.Invitation):
            host.mail.send_invitations([message])
        else:
            host.mail.send(message)

    def _suppressed(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        host.app.config["MAIL_SUPPRESS_SEND"] = True
        mail = gated_mail.Mail(host.app)
        with mail.record_messages() as outbox:
            for message in messages:
                mail.send(message)
        assert smtp.received == []
        return [message.as_bytes() for message in outbox]


class FlaskMailman:
    name = "Flask-Mailman"

    def __init__(self) -> None:
        def connections(connect: Callable[[Host], Any]) -> Way:
            return over_smtp(lambda host, message: connect(host).send_messages([message]))

        self.ways: dict[str, Way] = {
            "EmailMessage.send": over_smtp(self._send),
            "get_connection": connections(lambda host: gated_mailman.Mail(host.app).get_connection()),
            "state.get_connection": connections(lambda host: host.app.extensions["mailman"].get_connection()),
            'backend="smtp"': connections(lambda host: gated_mailman.Mail(host.app).get_connection("smtp")),
            "backend=class": connections(lambda host: gated_mailman.Mail(host.app).get_connection(EmailBackend)),
            "open connection": over_smtp(self._open),
            "locmem": self._locmem,
            "console": self._console,
            "file": self._file,
        }

    def invitation(self, wanted: Wanted) -> gated_mailman.Invitation:
        gated_mailman.Mail(current_app)
        invitation = gated_mailman.Invitation(
            wanted.subject,
            wanted.text,
            None,
            [pair(to) for to in wanted.to],
            [pair(to) for to in wanted.bcc],
            cc=[pair(to) for to in wanted.cc],
            headers=wanted.headers,
            opportunity=wanted.opportunity,
        )
        if wanted.html:
            invitation.attach_alternative(wanted.html, "text/html")
        return invitation

    def ordinary(self, to: str) -> flask_mailman.EmailMessage:
        gated_mailman.Mail(current_app)
        return flask_mailman.EmailMessage("Your password", "Set a new one.", None, [to])

    def send_ungated(self, host: Host, message: Any) -> None:
        with flask_mailman.Mail(host.app).get_connection() as connection:
            connection.send_messages([message])

    def _send(self, host: Host, message: Any) -> None:
        assert message.send() == 1

    def _open(self, host: Host, message: Any) -> None:
        with gated_mailman.Mail(host.app).get_connection() as connection:
            assert connection.send_messages([message]) == 1

    def _locmem(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        mail = gated_mailman.Mail(host.app)
        assert mail.get_connection("locmem").send_messages(messages) == len(messages)
        return [message.message().as_bytes(linesep="\r\n") for message in mail.outbox]

    def _console(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        stream = io.StringIO()
        gated_mailman.Mail(host.app).get_connection("console", stream=stream).send_messages(messages)
        return [part.encode().lstrip() for part in stream.getvalue().split("-" * 79) if part.strip()]

    def _file(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        with TemporaryDirectory() as folder:
            gated_mailman.Mail(host.app).get_connection("file", file_path=folder).send_messages(messages)
            written = b"".join(file.read_bytes() for file in Path(folder).iterdir())
        return [part.lstrip() for part in written.split(b"-" * 79) if part.strip()]


class StandardLibrary:
    name = "smtplib"

    def __init__(self) -> None:
        self.ways: dict[str, Way] = {"send_message": self._send_message, "sendmail": self._sendmail}

    def invitation(self, wanted: Wanted) -> stdlib.Invitation:
        invitation = stdlib.Invitation(opportunity=wanted.opportunity)
        return self._fill(invitation, wanted)

    def ordinary(self, to: str) -> EmailMessage:
        return self._fill(EmailMessage(), Wanted([to], subject="Your password", text="Set a new one.", html=None))

    def send_ungated(self, host: Host, message: Any) -> None:
        with smtplib.SMTP(host.app.config["MAIL_SERVER"], host.app.config["MAIL_PORT"]) as connection:
            connection.send_message(message)

    def _fill(self, message: M, wanted: Wanted) -> M:
        message["From"] = "The team <team@example.org>"
        message["Subject"] = wanted.subject
        for name, people in (("To", wanted.to), ("Cc", wanted.cc), ("Bcc", wanted.bcc)):
            if people:
                message[name] = ", ".join(pair(person) for person in people)
        for name, value in wanted.headers.items():
            message[name] = value
        if wanted.text is not None:
            message.set_content(wanted.text)
        if wanted.html is not None:
            add = message.set_content if wanted.text is None else message.add_alternative
            add(wanted.html, subtype="html")
        return message

    def _send_message(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        with self._connected(host, smtp) as (connection, left):
            host.optout.send_invitations(messages, connection.send_message)
        return left

    def _sendmail(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        with self._connected(host, smtp) as (connection, left):
            host.optout.send_invitations(messages, partial(self._by_sendmail, connection))
        return left

    @staticmethod
    def _by_sendmail(connection: smtplib.SMTP, message: EmailMessage) -> None:
        [to] = message["To"].addresses
        connection.sendmail("team@example.org", [to.addr_spec], message.as_bytes())

    @contextmanager
    def _connected(self, host: Host, smtp: Mailbox) -> Iterator[tuple[smtplib.SMTP, list[bytes]]]:
        before, left = len(smtp.received), list[bytes]()
        with smtplib.SMTP(smtp.host, smtp.port) as connection:
            yield connection, left
        left.extend(mail.raw for mail in smtp.received[before:])


class Postbox:
    """The library of docs/adapters.md, with the adapter that stands there."""

    name = "docs/adapters.md"

    def __init__(self) -> None:
        self.ways: dict[str, Way] = {"Client.deliver": self._deliver}
        (code,) = re.findall(r"^```python\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
        self._adapter: Any = ModuleType("postbox_adapter")
        sys.modules["postbox"] = postbox
        sys.modules["postbox_adapter"] = self._adapter
        exec(code, vars(self._adapter))

    def invitation(self, wanted: Wanted) -> Any:
        return self._adapter.Invitation(
            to=[pair(to) for to in wanted.to],
            cc=[pair(to) for to in wanted.cc],
            bcc=[pair(to) for to in wanted.bcc],
            subject=wanted.subject,
            text=wanted.text,
            html=wanted.html,
            headers=wanted.headers,
            opportunity=wanted.opportunity,
        )

    def ordinary(self, to: str) -> postbox.Message:
        return postbox.Message(to=[to], subject="Your password", text="Set a new one.")

    def send_ungated(self, host: Host, message: Any) -> None:
        with postbox.Client(host.app.config["MAIL_SERVER"], host.app.config["MAIL_PORT"]) as client:
            client.deliver(message)

    def _deliver(self, host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        before = len(smtp.received)
        with self._adapter.Client(smtp.host, smtp.port) as client:
            for message in messages:
                client.deliver(message)
        return [mail.raw for mail in smtp.received[before:]]


LIBRARIES: list[Library] = [FlaskMail(), FlaskMailman(), StandardLibrary(), Postbox()]
WAYS = [(library, name) for library in LIBRARIES for name in library.ways]
