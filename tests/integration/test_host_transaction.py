"""The host's transaction is the host's: we do not end it, lose nothing of it, and let it take no choice along."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, Response
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy_lite import SQLAlchemy as Lite

from flask_optout import OptOut, StoreUnavailable
from flask_optout.addresses import parse
from flask_optout.email_log.search import Criteria
from flask_optout.mailers.flask_mail import Mail
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.host_engines import emit_begin, write_ahead
from tests.support.hosts import BASE_URL, KEY, Host, Mailbox, dispose, say, smtp_server

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("minutes_over")]

JANE = ("jane@x.org", "beta-42")
visits = sa.Table("visit", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))


IN_MEMORY = {
    "in memory, Flask-SQLAlchemy": SQLAlchemy,
    "in memory, Flask-SQLAlchemy-Lite": Lite,
}
FILES: dict[str, list[Callable[[sa.Engine], None]]] = {
    "SQLite": [],
    "SQLite, a host that emits BEGIN": [emit_begin],
    "SQLite, write-ahead log": [write_ahead],
    "SQLite, write-ahead log, a host that emits BEGIN": [write_ahead, emit_begin],
}


def in_memory(kind: type[Any], smtp: Mailbox) -> Host:
    app = Flask("host")
    app.config.update(SECRET_KEY=KEY, OPTOUT_BASE_URL=BASE_URL, MAIL_DEFAULT_SENDER="team@example.org")
    app.config.update(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    metadata = sa.MetaData()
    if kind is SQLAlchemy:
        app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
        db: Any = SQLAlchemy(app, metadata=metadata)
    else:
        app.config["SQLALCHEMY_ENGINES"] = {"default": "sqlite://"}
        db = Lite(app)
    optout = OptOut(db, app, metadata=metadata)
    with app.app_context():
        metadata.create_all(db.engine)
    return Host(app, db, optout, Mail(app))


def named(names: Any) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.walked("Transaction", name)) for name in names]


@pytest.fixture(params=named([*FILES, *IN_MEMORY]))
def host(request: pytest.FixtureRequest, make: MakeHost, smtp: Mailbox) -> Iterator[Host]:
    name = request.param
    if name in IN_MEMORY:
        host = in_memory(IN_MEMORY[name], smtp)
    else:
        host = make(
            MAIL_SERVER=smtp.host,
            MAIL_PORT=smtp.port,
            SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 0.3}},
        )
    host.app.config["KIND"] = name
    with host.app.app_context():
        visits.create(host.db.engine)
        for recipe in FILES.get(name, []):
            recipe(host.db.engine)
        say(host, True, "muted@x.org")  # so that the store has its data key
        yield host
        host.db.session.close()
        host.db.engine.dispose()


def write(host: Host) -> None:
    host.db.session.execute(visits.insert().values(id=1))


def look(host: Host) -> None:
    host.db.session.execute(sa.select(visits)).all()


def end(host: Host, how: str) -> None:
    getattr(host.db.session, how)()


def logged(host: Host) -> list[tuple[str, str | None]]:
    found = current_state().search.find(Criteria()).entries
    return sorted(((entry.recipient, entry.failure) for entry in found), key=str)


def visited(host: Host) -> bool:
    host.db.session.rollback()
    return host.db.session.scalar(sa.select(sa.func.count()).select_from(visits)) == 1


def blocked(host: Host) -> bool:
    """Without a write-ahead log, a host that begins transactions for its reads keeps everybody else from writing."""
    return bool(host.app.config["KIND"] == "SQLite, a host that emits BEGIN")


#: What a host may do with us while its own transaction is open.
CALLS: dict[str, Callable[[Host], Any]] = {
    "may_invite": lambda host: host.optout.may_invite(*JANE),
    "invitable": lambda host: list(host.optout.invitable(["jane@x.org", "muted@x.org"], "beta-42")),
    "link": lambda host: host.optout.link(*JANE),
    "send": lambda host: host.mail.send(host.invitation()),
    "send to somebody who is muted": lambda host: host.mail.send(host.invitation("muted@x.org")),
    "send_invitations": lambda host: host.mail.send_invitations([host.invitation(), host.invitation("muted@x.org")]),
    "prune": lambda host: sum(current_state().email_log.prune(1)),
    "a page": lambda host: host.app.test_client().get(host.path()).status_code,
    "the Email Log": logged,
}


@pytest.mark.parametrize("how", ["commit", "rollback"])
@pytest.mark.parametrize("call", CALLS)
def test_what_the_host_has_flushed_stays_its_own(host: Host, call: str, how: str) -> None:
    write(host)
    CALLS[call](host)
    assert host.db.session.scalar(sa.select(sa.func.count()).select_from(visits)) == 1
    end(host, how)
    assert visited(host) is (how == "commit")


@pytest.mark.parametrize("before", [write, look])
@pytest.mark.parametrize("how", ["commit", "rollback", "close"])
def test_a_send_leaves_at_once_and_its_record_shares_the_fate_of_what_the_host_has_written(
    host: Host, smtp: Mailbox, before: Callable[[Host], None], how: str
) -> None:
    before(host)
    host.mail.send(host.invitation())
    host.mail.send(host.invitation("muted@x.org"))
    assert [mail.rcpt_to for mail in smtp.received] == [["jane@example.org"]]
    end(host, how)
    stands = how == "commit" or before is look and not blocked(host)
    assert logged(host) == ([("jane@example.org", None), ("muted@x.org", None)] if stands else [])


class Refusing(Mailbox):
    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        return "550 nobody of this name"


def test_a_send_that_fails_there_is_logged_with_its_reason(host: Host) -> None:
    with smtp_server(Refusing) as smtp:
        host.app.extensions["mail"].port = smtp.port
        write(host)
        with pytest.raises(SMTPRecipientsRefused):
            host.mail.send(host.invitation())
        end(host, "commit")
        assert logged(host) == [("jane@example.org", "SMTPRecipientsRefused 550")]


@pytest.mark.parametrize("how", ["commit", "rollback"])
def test_a_mute_in_the_hosts_open_write_is_an_error_that_says_to_commit_first(host: Host, how: str) -> None:
    write(host)
    with pytest.raises(StoreUnavailable, match="Commit the session") as refused:
        say(host, True, *JANE)
    assert "@" not in str(refused.value)
    assert host.optout.may_invite(*JANE)
    end(host, how)
    say(host, True, *JANE)
    assert not host.optout.may_invite(*JANE)
    assert visited(host) is (how == "commit")


@pytest.mark.parametrize("how", ["commit", "rollback", "close"])
def test_a_mute_stands_where_the_host_has_only_read(host: Host, how: str) -> None:
    look(host)
    if blocked(host):
        with pytest.raises(StoreUnavailable, match="Commit the session"):
            say(host, True, *JANE)
        return
    say(host, True, *JANE)
    end(host, how)
    assert not host.optout.may_invite(*JANE)


@pytest.mark.parametrize("how", ["commit", "rollback", None])
@pytest.mark.parametrize("htmx", [True, False])
def test_a_press_in_a_request_in_which_the_host_has_written_claims_nothing(
    host: Host, how: str | None, htmx: bool
) -> None:
    path = host.path()

    @host.app.before_request
    def count() -> None:
        write(host)

    @host.app.after_request
    def finish(response: Response) -> Response:
        if how is not None:
            end(host, how)
        return response

    host.db.session.close()
    status, page = host.press(path, "mute", htmx)
    assert status == 503 and "Nothing changed." in page
    if how is None:
        end(host, "rollback")
    assert host.optout.may_invite("jane@example.org", "beta-42")
    assert visited(host) is (how == "commit")


def test_a_press_in_a_request_in_which_the_host_has_read_stands(host: Host) -> None:
    path = host.path()

    @host.app.before_request
    def user() -> None:
        look(host)

    host.db.session.close()
    assert host.press(path, "mute")[0] == (503 if blocked(host) else 200)
    end(host, "rollback")
    assert host.optout.may_invite("jane@example.org", "beta-42") is blocked(host)


@pytest.mark.parametrize("how", ["commit", "rollback"])
def test_a_savepoint_of_the_hosts_rolls_back_what_is_its_own(host: Host, smtp: Mailbox, how: str) -> None:
    write(host)
    with pytest.raises(ZeroDivisionError), host.db.session.begin_nested():
        host.db.session.execute(visits.insert().values(id=2))
        host.mail.send(host.invitation())
        _ = 1 / 0
    host.mail.send(host.invitation("bob@example.org"))
    end(host, how)
    assert visited(host) is (how == "commit")
    assert (("bob@example.org", None) in logged(host)) is (how == "commit")
    assert len(smtp.received) == 2


@pytest.mark.parametrize("how", ["commit", "rollback"])
def test_a_transaction_on_the_hosts_engine_in_memory(smtp: Mailbox, how: str) -> None:
    host = in_memory(SQLAlchemy, smtp)
    with host.app.app_context():
        visits.create(host.db.engine)
        say(host, True, "muted@x.org")
        with host.db.engine.connect() as connection, connection.begin() as transaction:
            connection.execute(visits.insert().values(id=1))
            for call in CALLS.values():
                call(host)
            with pytest.raises(StoreUnavailable, match="Commit"):
                say(host, True, *JANE)
            getattr(transaction, how)()
        assert visited(host) is (how == "commit")
        host.db.session.close()
        host.db.engine.dispose()


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("how", ["commit", "rollback"])
def test_on_a_database_server_we_write_beside_it(database: Database, make: MakeHost, smtp: Mailbox, how: str) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri, MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        visits.create(host.db.engine)
        write(host)
        say(host, True, "muted@x.org")
        for call in CALLS.values():
            call(host)
        host.db.session.scalar(sa.select(sa.func.count()).select_from(visits))
        end(host, how)
        assert not host.optout.may_invite("muted@x.org", "beta-42")
        assert len(logged(host)) == 4
        assert visited(host) is (how == "commit")
        host.db.session.close()
    dispose(host)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("told", [{"connect_args": {"autocommit": True}}, {"isolation_level": "AUTOCOMMIT"}], ids=str)
def test_a_driver_that_commits_each_statement_goes_on_doing_so(
    database: Database, make: MakeHost, told: dict[str, Any]
) -> None:
    options = {**told, "pool_size": 1, "max_overflow": 0}
    host = make(SQLALCHEMY_DATABASE_URI=database.uri, SQLALCHEMY_ENGINE_OPTIONS=options)
    with host.app.app_context():
        visits.create(host.db.engine)
        opened: list[Any] = []
        sa.event.listen(host.db.engine, "connect", lambda *connection: opened.append(connection))

        def visit(connection: sa.Connection) -> None:
            connection.execute(visits.insert())
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            current_state().store.write(visit)
        assert not visited(host)
        host.db.session.close()
        host.optout.mute(*JANE)
        with current_state().choices.looking() as muted:
            assert muted(parse(JANE[0]), JANE[1])
        with pytest.raises(ZeroDivisionError), host.db.engine.connect() as connection:
            visit(connection)
        assert visited(host) and not opened, "the pool's connection is kept"
        host.db.session.close()
        dispose(host)
