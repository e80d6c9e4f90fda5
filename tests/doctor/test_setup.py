"""The set-up of the app at hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import flask_mail
import flask_mailman
import pytest
import sqlalchemy as sa
from flask import redirect, request

from flask_optout.doctor.finding import Finding
from flask_optout.doctor.setup import apart, setup
from flask_optout.mailers.flask_mailman import Mail
from tests.conftest import MakeHost, missing
from tests.doctor.conftest import severities, the
from tests.support.hosts import Host

KEY = "a key of the choices alone, 32 bytes or more"
FINE = {
    "setup.keys": "ok",
    "setup.base-url": "ok",
    "setup.tables": "ok",
    "setup.store": "ok",
    "setup.journal": "note",
    "setup.mail": "ok",
    "setup.wall": "ok",
    "setup.operator": "note",
}
SERVERS = {
    "postgresql": os.environ.get("OPTOUT_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
    "mariadb": os.environ.get("OPTOUT_TEST_MARIADB", "mariadb+pymysql://root@127.0.0.1:3306/mysql"),
}


def looked_at(host: Host) -> list[Finding]:
    with host.app.app_context():
        return list(setup(host.app, host.app.extensions["optout"]))


def without_table(host: Host) -> None:
    with host.app.app_context(), host.db.engine.begin() as connection:
        connection.execute(sa.text("drop table optout_meta"))


def without_column(host: Host) -> None:
    with host.app.app_context(), host.db.engine.begin() as connection:
        connection.execute(sa.text("alter table optout_choice drop column domain_tag"))


def without_primary_key(host: Host) -> None:
    with host.app.app_context(), host.db.engine.begin() as connection:
        connection.execute(sa.text("drop table optout_meta"))
        connection.execute(sa.text("create table optout_meta (name varchar(32) not null, value text)"))


def without_the_key_that_wrote(host: Host) -> None:
    with host.app.app_context(), host.db.engine.begin() as connection:
        connection.execute(sa.text("insert into optout_meta (name, value) values ('key.0', '00000000')"))


def ungated(host: Host) -> None:
    flask_mail.Mail(host.app)


def login_wall(host: Host) -> None:
    host.app.before_request(lambda: redirect("/login"))


def csrf_check(host: Host) -> None:
    host.app.before_request(lambda: ("No token", 400) if request.method == "POST" else None)


def ungated_mailman(host: Host) -> None:
    flask_mailman.Mail(host.app)


def gated_mailman(host: Host) -> None:
    Mail(host.app)


def without_mail(host: Host) -> None:
    del host.app.extensions["mail"]


@pytest.mark.parametrize(
    ("settings", "spoil", "expected"),
    [
        ({}, None, {}),
        ({"OPTOUT_KEYS": None}, None, {"setup.keys": "warn"}),
        (
            {"OPTOUT_KEYS": None, "SECRET_KEY": None},
            None,
            {"setup.keys": "fail", "setup.base-url": "fail", "setup.store": "fail", "setup.wall": ""},
        ),
        ({"OPTOUT_BASE_URL": None}, None, {"setup.base-url": "fail", "setup.wall": ""}),
        ({"OPTOUT_BASE_URL": "http://localhost:5000"}, None, {"setup.base-url": "warn"}),
        ({}, without_table, {"setup.tables": "fail", "setup.store": ""}),
        ({}, without_column, {"setup.tables": "fail", "setup.store": ""}),
        ({}, without_primary_key, {"setup.tables": "fail", "setup.store": ""}),
        ({}, without_the_key_that_wrote, {"setup.store": "fail"}),
        ({}, ungated, {"setup.mail": "fail"}),
        ({}, without_mail, {"setup.mail": "note"}),
        ({}, ungated_mailman, {"setup.mail": "fail"}),
        ({}, gated_mailman, {}),
        ({}, login_wall, {"setup.wall": "fail"}),
        ({}, csrf_check, {"setup.wall": "fail"}),
        ({"MAIL_SUPPRESS_SEND": True}, None, {"setup.mail": "", "setup.mail.suppressed": "warn"}),
    ],
)
def test_what_is_wrong_with_a_set_up(
    make: MakeHost, settings: dict[str, Any], spoil: Any, expected: dict[str, str]
) -> None:
    host = make(**{"OPTOUT_KEYS": [KEY], **settings})
    if spoil is not None:
        spoil(host)
    wanted = {id: severity for id, severity in {**FINE, **expected}.items() if severity}
    assert severities(looked_at(host)) == wanted


def test_a_database_that_cannot_be_reached(make: MakeHost, tmp_path: Path) -> None:
    host = make(OPTOUT_KEYS=[KEY])
    with host.app.app_context():
        host.db.engine.dispose()
    (tmp_path / "host.db").unlink()
    (tmp_path / "host.db").mkdir()
    found = looked_at(host)
    assert {id: severity for id, severity in severities(found).items() if severity in ("warn", "fail")} == {
        "setup.store": "fail",
        "setup.clock": "warn",
    }


def test_the_mend_of_a_wall_is_code_to_paste(make: MakeHost) -> None:
    host = make()
    login_wall(host)
    finding = the(looked_at(host), "setup.wall")
    assert finding.paste == 'if request.blueprint == "optout":\n    return None'


def test_a_journal_is_there_or_missing(make: MakeHost, tmp_path: Path) -> None:
    host = make(OPTOUT_JOURNAL=str(tmp_path / "journal"))
    assert severities(looked_at(host))["setup.journal"] == "fail"
    assert host.app.test_cli_runner().invoke(args=["optout", "replay", "--new"]).exit_code == 0
    assert severities(looked_at(host))["setup.journal"] == "ok"


def test_operators_have_pages(make: MakeHost) -> None:
    assert severities(looked_at(make(operator=lambda: True)))["setup.operator"] == "ok"


def test_what_the_database_lacks_is_named(make: MakeHost) -> None:
    host = make()
    without_column(host)
    finding = the(looked_at(host), "setup.tables")
    assert finding.seen == "The database lacks the column optout_choice.domain_tag."


@pytest.mark.parametrize("server", SERVERS)
def test_the_clock_of_a_database_server_is_compared(server: str) -> None:
    engine = sa.create_engine(SERVERS[server])
    try:
        with engine.connect() as connection:
            seconds = apart(connection)
    except sa.exc.OperationalError:
        missing(server, f"start it, or set OPTOUT_TEST_{server.upper()} to its URL")
    finally:
        engine.dispose()
    assert seconds is not None
    assert seconds < 60


def test_sqlite_has_no_clock_of_its_own() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        assert apart(connection) is None
    engine.dispose()
