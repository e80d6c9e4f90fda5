"""To a mail server, and so to the sender, an invitation to a muted person is any other, up to its text."""

from __future__ import annotations

import asyncio
import re
import smtplib
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.generator import BytesGenerator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from flask import current_app
from flask_mailman.backends.base import BaseEmailBackend
from flask_mailman.backends.smtp import EmailBackend

from flask_optout import InvitationError, OptOutError
from flask_optout.mailers.flask_mailman import Mail
from tests.conftest import MakeHost
from tests.support.adapters import each_library
from tests.support.adapters.flask_mail import FlaskMail
from tests.support.adapters.flask_mailman import FlaskMailman
from tests.support.email_log import rows
from tests.support.hosts import HangsUp, Host, Mailbox, RefusesRecipients, free_port, say, smtp_server
from tests.support.library import Library, Wanted

LINES: list[str] = []


class Listening(SMTP):
    """Notes each command."""

    async def _call_handler_hook(self, command: str, *args: Any) -> Any:
        LINES.append(f"{command} {' '.join(map(str, args))}")
        return await super()._call_handler_hook(command, *args)

    async def smtp_MAIL(self, arg: str) -> None:
        LINES.append(f"MAIL {arg}")
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str) -> None:
        LINES.append(f"RCPT {arg}")
        await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        LINES.append("DATA")
        await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str) -> None:
        LINES.append("RSET")
        await super().smtp_RSET(arg)


class EndsAtText(SMTP):
    """Hangs up on whoever has named a recipient."""

    async def smtp_DATA(self, arg: str) -> None:
        self._writer.close()

    async def smtp_RSET(self, arg: str) -> None:
        self._writer.close()


class CountsResets(Listening):
    """Hangs up on whoever says RSET more than ten times, beside one before each mail; as Exim does."""

    resets, expected = 0, True

    async def smtp_DATA(self, arg: str) -> None:
        self.expected = True
        await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str) -> None:
        self.resets, self.expected = self.resets + (not self.expected), False
        if self.resets > 10:
            await self.push("554 Too many nonmail commands")
            self._writer.close()
        else:
            await super().smtp_RSET(arg)


class Closed(asyncio.Protocol):
    """Hangs up on whoever connects."""

    def connection_made(self, transport: Any) -> None:
        transport.close()


class TakesOne(Controller):
    """Takes one connection, after that by which the controller sees that it runs."""

    taken = 0

    def factory(self) -> Any:
        self.taken += 1
        return SMTP(self.handler) if self.taken <= 2 else Closed()


class Server(Controller):
    def factory(self) -> SMTP:
        return Listening(self.handler, **self.SMTP_kwargs)


@pytest.fixture
def server() -> Iterator[Mailbox]:
    mailbox = Mailbox(port=free_port())
    server = Server(mailbox, hostname=mailbox.host, port=mailbox.port, enable_SMTPUTF8=False, data_size_limit=50_000)
    server.start()
    yield mailbox
    server.stop()


@pytest.fixture
def heard(make: MakeHost, server: Mailbox) -> Iterator[Host]:
    host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port)
    with host.app.app_context():
        yield host


def send(library: Library, host: Host, wanted: Wanted) -> tuple[list[str], str | None]:
    """What the server heard, and the error."""
    LINES.clear()
    error = None
    try:
        library.send(host, library.invitation(host, wanted))
    except smtplib.SMTPException as caught:
        error = f"{type(caught).__name__} {caught}"
    return [line for line in LINES if re.match("MAIL |RCPT |RSET|DATA", line) and "aiosmtpd" not in line], error


def alike(library: Library, host: Host, wanted: Wanted, before_each: Callable[[], object] = lambda: None) -> str:
    """What is raised, if something is, for somebody, and for somebody who is muted; by the same lines of code."""
    errors, traces = [], []
    for muted in (False, True):
        say(host, muted, "jane@example.org")
        before_each()
        try:
            library.send(host, library.invitation(host, wanted))
            errors.append("")
        except (OSError, OptOutError, ValueError) as error:
            errors.append(f"{type(error).__name__} {error}")
            traces.append("".join(traceback.format_exception(error)))
    assert errors[0] == errors[1] and len({*traces}) <= 1, traces
    return errors[0]


@each_library
def test_the_server_hears_the_same_size_options_and_recipient(library: Library, heard: Host) -> None:
    said = []
    for muted in (False, True):
        say(heard, muted, "jane@example.org")
        lines, error = send(library, heard, Wanted(subject="Größe" * 9))
        assert error is None and ("DATA" in lines) is not muted
        said.append([line for line in lines if line.startswith(("MAIL", "RCPT"))])
    assert said[0] == said[1] and "RSET" in lines
    assert any("size=" in line.lower() for line in said[0])


@each_library
def test_what_is_too_large_is_refused_for_everybody_alike(library: Library, heard: Host) -> None:
    errors = []
    for muted in (False, True):
        say(heard, muted, "jane@example.org")
        errors.append(send(library, heard, Wanted(text="short\n" * 20_000))[1])
    assert errors[0] is not None and errors[0] == errors[1]
    assert len({email.failure for email in rows()}) == 1


