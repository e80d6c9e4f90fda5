"""The host's transaction is the host's: we neither wait for it, nor end it, nor lose anything by it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Response

from flask_optout.email_log.records import Criteria
from flask_optout.wiring import current_state
from tests.conftest import MakeHost, missing
from tests.support.databases import NoServer, database_of
from tests.support.hosts import Host, Mailbox, dispose, say, smtp_server

JANE = ("jane@x.org", "beta-42")
visits = sa.Table("visit", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))


def emit_begin(engine: sa.Engine) -> None:
    """A recipe of SQLAlchemy's manual that many hosts have installed."""

    @sa.event.listens_for(engine, "connect")
    def no_implicit_begin(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    engine.dispose()


def write_ahead(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")


SQLITE = {
    "SQLite": [],
    "SQLite, a host that emits BEGIN": [emit_begin],
    "SQLite, write-ahead log": [write_ahead],
    "SQLite, write-ahead log, a host that emits BEGIN": [write_ahead, emit_begin],
}


@pytest.fixture(
    params=[pytest.param(recipes, id=n, marks=pytest.mark.walked("Transaction", n)) for n, recipes in SQLITE.items()]
)
def host(request: pytest.FixtureRequest, make: MakeHost, smtp: Mailbox) -> Host:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        visits.create(host.db.engine)
        for recipe in request.param:
            recipe(host.db.engine)
    return host


@contextmanager
def at_once() -> Iterator[None]:
    """A write that waited for the host's lock would take five seconds and fail."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 2


def write(host: Host) -> None:
    host.db.session.execute(visits.insert().values(id=1))


def look(host: Host) -> None:
    host.db.session.execute(sa.select(visits)).all()


def logged(host: Host) -> list[tuple[str, str | None]]:
    page = current_state().email_log.search(Criteria())
    return [(entry.recipient, entry.failure) for entry in page.entries]


def visited(host: Host) -> bool:
    with host.db.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(visits)) == 1


@pytest.mark.parametrize("before", [write, look])
def test_a_send_in_the_hosts_transaction_leaves_at_once(
    host: Host, smtp: Mailbox, before: Callable[[Host], None]
) -> None:
    with host.app.app_context(), at_once():
        say(host, True, "bob@x.org")
        before(host)
        host.mail.send(host.invitation())
        host.mail.send(host.invitation("bob@x.org"))
        host.db.session.rollback()
        assert [mail.rcpt_to for mail in smtp.received] == [["jane@example.org"]]
        assert not visited(host)
        assert logged(host) == [("bob@x.org", None), ("jane@example.org", None)]


class Refusing(Mailbox):
    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        return "550 nobody of this name"


@pytest.mark.parametrize("end", ["commit", "rollback", "remove"])
def test_a_send_that_fails_there_is_logged_with_its_reason(host: Host, end: str) -> None:
    with smtp_server(Refusing) as smtp, host.app.app_context(), at_once():
        host.app.extensions["mail"].port = smtp.port
        write(host)
        with pytest.raises(SMTPRecipientsRefused):
            host.mail.send(host.invitation())
        getattr(host.db.session, end)()
        assert logged(host) == [("jane@example.org", "SMTPRecipientsRefused 550")]


@pytest.mark.parametrize("before", [write, look])
@pytest.mark.parametrize("end", ["commit", "rollback", "close", "remove"])
def test_a_mute_in_the_hosts_transaction_stays_whatever_becomes_of_that(
    host: Host, before: Callable[[Host], None], end: str
) -> None:
    with host.app.app_context(), at_once():
        before(host)
        say(host, True, *JANE)
        assert not host.optout.may_invite(*JANE)
        assert not visited(host)
        getattr(host.db.session, end)()
        assert not host.optout.may_invite(*JANE)
        assert visited(host) is (before is write and end == "commit")


def test_nor_does_a_savepoint_of_the_hosts_undo_it(host: Host) -> None:
    with host.app.app_context(), at_once():
        write(host)
        with pytest.raises(ZeroDivisionError), host.db.session.begin_nested():
            say(host, True, *JANE)
            _ = 1 / 0
        host.db.session.commit()
        assert visited(host)
        assert not host.optout.may_invite(*JANE)


def test_what_was_undone_after_the_mute_stays_undone(host: Host) -> None:
    with host.app.app_context(), at_once():
        write(host)
        say(host, True, *JANE)
        say(host, False, *JANE)
        host.db.session.rollback()
        assert host.optout.may_invite(*JANE)


def test_a_commit_settles_it(host: Host) -> None:
    with host.app.app_context(), at_once():
        write(host)
        say(host, True, *JANE)
        host.db.session.commit()
        say(host, False, *JANE)
        look(host)
        host.db.session.rollback()
        assert host.optout.may_invite(*JANE)


@pytest.mark.parametrize("end", ["commit", "rollback", None])
@pytest.mark.parametrize("htmx", [True, False])
def test_a_press_in_a_request_in_which_the_host_has_written(host: Host, end: str | None, htmx: bool) -> None:
    @host.app.before_request
    def count() -> None:
        write(host)

    @host.app.after_request
    def finish(response: Response) -> Response:
        if end is not None:
            getattr(host.db.session, end)()
        return response

    with host.app.app_context():
        path = host.path()
    with at_once():
        status, page = host.press(path, "mute", htmx)
        assert status == (200 if htmx else 303)
        assert ("I&#39;ve changed my mind." in page) is htmx
    with host.app.app_context():
        assert not host.optout.may_invite("jane@example.org", "beta-42")
        assert visited(host) is (end == "commit")


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.walked("Transaction", "PostgreSQL")),
        pytest.param("mariadb", marks=pytest.mark.walked("Transaction", "MariaDB")),
    ],
)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_on_a_database_server_we_write_beside_it(kind: str, end: str, make: MakeHost, tmp_path: Path) -> None:
    try:
        with database_of(kind, tmp_path) as database:
            host = make(SQLALCHEMY_DATABASE_URI=database.uri)
            with host.app.app_context(), at_once():
                visits.create(host.db.engine)
                write(host)
                say(host, True, *JANE)
                getattr(host.db.session, end)()
                assert not host.optout.may_invite(*JANE)
                assert visited(host) is (end == "commit")
            dispose(host)
    except NoServer as error:
        missing(kind, str(error))
