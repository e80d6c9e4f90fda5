"""Invitations over one open SMTP connection, beside Flask-Mail alone sending the same text to the same server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import flask_mail

from flask_optout.addresses import parse
from flask_optout.invitations.compose import Draft
from flask_optout.mailers.flask_mail import Invitation
from flask_optout.wiring import current_state
from tests.support.hosts import Host, free_port

from .harness import Row, interleave
from .hosting import hosted, on_each_database, started
from .served import OPPORTUNITY

ROUNDS = 7
TEXT = "Come and try it.\n" * 20


@contextmanager
def sink() -> Iterator[int]:
    """A mail server in a process of its own that forgets what it takes; gives its port."""
    port = free_port()
    handler = [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", "-c", "aiosmtpd.handlers.Sink"]
    with started(subprocess.Popen(handler, stderr=subprocess.DEVNULL), port):
        yield port


class Sending:
    """The same letter to as many people, in three ways."""

    def __init__(self, host: Host, number: int) -> None:
        self._host = host
        self._people = [f"person{n}@example{n % 50}.org" for n in range(number)]
        [letter] = current_state().gate.letters(self._draft("jane@example.org"))
        self._text = letter.text

    @staticmethod
    def _draft(person: str) -> Draft:
        return Draft([person], OPPORTUNITY, "Join us", TEXT, None, "team@example.org")

    def plain(self) -> None:
        self._each(lambda person: None)

    def gated(self) -> None:
        """With a look at the choice of each, and no more."""
        choices = current_state().choices
        self._each(lambda person: choices.muted(parse(person), OPPORTUNITY))

    def _each(self, ask: Callable[[str], object]) -> None:
        with flask_mail.Connection(self._host.app.extensions["mail"]) as connection:
            for person in self._people:
                ask(person)
                connection.send(flask_mail.Message("Join us", [person], self._text))

    def one_by_one(self) -> None:
        with self._host.mail.connect() as connection:
            for person in self._people:
                connection.send(Invitation("Join us", [person], TEXT, opportunity=OPPORTUNITY))

    def invited(self) -> None:
        self._host.mail.send_invitations(
            Invitation("Join us", [person], TEXT, opportunity=OPPORTUNITY) for person in self._people
        )


def measure(kind: str, number: int) -> Iterator[Row]:
    with sink() as port, hosted(kind, MAIL_SERVER="127.0.0.1", MAIL_PORT=port) as host:
        sending = Sending(host, number)
        ways = {
            "plain": sending.plain,
            "gated": sending.gated,
            "one": sending.one_by_one,
            "invited": sending.invited,
        }
        times = interleave(ways, ROUNDS)
    against = "Flask-Mail alone, the same text"
    for path, name, most in (
        ("gate, per message", "gated", 1.4),
        ("links, gate and Email Log, one by one", "one", 1.8),
        ("links, gate and Email Log, in bulk", "invited", 1.5),
    ):
        ours, plain = (times.seconds(which) / number * 1e6 for which in (name, "plain"))
        note = f"{ours:.0f} µs a message, Flask-Mail alone {plain:.0f}"
        yield Row(f"{kind}: {path}", against, times.ratio(name, "plain"), most=most, note=note)


def rows(full: bool) -> Iterator[Row]:
    number = 1_000 if full else 100
    yield from on_each_database("sending", lambda kind: measure(kind, number))
