"""What hosts write into invitations, and what becomes of it: long lines, lazy strings, other scripts, bad headers."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from flask_babel import Babel, lazy_gettext

from flask_optout import AddressError, OptOutError
from flask_optout.mailers import flask_mail as gated_mail
from flask_optout.mailers import flask_mailman as gated_mailman
from tests.conftest import MakeHost
from tests.support.adapters import LIBRARIES, each_library
from tests.support.email_log import rows
from tests.support.hosts import Host, Mailbox, free_port, say
from tests.support.library import Library, Wanted, over_smtp, password

pytestmark = pytest.mark.long


def send(library: Library, host: Host, smtp: Mailbox, wanted: Wanted) -> list[bytes]:
    return over_smtp(library.send)(host, smtp, [library.invitation(host, wanted)])


@each_library
@pytest.mark.parametrize("size", [60, 100, 700, 880, 990, 998, 999, 5_000, 200_000])
@pytest.mark.parametrize("letter", ["x", "ä"])
def test_no_line_is_longer_than_a_mail_server_takes(
    library: Library, size: int, letter: str, host: Host, smtp: Mailbox
) -> None:
    html = f"<html><body>{letter * (size // len(letter.encode()))}</body></html>"
    [raw] = send(library, host, smtp, Wanted(html=html, text=letter * size))
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    text, arrived = (smtp.received[0].part(kind).replace("\r\n", "\n") for kind in ("plain", "html"))
    before, footer, _ = arrived.partition("\n<table ")
    assert footer and before + "</body></html>" == html
    assert text.startswith(f"{letter * size}\n")


INJECTIONS = {
    "Q": "=?utf-8?q?a=0d=0aBcc:_x@example.org?=",
    "B": "=?utf-8?b?YQ0KQmNjOiB4QGV4YW1wbGUub3Jn?=",
    "capitals": "=?UTF-8?Q?a=0D=0ABcc:_x@example.org?=",
    "a language": "=?utf-8*en?q?a=0aBcc:_x@example.org?=",
    "another charset": "=?iso-8859-1?q?a=0dBcc:_x@example.org?=",
    "UTF-7": "=?utf-7?q?a+AA0ACg-Bcc:_x@example.org?=",
    "UTF-16": "=?utf-16-le?b?YQANAAoAQgBjAGMAOgA=?=",
    "an unknown charset": "=?nonsense?q?a=0aBcc:_x@example.org?=",
    "in the middle": "Join =?utf-8?q?us=0a?= now",
    "twice encoded": "=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3D0aBcc=3A_x=3F=3D?=",
    "NUL": "=?utf-8?q?a=00b?=",
    "a line separator": "=?utf-8?q?a=E2=80=A8Bcc:_x@example.org?=",
    "a bare line separator": "a\u2028Bcc: x@example.org",
    "a bare next line": "a\x85Bcc: x@example.org",
}


@each_library
@pytest.mark.parametrize("row", INJECTIONS)
@pytest.mark.parametrize("place", ["subject", "header", "name"])
def test_a_value_that_hides_a_line_break_is_refused(
    library: Library, row: str, place: str, host: Host, smtp: Mailbox
) -> None:
    value = INJECTIONS[row]
    wanted = {
        "subject": Wanted(subject=value),
        "header": Wanted(headers={"X-A": value}),
        "name": Wanted([(value, "jane@example.org")]),
    }[place]
    with pytest.raises((OptOutError, ValueError)):
        send(library, host, smtp, wanted)
    assert (smtp.received, rows()) == ([], [])


@pytest.mark.parametrize("value", ["=?utf-8?q?J=C3=A4?=", "1 =? 2", "=?=", "=?x?", "a=?utf-8?q?b?=c"])
def test_a_value_that_hides_nothing_is_left_as_it_is(host: Host, smtp: Mailbox, value: str) -> None:
    host.mail.send(host.invitation(extra_headers={"X-A": value}))
    assert f"X-A: {value}\r\n".encode() in smtp.received[0].raw


def lazy_invitations(host: Host, text: Any) -> Iterator[Any]:
    args: dict[str, Any] = {"opportunity": "beta-42", "body": text}
    yield gated_mail.Invitation(text, [(text, "jane@example.org")], html=text, **args)
    gated_mailman.Mail(host.app)
    mail = gated_mailman.Invitation(text, to=["jane@example.org"], **args)
    mail.attach_alternative(text, "text/html")
    yield mail


def test_lazy_strings_are_texts(host: Host, smtp: Mailbox) -> None:
    Babel(host.app)
    flask, mailman = lazy_invitations(host, lazy_gettext("Grüße"))
    host.mail.send(flask)
    mailman.send()
    for mail in smtp.received:
        assert mail.message["Subject"] == "Grüße"
        assert all(mail.part(kind).splitlines()[0] == "Grüße" for kind in ("plain", "html"))


@pytest.fixture
def smtputf8() -> Iterator[Mailbox]:
    mailbox = Mailbox(port=free_port())
    server = Controller(mailbox, hostname=mailbox.host, port=mailbox.port, enable_SMTPUTF8=True)
    server.start()
    yield mailbox
    server.stop()


@pytest.mark.parametrize("to", ["josé@example.org", "用户@example.org", "josé@straße.de"])
@each_library
def test_an_address_in_another_script_is_delivered_or_refused_by_name(
    library: Library, to: str, make: MakeHost, smtputf8: Mailbox
) -> None:
    host = make(MAIL_SERVER=smtputf8.host, MAIL_PORT=smtputf8.port)
    with host.app.app_context():
        if library.smtputf8:
            send(library, host, smtputf8, Wanted([to]))
            assert smtputf8.received[0].rcpt_to == [to.replace("straße", "xn--strae-oqa")]
            say(host, True, to)
            assert send(library, host, smtputf8, Wanted([to])) == []
        else:
            with pytest.raises(AddressError, match="SMTPUTF8"):
                send(library, host, smtputf8, Wanted([to]))


@pytest.mark.parametrize("muted", [False, True])
@each_library
def test_without_smtputf8_it_fails_for_everybody_alike(
    library: Library, muted: bool, host: Host, smtp: Mailbox
) -> None:
    say(host, muted, "josé@example.org")
    with pytest.raises(smtplib.SMTPNotSupportedError if library.smtputf8 else AddressError):
        send(library, host, smtp, Wanted(["josé@example.org"]))


@each_library
def test_an_ordinary_message_with_a_candidates_link_is_warned_about_once(
    library: Library, host: Host, smtp: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    library.send(host, library.ordinary(host, password(text="No link.")))
    assert caplog.records == []
    link = host.optout.link("jane@example.org", "beta-42")
    for _ in range(2):
        library.send(host, library.ordinary(host, password(text=f"Here: {link}")))
    [record] = caplog.records
    assert "Invitation" in record.getMessage() and "jane" not in record.getMessage()
    assert len(smtp.received) == 3


@pytest.mark.adapter
@pytest.mark.parametrize(
    "library", [library for library in LIBRARIES if library.works_without_optout], ids=lambda it: it.name
)
@pytest.mark.parametrize("context", [True, False], ids=["in an app context", "outside"])
def test_ordinary_mail_needs_nothing_of_ours(library: Library, context: bool, make: MakeHost, smtp: Mailbox) -> None:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        message = library.ordinary(host, password())
    del host.app.extensions["optout"]
    outcomes = []
    with host.app.app_context() if context else nullcontext():
        for send in (library.send, library.send_ungated):
            smtp.received.clear()
            try:
                send(host, message)
                error = None
            except RuntimeError as caught:  # some libraries work in an app context alone
                error = str(caught)
            outcomes.append((len(smtp.received), error))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0] == (1, None) or not context


def test_the_connection_counts_and_reconnects_alike(make: MakeHost, smtp: Mailbox) -> None:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, MAIL_MAX_EMAILS=2)
    with host.app.app_context():
        for muted in (False, True):
            say(host, muted, "jane@example.org")
            counts, connections = [], []
            with host.mail.connect() as connection:
                for _ in range(5):
                    connection.send(host.invitation())
                    counts.append(connection.num_emails)
                    connections.append(connection.host)
            assert counts == [1, 0, 1, 0, 1]
            assert [one is two for one, two in zip(connections, connections[1:], strict=False)] == [False, True] * 2


def test_a_suppressed_connection_counts_alike(make: MakeHost) -> None:
    host = make(MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        for muted in (False, True):
            say(host, muted, "jane@example.org")
            with host.mail.connect() as connection:
                connection.send(host.invitation())
                assert connection.num_emails == 1
