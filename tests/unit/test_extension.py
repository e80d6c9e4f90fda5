"""Registering: two lines are enough, each app has its own state, and what cannot work says so."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_optout import ConfigurationError, OptOut
from flask_optout.addresses import parse
from flask_optout.pages.routing import HOME
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import KEY, Host, dispose, make_host, say

MIGRATED_APP = """
import os

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_optout import OptOut

app = Flask(__name__)
app.config.update(OPTOUT_BASE_URL="https://x.example", SECRET_KEY="k" * 32)
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.getcwd()}/migrated.db"
db = SQLAlchemy(app)
Migrate(app, db)
OptOut(db, app)
"""


def bare_app(folder: Path, **config: Any) -> Flask:
    app = Flask("bare")
    app.config.update(SECRET_KEY=KEY, SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'bare.db'}", **config)
    return app


def test_two_lines_are_enough(tmp_path: Path) -> None:
    app = bare_app(tmp_path, OPTOUT_BASE_URL="https://x.example")
    db = SQLAlchemy(app)
    optout = OptOut(db, app)
    with app.app_context():
        db.create_all()
        assert optout.link("jane@x.org", "beta-42").startswith("https://x.example/optout/")
        assert optout.may_invite("jane@x.org", "beta-42")
        db.engine.dispose()


def test_an_app_is_registered_once(host: Host) -> None:
    with pytest.raises(ConfigurationError, match="already has an OptOut"):
        OptOut(host.db, host.app)


def test_an_app_in_the_place_of_the_database_is_named(tmp_path: Path) -> None:
    app = bare_app(tmp_path, OPTOUT_BASE_URL="https://x.example")
    for arguments in ((app,), (app, SQLAlchemy())):
        with pytest.raises(ConfigurationError, match=r"got a Flask object .*Write OptOut\(db, app\)"):
            OptOut(*arguments)


def test_two_apps_in_one_process_share_a_db_object_and_nothing_else(tmp_path: Path) -> None:
    db = SQLAlchemy()
    optout = OptOut(db)
    apps = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        app = bare_app(tmp_path / name, OPTOUT_BASE_URL=f"https://{name}.example", OPTOUT_URL_PREFIX=f"/{name}")
        db.init_app(app)
        optout.init_app(app)
        with app.app_context():
            db.create_all()
        apps.append(app)
    one, two = apps
    with one.app_context():
        link = optout.link("jane@x.org", "beta-42")
        assert link.startswith("https://one.example/one/")
        current_state().choices.add_mutes([(parse("jane@x.org"), "beta-42")], "import")
        assert not optout.may_invite("jane@x.org", "beta-42")
        db.engine.dispose()
    with two.app_context():
        assert optout.link("jane@x.org", "beta-42").startswith("https://two.example/two/")
        assert optout.may_invite("jane@x.org", "beta-42")
        db.engine.dispose()


def test_several_hosts_made_by_a_factory_work(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        host = make_host(tmp_path / name)
        with host.app.app_context():
            say(host, True)
            assert not host.optout.may_invite("jane@x.org", "beta-42")
        dispose(host)


class TestBaseUrl:
    def test_when_set_it_wins_over_the_request(self, host: Host) -> None:
        with host.app.test_request_context(base_url="https://evil.example"):
            assert host.optout.link("jane@x.org", "beta-42").startswith("https://invite.example.org/optout/")

    def test_its_path_and_the_url_prefix_stand_before_the_token(self, make: MakeHost) -> None:
        host = make(OPTOUT_BASE_URL="https://x.example/app/", OPTOUT_URL_PREFIX="/no-thanks")
        with host.app.app_context():
            link = host.optout.link("jane@x.org", "beta-42")
            assert link.startswith("https://x.example/app/no-thanks/")
            assert host.app.test_client().get(link.removeprefix("https://x.example/app")).status_code == 200


class TestTables:
    def test_init_db_creates_them_and_may_run_again(self, tmp_path: Path) -> None:
        app = bare_app(tmp_path, OPTOUT_BASE_URL="https://x.example")
        db = SQLAlchemy(app)
        optout = OptOut(db, app)
        for _ in range(2):
            result = app.test_cli_runner().invoke(args=["optout", "init-db"])
            assert result.exit_code == 0 and "has all tables of Flask-OptOut" in result.output
        with app.app_context():
            assert optout.may_invite("jane@x.org", "beta-42")
            db.engine.dispose()

    def test_flask_migrate_finds_them_and_a_second_run_finds_nothing_new(self, tmp_path: Path) -> None:
        (tmp_path / "app.py").write_text(MIGRATED_APP)

        def flask_db(*arguments: str) -> None:
            command = [sys.executable, "-m", "flask", "db", *arguments]
            environment = {**os.environ, "PYTHONPATH": str(HOME)}
            subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)

        for arguments in (["init"], ["migrate"], ["upgrade"], ["migrate"]):
            flask_db(*arguments)
        [version] = (tmp_path / "migrations" / "versions").glob("*.py")
        assert "create_table('optout_choice'" in version.read_text()
        with sqlite3.connect(tmp_path / "migrated.db") as connection:
            tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
        connection.close()
        assert tables >= {"optout_choice", "optout_meta"}
