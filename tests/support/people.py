"""People who were invited, the commands about them, and whom the Email Log holds."""

from __future__ import annotations

import sqlalchemy as sa

from tests.support.hosts import Host

PEOPLE = ["jane@example.org", "jane+2@example.org", "bob@example.org"]


def run(host: Host, *arguments: str, given: str = "") -> tuple[int, str]:
    result = host.app.test_cli_runner().invoke(args=["optout", *arguments], input=given)
    return result.exit_code, result.output


def invite(host: Host) -> None:
    for person in PEOPLE:
        for opportunity in ("beta-42", "study-7"):
            host.mail.send(host.invitation(person, opportunity))


def kept(host: Host) -> list[str]:
    with host.db.engine.connect() as connection:
        return sorted(set(connection.scalars(sa.text("SELECT mailbox FROM optout_email_log"))))
