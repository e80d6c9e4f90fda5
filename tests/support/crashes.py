"""A process that presses and sends, killed at a marked point, and the one that is started after it.

``python -m tests.support.crashes FOLDER URI PORT ROUNDS`` prints one line of JSON for each round. It forks for each
of them from a process without threads, so a round costs no start of Python.
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import Flask

from flask_optout.addresses import parse
from flask_optout.choices import repository as choices
from flask_optout.choices import store
from flask_optout.invitations import compose
from flask_optout.links import tokens
from flask_optout.wiring import current_state
from tests.support.hosts import Host, make_host


class Mark(NamedTuple):
    """Just before or just after the first call of a function."""

    name: str
    owner: Any
    function: str
    before: bool


MARKS = [
    Mark("mute: before the link is read", tokens.Tokens, "read", True),
    Mark("mute: before the transaction", store.Store, "write", True),
    Mark("mute: after the row is written", choices, "upsert", False),
    Mark("mute: before the commit", sa.Transaction, "commit", True),
    Mark("mute: after the commit", sa.Transaction, "commit", False),
    Mark("mute: before the answer leaves", Flask, "finalize_request", False),
    Mark("send: before the letter is written", compose.Composer, "compose", True),
    Mark("send: before the choice is read", choices.Choices, "build_parameters", True),
    Mark("send: after the choice is read", choices.Choices, "parse_rows", False),
    Mark("send: before the message is handed off", smtplib.SMTP, "data", True),
    Mark("send: after the message is handed off", smtplib.SMTP, "data", False),
]


def arm(mark: Mark) -> None:
    """Make the process kill itself at the mark."""
    original: Callable[..., Any] = getattr(mark.owner, mark.function)

    def killing(*args: Any, **kwargs: Any) -> Any:
        if not mark.before:
            original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(mark.owner, mark.function, killing)


def doomed(host: Host, person: str, mark: Mark, pipe: int) -> None:
    """Press, tell that the answer came, send: to the one who pressed and to somebody else."""
    with host.app.app_context():
        path = host.path(person)
        if mark.name.startswith("mute"):
            arm(mark)
        status, _ = host.press(path, "mute")
        os.write(pipe, str(status).encode())
        if mark.name.startswith("send"):
            arm(mark)
        for who in (person, f"other.{person}"):
            host.mail.send(host.invitation(who))


def restarted(host: Host, person: str, pipe: int) -> None:
    """Look what is stored, and send what may not have been sent."""
    with host.app.app_context():
        mark = current_state().key.mark(parse(person), "beta-42")
        table = host.db.metadata.tables["optout_choice"]
        with host.db.engine.connect() as connection:
            rows = connection.execute(sa.select(table).where(table.c.digest == mark.digest)).all()
        muted = not host.optout.may_invite(person, "beta-42")
        host.mail.send(host.invitation(person))
        os.write(pipe, json.dumps({"muted": muted, "rows": len(rows)}).encode())


def in_child(work: Callable[[int], None]) -> tuple[bool, bytes]:
    """Whether the child was killed, and what it wrote."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(sink)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(sink)
    with os.fdopen(source, "rb") as file:
        written = file.read()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("A child failed.")
    return os.WIFSIGNALED(status), written


def main(folder: str, uri: str, port: str, rounds: str) -> None:
    def host() -> Host:
        return make_host(Path(folder), SQLALCHEMY_DATABASE_URI=uri, MAIL_SERVER="127.0.0.1", MAIL_PORT=int(port))

    sa.make_url(uri).get_dialect().import_dbapi()
    for number in range(int(rounds)):
        mark, person = MARKS[number % len(MARKS)], f"person{number}@example.org"
        killed, said = in_child(lambda pipe, mark=mark, person=person: doomed(host(), person, mark, pipe))  # type: ignore[misc]
        _, found = in_child(lambda pipe, person=person: restarted(host(), person, pipe))  # type: ignore[misc]
        report = {"mark": mark.name, "person": person, "killed": killed, "said": said.decode(), **json.loads(found)}
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
