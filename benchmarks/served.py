"""The two apps whose pages are measured: a host of ours, and bare routes that do the least that ours must do.

Both are configured by the environment: ``gunicorn "benchmarks.served:ours()"``.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from flask import Flask, redirect, render_template_string
from flask_sqlalchemy import SQLAlchemy
from werkzeug.wrappers import Response

from flask_optout import OptOut

OPPORTUNITY = "beta-42"
PLAIN = sa.Table(
    "plain_choice",
    sa.MetaData(),
    sa.Column("opportunity", sa.String(40), primary_key=True),
    sa.Column("person", sa.String(254), primary_key=True),
    sa.Column("muted", sa.Boolean, nullable=False),
)


def plain_upsert(connection: sa.Connection, person: str) -> None:
    """As SQLAlchemy's manual has it."""
    dialect: Any = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    row = {"opportunity": OPPORTUNITY, "person": person, "muted": True}
    insert = dialect.insert(PLAIN).values(row)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["opportunity", "person"], set_={"muted": insert.excluded.muted})
    )


def _app() -> tuple[Flask, SQLAlchemy]:
    app = Flask(__name__)
    app.config.from_prefixed_env("HOST")
    return app, SQLAlchemy(app)


def ours() -> Flask:
    """A host as the README's quick start has it."""
    app, db = _app()
    OptOut(db, app)
    return app


def bare() -> Flask:
    """GET renders a template as long as our page; POST does one upsert and its commit, then redirects."""
    app, db = _app()
    page = "<h1>{{ person }}</h1>" + "x" * int(os.environ["BARE_PAGE_BYTES"])

    @app.get("/bare/<person>")
    def look(person: str) -> str:
        return render_template_string(page, person=person)

    @app.post("/bare/<person>")
    def mute(person: str) -> Response:
        plain_upsert(db.session.connection(), person)
        db.session.commit()
        return redirect("/bare/", 303)

    return app