@each_library
def test_the_connection_serves_the_next_one(library: Library, heard: Host, server: Mailbox) -> None:
    say(heard, True, "jane@example.org")
    people = ["jane@example.org", "joan@example.org", "jane@example.org", "bob@example.org"]
    library.send_invitations(heard, [library.invitation(heard, Wanted([person])) for person in people])
    assert [mail.rcpt_to for mail in server.received] == [["joan@example.org"], ["bob@example.org"]]


@each_library
def test_a_recipient_who_is_refused_is_refused_for_everybody_alike(library: Library, make: MakeHost) -> None:
    with smtp_server(RefusesRecipients) as server:
        host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port)
        with host.app.app_context():
            assert alike(library, host, Wanted()).startswith("SMTPRecipientsRefused")


@each_library
def test_a_sender_that_may_not_be_written_fails_for_everybody_or_nobody(library: Library, heard: Host) -> None:
    alike(library, heard, Wanted(sender="té@example.org"))


@each_library
@pytest.mark.parametrize("place", ["subject", "text", "html", "reply_to", "headers"])
def test_what_some_libraries_cannot_write_leaves_or_fails_for_everybody_alike(
    library: Library, place: str, heard: Host
) -> None:
    value = {"headers": {"X-A": "\udcff"}, "reply_to": ("\udcff", "help@example.org")}.get(place, "a \udcff")
    alike(library, heard, Wanted(**{place: value}))  # type: ignore[arg-type]


@each_library
def test_what_cannot_be_serialised_fails_before_its_row_is_written(
    library: Library, heard: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise UnicodeError

    monkeypatch.setattr(BytesGenerator, "flatten", fail)
    with pytest.raises(InvitationError, match="a character that cannot stand there"):
        library.send(heard, library.invitation(heard, Wanted()))
    assert rows() == []


@each_library
def test_a_server_that_is_down_fails_for_everybody_alike(library: Library, make: MakeHost) -> None:
    host = make(MAIL_SERVER="127.0.0.1", MAIL_PORT=free_port())
    with host.app.app_context():
        assert alike(library, host, Wanted()) != ""
        failures = [email.failure for email in rows()]
    assert failures == failures[:1] * 2, "a row with the failure for both, or for neither"


@each_library
def test_a_server_that_hangs_up_after_the_recipient_does_so_for_everybody_alike(
    library: Library, make: MakeHost
) -> None:
    class Ending(Controller):
        def factory(self) -> SMTP:
            return EndsAtText(self.handler)

    with smtp_server(Mailbox, Ending) as server:
        host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port)
        with host.app.app_context():
            assert alike(library, host, Wanted()).startswith("SMTPServerDisconnected")


@each_library
def test_a_server_that_bears_few_resets_takes_many_mails(library: Library, make: MakeHost) -> None:
    class Impatient(Controller):
        def factory(self) -> SMTP:
            return CountsResets(self.handler)

    people = [f"person{number}@example.org" for number in range(40)]
    with smtp_server(Mailbox, Impatient) as server:
        host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port)
        with host.app.app_context():
            for person in people[:35]:
                say(host, True, person)
            LINES.clear()
            library.send_invitations(host, [library.invitation(host, Wanted([person])) for person in people])
    asked = sum(line.startswith("RCPT TO:") for line in LINES)
    assert asked == (40 if library.name in ("Flask-Mail", "Flask-Mailman") else 15), "those can connect anew"
    assert [mail.rcpt_to for mail in server.received] == [[person] for person in people[35:]]


@pytest.mark.parametrize("library", [FlaskMail(), FlaskMailman()], ids=lambda library: library.name)
@pytest.mark.parametrize("muted", [10, 12])
def test_that_no_new_connection_is_had_is_told_alike(library: Library, make: MakeHost, muted: int) -> None:
    people, failed = [f"person{number}@example.org" for number in range(12)], []
    with smtp_server(Mailbox, TakesOne) as server:
        host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port)
        with host.app.app_context():
            for person in people[:muted]:
                say(host, True, person)
            invitations = [library.invitation(host, Wanted([person])) for person in people]
            library.send_invitations(host, invitations, lambda message, error: failed.append(message))
    assert failed == invitations[10:]


@each_library
def test_a_server_that_hangs_up_before_a_mail_does_so_for_everybody_alike(library: Library, make: MakeHost) -> None:
    with smtp_server(HangsUp) as server:
        host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port)
        with host.app.app_context():
            alike(library, host, Wanted(), lambda: setattr(server, "has_hung_up", False))
    assert len(server.received) <= 1, "a library that connects anew hands the mail to a muted person"


class Retrying(EmailBackend):  # type: ignore[misc]
    """A host's own backend, which connects anew when the server has hung up."""

    def send_messages(self, messages: Any) -> Any:
        try:
            return super().send_messages(messages)
        except smtplib.SMTPServerDisconnected:
            self.close()
            return super().send_messages(messages)


