"""What the Email Log holds of one person can be erased from each kind of database."""

from __future__ import annotations

import pytest

from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import dispose, say
from tests.support.people import invite, kept, run

pytestmark = pytest.mark.usefixtures("minutes_over")


def test_one_person_is_erased_and_their_choice_stands(make: MakeHost, database: Database) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri, MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        invite(host)
        say(host, True, to="jane@example.org")
        code, output = run(host, "erase", "jane@example.org", given="y\n")
        assert code == 0 and output.endswith("\nIt is removed.\n")
        assert output.startswith("Of this person the Email Log holds 2 invitations.\n")
        assert kept(host) == ["bob@example.org", "jane+2@example.org"]
        assert not host.optout.may_invite("jane@example.org", "beta-42")
        dispose(host)
