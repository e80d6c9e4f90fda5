"""``flask optout`` alone, ``init`` and ``init-db``: what this app has, what it lacks, and the lines to paste."""

from __future__ import annotations

import secrets
import shlex
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import click
from flask import Flask
from flask.cli import ScriptInfo, with_appcontext

from ..wiring import State, current_state
from .terminal import WIDTH, format_count

TITLE = 'Flask-OptOut in the app "{app}":\n'
BEGIN = """\
This app has no OptOut. Put this where the app is made, with your own names; db
is your Flask-SQLAlchemy object, and mail replaces the one that you have:

    import os
    from flask_optout import OptOut
    from flask_optout.mailers.{library} import Invitation, Mail

    app.config["OPTOUT_BASE_URL"] = "https://jobs.example.org"
    app.config["OPTOUT_KEYS"] = [os.environ["OPTOUT_KEY"]]
    mail = Mail(app)
    optout = OptOut(db, app)

In a factory: Mail() and OptOut(db) beside db, then mail.init_app(app) and
optout.init_app(app) in it. Where you invite somebody, send this:

    {send}

A new key, for the environment of every process of the app; in this shell put
"export" before it:

    OPTOUT_KEY={key}

Then run "flask optout init-db", and this again.
"""
CRON = """\
Let cron delete what is older than {days} from the Email Log:

    0 4 * * *  {command}
"""
NEXT = """
To begin:        flask optout init
To look deeper:  flask optout doctor
All commands:    flask optout --help"""


@with_appcontext
def status() -> None:
    """Say what this app has and what it lacks, one thing on a line."""
    # Imported only here, as other commands do without the doctor.
    from ..doctor.report import COLOURS, Report
    from ..doctor.setup import check_setup

    state = current_state()
    found = list(check_setup(state))
    click.echo(TITLE.format(app=state.app.name))
    for finding in found:
        said = textwrap.indent(textwrap.fill(finding.seen, WIDTH - 8), " " * 8).lstrip()
        click.secho(f"{finding.severity.value:8}{said}", fg=COLOURS[finding.severity])
    click.echo(NEXT)
    sys.exit(Report.of(None, found).exit_status)


@click.command("init")
@click.pass_context
def init(ctx: click.Context) -> None:
    """Say what this app lacks, with the lines to paste.

    It looks at settings, keys, tables, the mail object, the guard of the Email Log, the opportunity loader and hooks
    that answer before the pages do, as the first part of "flask optout doctor" does. It changes nothing.

    Exit status: 0 when nothing that is needed is missing, else 1.

    Example: flask optout init
    """
    from ..doctor.report import Report, write
    from ..doctor.setup import check_setup

    info = ctx.ensure_object(ScriptInfo)
    app = info.load_app()
    with app.app_context():
        state = app.extensions.get("optout")
        if not isinstance(state, State):
            click.echo(_format_lines(app))
            ctx.exit(1)
        report = Report.of(None, check_setup(state))
        click.echo(TITLE.format(app=app.name))
        write(report, sys.stdout)
        days = format_count(app.config["OPTOUT_LOG_DAYS"], "day")
        named = ["--app", info.app_import_path] if info.app_import_path else []
        prune = shlex.join([sys.executable, "-m", "flask", *named, "optout", "prune"])
        command = f"cd {shlex.quote(str(Path.cwd()))} && {prune}".replace("%", r"\%")  # a % would end cron's line
        click.echo(f"\n{CRON.format(days=days, command=command)}", nl=False)
    ctx.exit(report.exit_status)


def _format_lines(app: Flask) -> str:
    """Return the lines to paste for an app that has no OptOut."""
    from ..doctor.setup import LIBRARIES

    used = [library for key, library in LIBRARIES.items() if key in app.extensions]
    installed = [library for library in LIBRARIES.values() if find_spec(library[0]) is not None]
    library, send = (used or installed or list(LIBRARIES.values()))[0]
    return BEGIN.format(library=library, send=send, key=secrets.token_hex())


@click.command("init-db")
@with_appcontext
def init_db() -> None:
    """Create the tables that are missing, and the data key.

    Tables that are there stay as they are. Where Flask-Migrate creates the app's tables, it creates these, too; run
    this after it for the data key, which is made only once.

    Example: flask optout init-db
    """
    made = current_state().create_tables()
    for name in made:
        click.echo(f"Created {name}.")
    kind = current_state().get_engine().dialect.name
    click.echo(f"The {kind} database has all tables of Flask-OptOut, and the data key.")
    if not made:
        click.echo("Nothing was missing.")
