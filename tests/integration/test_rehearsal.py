"""To a mail server, and so to the sender, an invitation to a muted person is any other, up to its text."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from tests.conftest import MakeHost
from tests.support.adapters import LIBRARIES
from tests.support.email_log import rows
from tests.support.hosts import Host, Mailbox, free_port, say
from tests.support.library import Library, Wanted

each_library = pytest.mark.parametrize("library", LIBRARIES[:3], ids=lambda library: library.name)
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


def send(library: Library, host: Host, server: Mailbox, wanted: Wanted) -> tuple[list[str], str | None]:
    """What the server heard, and the error."""
    LINES.clear()
    error = None
    try:
        next(iter(library.ways.values()))(host, server, [library.invitation(wanted)])
    except smtplib.SMTPException as caught:
        error = f"{type(caught).__name__} {caught}"
    return [line for line in LINES if re.match("MAIL |RCPT |RSET|DATA", line) and "aiosmtpd" not in line], error


@each_library
def test_the_server_hears_the_same_size_options_and_recipient(library: Library, heard: Host, server: Mailbox) -> None:
    (one, none), two = send(library, heard, server, Wanted(subject="Größe" * 9)), None
    say(heard, True, "jane@example.org")
    two, neither = send(library, heard, server, Wanted(subject="Größe" * 9))
    assert none is neither is None
    assert any("size=" in line.lower() for line in one if line.startswith("MAIL"))
    assert [line for line in two if line.startswith(("MAIL", "RCPT"))] == [
        line for line in one if line.startswith(("MAIL", "RCPT"))
    ]
    assert "DATA" in one and "DATA" not in two and "RSET" in two


@each_library
def test_what_is_too_large_is_refused_for_everybody_alike(library: Library, heard: Host, server: Mailbox) -> None:
    errors = []
    for muted in (False, True):
        say(heard, muted, "jane@example.org")
        errors.append(send(library, heard, server, Wanted(text="short\n" * 20_000))[1])
    assert errors[0] is not None and errors[0] == errors[1]
    assert len({email.failure for email in rows()}) == 1


@each_library
def test_the_connection_serves_the_next_one(library: Library, heard: Host, server: Mailbox) -> None:
    say(heard, True, "jane@example.org")
    people = ["jane@example.org", "joan@example.org", "jane@example.org", "bob@example.org"]
    invitations = [library.invitation(Wanted([person])) for person in people]
    next(iter(library.ways.values()))(heard, server, invitations)
    assert [mail.rcpt_to for mail in server.received] == [["joan@example.org"], ["bob@example.org"]]


def test_options_that_the_server_refuses_fail_for_everybody_alike(make: MakeHost, server: Mailbox) -> None:
    host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port, MAIL_SEND_OPTIONS=["NONSENSE=1"])
    with host.app.app_context():
        errors = []
        for muted in (False, True):
            say(host, muted, "jane@example.org")
            errors.append(send(LIBRARIES[1], host, server, Wanted())[1])
            with pytest.raises(smtplib.SMTPException):
                host.mail.send(host.invitation(mail_options=["NONSENSE=1"]))
    assert errors[0] is not None and errors[0] == errors[1]
