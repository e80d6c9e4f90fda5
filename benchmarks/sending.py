"""Invitations over one SMTP connection, compared with Flask-Mail alone sending the same text to the same server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import flask_mail

from flask_optout.addresses import parse
from flask_optout.invitations.compose import Draft
from flask_optout.mailers.flask_mail import Invitation
from flask_optout.wiring import current_state
from tests.support.hosts import Host, free_port

from .harness import Row, interleave
from .hosting import KINDS, SQLITE, WAL, hosted, on_databases, started
from .served import OPPORTUNITY

ROUNDS = 7
TEXT = "Come and try it.\n" * 20
#: What each way is called, what it means, and what was asked of it on each database.
WAYS: dict[str, tuple[str, dict[str, float]]] = {
    "gated": ("gate alone, per call", {SQLITE: 1.2, "PostgreSQL": 1.4, "MariaDB": 1.4}),
    "one by one": ("`connection.send` in a loop", {WAL: 1.8, "PostgreSQL": 1.7}),
    "in bulk": ("`send_invitations`", {SQLITE: 1.4, WAL: 1.4, "PostgreSQL": 1.5, "MariaDB": 1.5}),
}


@contextmanager
def sink() -> Iterator[int]:
    """A mail server in a process of its own that forgets what it takes; gives its port."""
    port = free_port()
    handler = [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", "-c", "aiosmtpd.handlers.Sink"]
    with started(subprocess.Popen(handler, stderr=subprocess.DEVNULL), port):
        yield port


class Sending:
    """The same letter to as many people, in several ways."""

    def __init__(self, host: Host, number: int) -> None:
        self._host = host
        self._people = [f"person{n}@example{n % 50}.org" for n in range(number)]
        draft = Draft(["jane@example.org"], OPPORTUNITY, "Join us", TEXT, None, "team@example.org")
        letter = current_state().composer.compose(draft)
        self._text = letter.text

    def plain(self) -> None:
        with flask_mail.Connection(self._host.app.extensions["mail"]) as connection:
            for person in self._people:
                connection.send(flask_mail.Message("Join us", [person], self._text))

    def gated(self) -> None:
        """With a look at the choice of each, and no more."""
        muted = current_state().choices.is_muted
        with flask_mail.Connection(self._host.app.extensions["mail"]) as connection:
            for person in self._people:
                assert not muted(parse(person), OPPORTUNITY)
                connection.send(flask_mail.Message("Join us", [person], self._text))

    def one_by_one(self) -> None:
        with self._host.mail.connect() as connection:
            for invitation in self._invitations():
                connection.send(invitation)

    def in_bulk(self) -> None:
        self._host.mail.send_invitations(self._invitations())

    def _invitations(self) -> Iterator[Invitation]:
        return (Invitation("Join us", [person], TEXT, opportunity=OPPORTUNITY) for person in self._people)


def measure(kind: str, number: int) -> Iterator[Row]:
    with sink() as port, hosted(kind, MAIL_SERVER="127.0.0.1", MAIL_PORT=port) as host:
        sending = Sending(host, number)
        ways = {"gated": sending.gated, "one by one": sending.one_by_one, "in bulk": sending.in_bulk}
        wanted = {name: way for name, way in ways.items() if kind in WAYS[name][1]}
        times = interleave({"plain": sending.plain, **wanted}, ROUNDS)
    for name in wanted:
        path, bounds = WAYS[name]
        ours, plain = (times.seconds(which) / number * 1e6 for which in (name, "plain"))
        note = f"A message takes {ours:.0f} µs, the same text without us {plain:.0f} µs."
        ratio = times.ratio(name, "plain")
        yield Row(f"{kind}: {path}", "Flask-Mail alone", ratio, most=bounds[kind], note=note)


def rows(full: bool) -> Iterator[Row]:
    number = 500 if full else 60
    yield from on_databases("sending", KINDS, lambda kind: measure(kind, number))
