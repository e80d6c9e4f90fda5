"""What in a host stands before the candidate's pages is found, by the doctor and in the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from flask import Flask, abort, redirect, request
from flask_login import LoginManager, current_user
from flask_wtf import CSRFProtect

from flask_optout.doctor.walls import find_wall
from tests.conftest import MakeHost
from tests.support.hosts import Host

SKIP = 'if request.blueprint == "optout":'


def login_wall(app: Flask) -> None:
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
    (login_wall, "302 FOUND to /login", SKIP),
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

    assert find_wall(app) is None


def test_without_a_wall_the_check_is_content_and_stores_nothing(host: Host) -> None:
    result = host.app.test_cli_runner().invoke(args=["optout", "doctor", "--offline"])
    assert result.exit_code == 0
    assert "No login, CSRF check or other hook of this app stands before" in " ".join(result.output.split())
    with host.db.engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from optout_choice where source <> 'key'").scalar() == 0
