"""Flask-Migrate finds our tables by itself, finds nothing more the second time, and never drops one."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from flask_optout import ConfigurationError, OptOut
from flask_optout.addresses import parse
from flask_optout.doctor.setup import check_setup
from flask_optout.wiring import current_state
from tests.conftest import missing
from tests.support.databases import Database, NoServer, database_of
from tests.support.findings import ids
from tests.support.hosts import BASE_URL, KEY, dispose, make_host, say

pytestmark = pytest.mark.long

BIND = "optout"


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """Flask-Migrate's env.py switches off every logger that its own file does not name."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False


def host(folder: Path, bind_key: str | None) -> Flask:
    app = Flask("host")
    app.config.from_mapping(
        SECRET_KEY=KEY,
        OPTOUT_BASE_URL=BASE_URL,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'host.db'}",
        SQLALCHEMY_BINDS={BIND: f"sqlite:///{folder / 'optout.db'}"} if bind_key else {},
    )
    db: Any = SQLAlchemy()

    class Studies(db.Model):  # type: ignore[misc]
        id = db.Column(db.Integer, primary_key=True)

    Migrate(app, db, directory=str(folder / "migrations"))
    db.init_app(app)
    OptOut(db, app, bind_key=bind_key)
    return app


def run(app: Flask, *arguments: str) -> None:
    result = app.test_cli_runner().invoke(args=["db", *arguments])
    assert result.exit_code == 0, result.output + str(result.exception)


def revisions(folder: Path) -> list[str]:
    return [file.read_text() for file in sorted((folder / "migrations" / "versions").glob("*.py"))]


@pytest.mark.parametrize(
    "bind_key",
    [
        pytest.param(None, id="default", marks=pytest.mark.walked("Host", "Flask-Migrate")),
        pytest.param(BIND, id="bind key", marks=pytest.mark.walked("Host", "Flask-Migrate, a bind key")),
    ],
)
@pytest.mark.filterwarnings("ignore:'get_engine' is deprecated")  # in the env.py of Flask-Migrate 4.1
def test_autogenerate_finds_our_tables_once_and_drops_none(tmp_path: Path, bind_key: str | None) -> None:
    app = host(tmp_path, bind_key)
    run(app, "init", *(["--multidb"] if bind_key else []))
    for _ in range(2):
        run(app, "migrate")
        run(app, "upgrade")
    [revision] = revisions(tmp_path)
    assert revision.count("create_table('optout_choice'") == 1
    upgrade = "".join(re.findall(r"def upgrade.*?(?=def downgrade|\Z)", revision, re.DOTALL))
    assert "create_table" in upgrade and "drop_table" not in upgrade and "alter_column" not in upgrade
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engines[bind_key]
        assert "optout_choice" in sa.inspect(engine).get_table_names()


def test_a_schema_of_the_hosts_metadata_is_kept(tmp_path: Path) -> None:
    try:
        with database_of("postgresql", tmp_path) as database:
            in_schema(database, "people")
    except NoServer as error:
        missing("postgresql server", str(error))


def in_schema(database: Database, schema: str) -> None:
    app = Flask("host")
    app.config.update(SECRET_KEY=KEY, OPTOUT_BASE_URL=BASE_URL, SQLALCHEMY_DATABASE_URI=database.uri)
    db = SQLAlchemy(app, metadata=sa.MetaData(schema=schema))
    optout = OptOut(db, app)
    OptOut(db)  # as another app of the same db has it
    with app.app_context():
        with db.engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        for _ in range(2):
            result = app.test_cli_runner().invoke(args=["optout", "init-db"])
            assert result.exit_code == 0, result.output
        jane = parse("jane@x.org")
        current_state().choices.add_mutes([(jane, "beta-42")], "import")
        assert not optout.may_invite("jane@x.org", "beta-42")
        assert list(optout.invitable(["jane@x.org", "bob@x.org"], "beta-42")) == ["bob@x.org"]
        assert app.test_client().get(urlsplit(optout.link("jane@x.org", "beta-42")).path).status_code == 200
        assert sa.inspect(db.engine).get_table_names() == []
        assert "setup.tables" in ids(check_setup(current_state()))
        with db.engine.connect() as connection:
            operations = Operations(MigrationContext.configure(connection))
            with pytest.raises(ConfigurationError, match="who opted out"):
                operations.drop_table("optout_choice", schema=schema)
            connection.rollback()
        db.engine.dispose()


APP = """
from pathlib import Path
from flask_migrate import Migrate
from tests.support.hosts import make_host
host = make_host(Path({folder!r}))
app = host.app
Migrate(app, host.db)
"""


def test_flask_migrate_refuses_the_downgrade(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(folder=str(tmp_path)))

    def db(*arguments: str) -> tuple[int, str]:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-m", "flask", "--app", "app", "db", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    host = make_host(tmp_path)
    with host.app.app_context():
        say(host, True)
        assert db("init")[0] == 0
        versions = tmp_path / "migrations" / "versions"
        versions.mkdir(exist_ok=True)
        (versions / "a_.py").write_text(
            "from alembic import op\nrevision, down_revision = 'a', None\n"
            "def upgrade():\n    pass\ndef downgrade():\n    op.drop_table('optout_choice')\n"
        )
        assert db("upgrade")[0] == 0
        code, output = db("downgrade")
        assert code != 0 and "in which it is stored who opted out" in output
        assert not host.optout.may_invite("jane@x.org", "beta-42")
    dispose(host)
