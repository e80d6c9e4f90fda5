"""The set-up of the app at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import flask_mail
import flask_mailman
import pytest
import sqlalchemy as sa
from flask import Flask, abort, g, redirect, request
from flask_babel import Babel
from flask_login import LoginManager, current_user
from flask_wtf import CSRFProtect

from flask_optout.doctor.finding import Finding
from flask_optout.doctor.setup import check_setup, check_time_outs, find_wall
from flask_optout.email_log.records import PER_MINUTE
from flask_optout.mailers.flask_mailman import Mail
from tests.conftest import MakeHost
from tests.support.findings import ids, the
from tests.support.hosts import Host

KEY = "a key of the choices alone, 32 bytes or more"
FINE = {
    "setup.keys",
    "setup.base-url",
    "setup.tables",
    "setup.store",
    "setup.journal.none",
    "setup.mail",
    "setup.wall",
    "setup.operator.none",
    "setup.loader",
    "setup.sent.none",
    "setup.time-outs",
    "setup.wal",
    "setup.log",
}


def looked_at(host: Host) -> list[Finding]:
    with host.app.app_context():
        return list(check_setup(host.app.extensions["optout"]))


@pytest.mark.parametrize(("days", "id"), [(7, "setup.log"), (9, "setup.log.old")])
def test_an_email_log_that_nobody_prunes_is_told_a_day_late(make: MakeHost, days: int, id: str) -> None:
    host = make(MAIL_SUPPRESS_SEND=True, OPTOUT_LOG_DAYS=7)
    with host.app.app_context():
        host.mail.send(host.invitation())
        with host.db.engine.begin() as connection:
            earlier = {"minutes": days * 24 * 60 * PER_MINUTE}
            connection.execute(sa.text("update optout_email_log set id = id - :minutes"), earlier)
    assert id in ids(looked_at(host))


def without_table(host: Host) -> None:
    with host.app.app_context(), host.db.engine.begin() as connection:
        connection.execute(sa.text("drop table optout_meta"))


def without_column(host: Host) -> None:
    with host.app.app_context(), host.db.engine.begin() as connection:
        connection.execute(sa.text("alter table optout_choice drop column source"))


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


def locale_of_own_urls(host: Host) -> None:
    Babel(host.app, locale_selector=lambda: (request.view_args or {})["language"])


def locale_of_everybody(host: Host) -> None:
    Babel(host.app, locale_selector=lambda: (request.view_args or {}).get("language"))


def locale_of_a_hook(host: Host) -> None:
    Babel(host.app, locale_selector=lambda: g.language)

    @host.app.before_request
    def read() -> None:
        g.language = "de"


def without_mail(host: Host) -> None:
    del host.app.extensions["mail"]


@pytest.mark.parametrize(
    ("settings", "spoil", "lost", "found"),
    [
        ({}, None, set(), set()),
        ({"OPTOUT_KEYS": None}, None, {"setup.keys"}, {"setup.keys.shared"}),
        ({"OPTOUT_BASE_URL": "http://localhost:5000"}, None, {"setup.base-url"}, {"setup.base-url.local"}),
        ({}, without_table, {"setup.tables", "setup.store", "setup.wall"}, {"setup.tables.missing"}),
        ({}, without_column, {"setup.store", "setup.wall"}, {"setup.store.error"}),
        ({}, ungated, {"setup.mail"}, {"setup.mail.ungated"}),
        ({}, without_mail, {"setup.mail"}, {"setup.mail.none"}),
        ({}, ungated_mailman, set(), {"setup.mail.ungated"}),
        ({}, gated_mailman, set(), set()),
        ({}, login_wall, {"setup.wall"}, {"setup.wall.found"}),
        ({}, csrf_check, {"setup.wall"}, {"setup.wall.found"}),
        ({"MAIL_SUPPRESS_SEND": True}, None, {"setup.mail"}, {"setup.mail.suppressed"}),
        ({}, locale_of_own_urls, set(), {"setup.locale"}),
        ({"OPTOUT_BASE_URL": "https://example.org/jobs"}, locale_of_own_urls, set(), {"setup.locale"}),
        ({}, locale_of_everybody, set(), set()),
        ({}, locale_of_a_hook, set(), set()),
    ],
)
def test_what_is_wrong_with_a_set_up(
    make: MakeHost, settings: dict[str, Any], spoil: Any, lost: set[str], found: set[str]
) -> None:
    host = make(**{"OPTOUT_KEYS": [KEY], **settings})
    if spoil is not None:
        spoil(host)
    assert ids(looked_at(host)) == FINE - lost | found


def test_a_database_that_cannot_be_reached(make: MakeHost, tmp_path: Path) -> None:
    host = make(OPTOUT_KEYS=[KEY])
    with host.app.app_context():
        host.db.engine.dispose()
    (tmp_path / "host.db").unlink()
    (tmp_path / "host.db").mkdir()
    assert "setup.store.unreachable" in ids(looked_at(host))


def test_the_mend_of_a_wall_is_code_to_paste(make: MakeHost) -> None:
    host = make()
    login_wall(host)
    finding = the(looked_at(host), "setup.wall.found")
    assert finding.paste == 'if request.blueprint == "optout":\n    return None'


def test_a_journal_is_there_or_missing(make: MakeHost, tmp_path: Path) -> None:
    host = make(OPTOUT_JOURNAL=str(tmp_path / "journal"))
    assert "setup.journal.error" in ids(looked_at(host))
    assert host.app.test_cli_runner().invoke(args=["optout", "replay", "--new"]).exit_code == 0
    assert "setup.journal" in ids(looked_at(host))


def test_operators_have_pages(make: MakeHost) -> None:
    assert "setup.operator" in ids(looked_at(make(operator=lambda: True)))


def test_what_the_database_lacks_is_named(make: MakeHost) -> None:
    host = make()
    without_table(host)
    finding = the(looked_at(host), "setup.tables.missing")
    assert finding.seen == "The database lacks the table optout_meta."


@pytest.fixture
def engine_of() -> Iterator[Callable[..., sa.Engine]]:
    engines: list[sa.Engine] = []

    def engine_of(url: str, **options: Any) -> sa.Engine:
        engines.append(sa.create_engine(url, **options))
        return engines[-1]

    yield engine_of
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize(
    ("seconds", "mode", "expected"),
    [
        (5, "wal", {"setup.time-outs"}),
        (5, "delete", {"setup.time-outs", "setup.wal"}),
        (0, "wal", {"setup.time-outs.missing"}),
        (3_600, "wal", {"setup.time-outs.missing"}),
    ],
)
def test_sqlite_waits_and_its_log(
    engine_of: Callable[..., sa.Engine], tmp_path: Path, seconds: int, mode: str, expected: set[str]
) -> None:
    engine = engine_of(f"sqlite:///{tmp_path / 'waits.db'}", connect_args={"timeout": seconds})
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA journal_mode={mode}")
    assert ids(check_time_outs(engine)) == expected


def test_the_line_to_paste_gives_sqlite_its_log(engine_of: Callable[..., sa.Engine], tmp_path: Path) -> None:
    engine = engine_of(f"sqlite:///{tmp_path / 'log.db'}")
    paste = the(check_time_outs(engine), "setup.wal").paste
    with engine.connect() as connection:
        connection.exec_driver_sql(paste)
    assert ids(check_time_outs(engine)) == {"setup.time-outs"}


def test_a_database_in_memory_needs_no_log(engine_of: Callable[..., sa.Engine]) -> None:
    assert ids(check_time_outs(engine_of("sqlite://"))) == {"setup.time-outs"}


SKIP = 'if request.blueprint == "optout":'


def login_manager(app: Flask) -> None:
    LoginManager(app).user_loader(lambda id: None)

    @app.before_request
    def wall() -> Any:
        return None if current_user.is_authenticated else redirect("/login")


def unauthorized(app: Flask) -> None:
    @app.before_request
    def wall() -> None:
        abort(401)


def maintenance(app: Flask) -> None:
    app.before_request(lambda: ("Back soon.", 503))


def polite_maintenance(app: Flask) -> None:
    app.before_request(lambda: ("Back soon.", 200))


def middleware(app: Flask) -> None:
    def closed(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("503 Service Unavailable", [])
        return [b"Back soon."]

    app.wsgi_app = closed  # type: ignore[method-assign]


def csrf_by_hand(app: Flask) -> None:
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    csrf = CSRFProtect(app)

    @app.before_request
    def check() -> None:
        if request.method == "POST":
            csrf.protect()


def only_posts(app: Flask) -> None:
    app.before_request(lambda: abort(403) if request.method == "POST" else None)


WALLS = [
    (login_manager, "302 FOUND to /login", SKIP),
    (unauthorized, "401", SKIP),
    (maintenance, "503", SKIP),
    (polite_maintenance, "200", SKIP),
    (middleware, "503", SKIP),
    (csrf_by_hand, "400", "csrf.protect(apply_exemptions=True)"),
    (only_posts, "403", SKIP),
]


@pytest.mark.parametrize(("wall", "seen", "mend"), WALLS)
def test_the_check_says_what_and_how_to_mend_it(
    make: MakeHost, wall: Callable[[Flask], None], seen: str, mend: str
) -> None:
    app = make().app
    wall(app)
    result = app.test_cli_runner().invoke(args=["optout", "doctor", "--offline"])
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert seen in said and mend in said and "Traceback" not in said


def test_the_line_to_add_mends_it(make: MakeHost) -> None:
    app = make().app

    @app.before_request
    def wall() -> Any:
        if request.blueprint == "optout":
            return None
        return redirect("/login")

    with app.app_context():
        assert find_wall(app.extensions["optout"]) is None


def test_without_a_wall_the_check_is_content_and_stores_nothing(host: Host) -> None:
    result = host.app.test_cli_runner().invoke(args=["optout", "doctor", "--offline"])
    assert result.exit_code == 0
    assert "No login, CSRF check or other hook of this app stands before" in " ".join(result.output.split())
    with host.db.engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from optout_choice where source <> 'key'").scalar() == 0
