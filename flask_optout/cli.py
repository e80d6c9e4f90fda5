"""``flask optout ...``"""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from .errors import ConfigurationError
from .state import current_state
from .walls import find_wall

optout_cli = AppGroup("optout", help="Invitations and the choices of those who get them.")


@optout_cli.command("init-db")
@with_appcontext
def init_db() -> None:
    """Create the tables of Flask-OptOut that are missing; those that are there stay as they are."""
    current_state().create_tables()
    click.echo("The tables of Flask-OptOut are there.")


@optout_cli.command("prune")
@with_appcontext
def prune() -> None:
    """Delete from the Email Log what is older than OPTOUT_LOG_DAYS; links and choices stay as they are."""
    state = current_state()
    deleted = state.email_log.prune(current_app.config["OPTOUT_LOG_DAYS"])
    state.resends.prune()
    click.echo(f"Invitations deleted from the Email Log: {deleted}.")


@optout_cli.command("check")
@with_appcontext
def check() -> None:
    """Try the candidate's pages and say what in this app stands before them; exit with 1 if something does."""
    try:
        wall = find_wall(current_app)
    except ConfigurationError as error:
        wall = str(error)
    if wall is not None:
        raise click.ClickException(wall)
    click.echo("Nothing stands before the candidate's pages.")
