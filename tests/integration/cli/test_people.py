"""What the Email Log holds of one person can be erased from each kind of database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import Host, dispose, say

pytestmark = pytest.mark.usefixtures("minutes_over")

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


def test_one_person_is_erased_and_their_choice_stands(make: MakeHost, database: Database) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri, MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        invite(host)
        say(host, True, to="jane@example.org")
        code, output = run(host, "erase", "jane@example.org", given="y\n")
        assert code == 0 and output.endswith("Removed 2 invitations and 0 that were sent again.\n")
        assert kept(host) == ["bob@example.org", "jane+2@example.org"]
        assert not host.optout.may_invite("jane@example.org", "beta-42")
        dispose(host)
