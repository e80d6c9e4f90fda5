"""Fail closed: whatever happens to the store, nobody who is muted is invited and no page claims what is not so."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_optout.choices import repository
from tests.support.databases import KINDS, Database
from tests.support.fault_tally import Tally, rehearse
from tests.support.faults import FAULTS, Fault, scene
from tests.support.hosts import Host, Mailbox, dispose, make_host, say

CASES = [(kind, fault) for kind in KINDS for fault in FAULTS if kind in fault.kinds]


@pytest.mark.long
@pytest.mark.parametrize(
    ("database", "fault"), CASES, ids=[f"{kind}: {fault.name}" for kind, fault in CASES], indirect=["database"]
)
def test_nobody_muted_is_invited_and_no_page_claims_what_is_not_so(
    fault: Fault, database: Database, smtp: Mailbox, tmp_path: Path
) -> None:
    tally = Tally()
    with scene(database, smtp, tmp_path) as stage:
        rehearse(stage, fault, tally)
    assert (tally.muted_invited, tally.false_pages, tally.lost, tally.plain_lost) == (0, 0, 0, 0)
    assert fault.sends is None or tally.sent == [fault.sends]
    assert fault.presses is None or tally.recorded == [fault.presses]


def test_a_snapshot_that_the_host_holds_does_not_hide_a_mute(
    database: Database, smtp: Mailbox, tmp_path: Path
) -> None:
    with scene(database, smtp, tmp_path) as stage, stage.host.app.app_context():
        host = stage.host
        if database.kind == "postgresql":
            host.db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        count = sa.text("SELECT count(*) FROM optout_choice")
        assert host.db.session.scalar(count) == 0
        other = make_host(tmp_path, SQLALCHEMY_DATABASE_URI=database.uri)
        with other.app.app_context():
            say(other, True, to="jane@example.org")
        dispose(other)
        host.mail.send(host.invitation())
        assert smtp.received == []
        if database.kind != "sqlite":
            assert host.db.session.scalar(count) == 0, "the host still sees its old snapshot"
        host.db.session.rollback()


def test_a_replica_that_lags_is_not_asked(smtp: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's session reads a replica; the gate reads where choices are written."""
    replica = tmp_path / "replica.db"
    host = make_host(
        tmp_path,
        SQLALCHEMY_BINDS={"replica": f"sqlite:///{replica}"},
        MAIL_SERVER=smtp.host,
        MAIL_PORT=smtp.port,
    )
    with host.app.app_context():
        for table in host.db.metadata.sorted_tables:
            table.create(host.db.engines["replica"])
        engine = host.db.engines["replica"]
        monkeypatch.setattr(host.db.session(), "get_bind", lambda *args, **kwargs: engine)
        say(host, True, to="jane@example.org")
        assert host.db.session.scalar(sa.text("SELECT count(*) FROM optout_choice")) == 0
        host.mail.send(host.invitation())
        assert smtp.received == []
        host.db.session.rollback()
    dispose(host)


@pytest.mark.parametrize("days", [-1, 1])
def test_clocks_that_differ_by_a_day_change_nothing(host: Host, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    say(host, True)
    other_day = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days)
    monkeypatch.setattr(repository, "today", lambda: other_day)
    say(host, False)
    assert host.optout.may_invite("jane@x.org", "beta-42")
    say(host, True)
    assert not host.optout.may_invite("jane@x.org", "beta-42")


def test_a_page_that_cannot_be_answered_says_when_to_try_again(host: Host) -> None:
    path = host.path()
    host.db.drop_all()
    for method in ("GET", "POST"):
        answer = host.app.test_client().open(path, method=method, data={"choice": "mute"})
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
        assert "Nothing changed." in answer.text and "@example.org" not in answer.text


def test_a_mute_between_two_tries_of_one_message_is_obeyed(host: Host, smtp: Mailbox) -> None:
    invitation = host.invitation()
    host.mail.send(invitation)
    say(host, True, to="jane@example.org")
    host.mail.send(invitation)
    assert len(smtp.received) == 1


def test_a_mute_that_commits_before_the_hand_off_begins_is_obeyed(host: Host, smtp: Mailbox) -> None:
    """Everything that takes time, such as connecting and composing, comes before the choice is read."""
    with host.mail.connect() as connection:
        say(host, True, to="jane@example.org")
        connection.send(host.invitation())
    assert smtp.received == []


def test_case_is_kept_apart_whatever_the_collation(database: Database, tmp_path: Path) -> None:
    """Digests are bytes: a collation that folds case folds no two of them into one."""
    host = make_host(tmp_path, SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        say(host, True, to="jane@x.org", opportunity="beta")
        assert host.optout.may_invite("jane@x.org", "BETA")
        assert not host.optout.may_invite("JANE@X.ORG", "beta")
        assert host.optout.may_invite("ja\u0301ne@x.org", "beta")
    dispose(host)
