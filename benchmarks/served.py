"""The two apps whose pages are measured: a host of ours, and bare routes that do the least that ours must do.

Both are configured by the environment: ``gunicorn "benchmarks.served:ours()"``.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from flask import Flask, redirect, render_template
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
    insert = dialect.insert(PLAIN).values({"opportunity": OPPORTUNITY, "person": person, "muted": True})
    if connection.dialect.name == "mysql":
        connection.execute(insert.on_duplicate_key_update(muted=insert.inserted.muted))
        return
    keys = ["opportunity", "person"]
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_={"muted": insert.excluded.muted}))


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
    """GET does one SELECT and renders a template as long as our page; POST does one upsert and its commit."""
    app, db = _app()
    page = app.jinja_env.from_string("<h1>{{ person }}</h1>{{ muted }}" + "x" * int(os.environ["BARE_PAGE_BYTES"]))

    @app.get("/bare/<person>")
    def look(person: str) -> str:
        query = sa.select(PLAIN.c.muted).where(PLAIN.c.opportunity == OPPORTUNITY, PLAIN.c.person == person)
        return render_template(page, person=person, muted=db.session.scalar(query))

    @app.post("/bare/<person>")
    def mute(person: str) -> Response:
        plain_upsert(db.session.connection(), person)
        db.session.commit()
        return redirect("/bare/", 303)

    return app
