"""Flask-Migrate finds our tables by itself, finds nothing more the second time, and never drops one."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from flask_optout import OptOut
from tests.support.hosts import BASE_URL, KEY

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