class Lazy(BaseEmailBackend):  # type: ignore[misc]
    """A host's own backend, which connects where it sends."""

    connection: smtplib.SMTP | None = None

    def send_messages(self, messages: Any) -> Any:
        self.connection = self.connection or smtplib.SMTP(self.mailman.server, self.mailman.port)
        for message in messages:
            text = message.message().as_bytes(linesep="\r\n")
            self.connection.sendmail("team@example.org", message.recipients(), text)
        return len(messages)

    def close(self) -> None:
        if self.connection:
            self.connection.close()


class ConnectsForEach(Lazy):
    """One that keeps the connection that it has used, and uses another."""

    def send_messages(self, messages: Any) -> Any:
        self.connection = None
        sent = super().send_messages(messages)
        self.close()
        return sent


class Reconnecting(EmailBackend):  # type: ignore[misc]
    """One that does so where it opens a connection that it has lost."""

    def open(self) -> Any:
        try:
            if self.connection is not None:
                self.connection.rset()
        except smtplib.SMTPServerDisconnected:
            self.close()
        return super().open()


class FailsOver(EmailBackend):  # type: ignore[misc]
    """One that tries a second mail server, by a connection of its own."""

    def send_messages(self, messages: Any) -> Any:
        try:
            return super().send_messages(messages)
        except smtplib.SMTPException:
            return EmailBackend(self.host, self.port, mailman=self.mailman).send_messages(messages)


class FailsOverGated(FailsOver):
    """One that does so by a connection of our Mail."""

    def send_messages(self, messages: Any) -> Any:
        try:
            return EmailBackend.send_messages(self, messages)
        except smtplib.SMTPException:
            return Mail(current_app).get_connection().send_messages(messages)


class OnItsOwn(EmailBackend):  # type: ignore[misc]
    """One that has a connection for each message beside the library's."""

    def _send(self, message: Any) -> bool:
        with smtplib.SMTP(self.host, self.port) as smtp:
            smtp.sendmail("team@example.org", message.recipients(), message.message().as_bytes(linesep="\r\n"))
        return True


HANG_UP = [Retrying, Reconnecting, FailsOver, FailsOverGated]


@pytest.mark.parametrize("backend", [*HANG_UP, OnItsOwn, Lazy, ConnectsForEach])
def test_a_backend_that_connects_anew_sends_to_nobody_who_is_muted(make: MakeHost, backend: type[Any]) -> None:
    with smtp_server(HangsUp if backend in HANG_UP else Mailbox) as server:
        host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port)
        with host.app.app_context():
            connection = Mail(host.app).get_connection(backend)
            for muted in (True, False, True):
                say(host, muted, "jane@example.org")
                server.has_hung_up = False  # type: ignore[attr-defined]
                assert connection.send_messages([FlaskMailman().invitation(host, Wanted())]) == 1
            connection.close()
    assert len(server.received) == 1


@each_library
def test_the_server_is_connected_to_alike(library: Library, heard: Host, server: Mailbox) -> None:
    greeted = []
    for muted in (False, True):
        say(heard, muted, "jane@example.org")
        LINES.clear()
        library.send_invitations(heard, [library.invitation(heard, Wanted()) for _ in range(3)])
        greeted.append([line for line in LINES if line.startswith(("EHLO", "HELO", "QUIT"))])
    assert greeted[0] == greeted[1] != []


def test_options_that_the_server_refuses_fail_for_everybody_alike(make: MakeHost, server: Mailbox) -> None:
    host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port, MAIL_SEND_OPTIONS=["NONSENSE=1"])
    with host.app.app_context():
        errors = []
        for muted in (False, True):
            say(host, muted, "jane@example.org")
            errors.append(send(FlaskMailman(), host, Wanted())[1])
            with pytest.raises(smtplib.SMTPException):
                host.mail.send(host.invitation(mail_options=["NONSENSE=1"]))
    assert errors[0] is not None and errors[0] == errors[1]


class Slow(Mailbox):
    """A mail server that takes its time over each recipient."""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        await asyncio.sleep(0.01)
        envelope.rcpt_tos.append(address)
        return "250 OK"


def test_threads_that_share_a_connection_send_to_nobody_who_is_muted_and_to_everybody_else(make: MakeHost) -> None:
    people = [f"{name}{number}@example.org" for number in range(10) for name in ("open", "muted")]
    with smtp_server(Slow) as server:
        host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port)
        with host.app.app_context():
            for person in people[1::2]:
                say(host, True, person)
            connection = Mail(host.app).get_connection()

            def invite(to: str) -> Any:
                with host.app.app_context():
                    return connection.send_messages([FlaskMailman().invitation(host, Wanted([to]))])

            with connection, ThreadPoolExecutor(4) as threads:
                assert list(threads.map(invite, people)) == [1] * len(people)
    assert sorted(mail.rcpt_to for mail in server.received) == [[person] for person in people[::2]]
