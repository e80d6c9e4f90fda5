"""``flask optout ...``"""

from __future__ import annotations

import secrets

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from ..doctor.command import doctor
from ..wiring import current_state
from .inbound import receive
from .lists import import_list, mute
from .people import erase, export
from .preview import preview
from .scanners import alarms, notify_domain, scan_me
from .terminal import progress, told

optout_cli: AppGroup = AppGroup(
    "optout",
    help="""Invitations and the choices of those who get them.

    There is deliberately no list: who opted out is for nobody but themselves to know, and a list leaks. There is no
    unmute either: only the candidate can undo what they said, with their own link.

    Exit status of every command: 0 when it did what it says, 1 when something is wrong, 2 when it was used wrongly.

    \b
    Example:
        flask optout doctor
    """,
)

for _command in (alarms, doctor, erase, export, import_list, mute, notify_domain, preview, receive, scan_me):
    optout_cli.add_command(_command)


@optout_cli.command("init-db")
@with_appcontext
def init_db() -> None:
    """Create what is missing of Flask-OptOut's tables; what is stored in them stays as it is.

    Exit status: 0 when they are there, 1 when the database does not take them.

    \b
    Example:
        flask optout init-db
    """
    with told():
        current_state().create_tables()
    click.echo("The tables of Flask-OptOut are there.")


@optout_cli.command("prune")
@with_appcontext
def prune() -> None:
    """Delete from the Email Log what is older than OPTOUT_LOG_DAYS; links and choices stay as they are.

    Exit status: 0 when it is deleted, 1 when the database does not answer.

    \b
    Example:
        flask optout prune
    """
    state = current_state()
    days, deleted = current_app.config["OPTOUT_LOG_DAYS"], 0
    with told():
        outdated = state.email_log.outdated(days)
        with progress("Deleting") as reach:
            for batch in state.email_log.prune(days):
                deleted += batch
                reach(deleted / max(outdated, deleted))
        for part in (state.resends, state.presses, state.alarms):
            part.prune()
    click.echo(f"Invitations deleted from the Email Log: {deleted}.")


@optout_cli.command("rotate-key")
@with_appcontext
def rotate_key() -> None:
    """Let the newest key alone open the store, so that older keys can be removed from the settings.

    Run it when every process of the app has the new key in front of the old ones. Links and choices stay as they are.

    Exit status: 0 when only the newest key opens the store, 1 when none does or the database does not answer.

    \b
    Example:
        flask optout rotate-key
    """
    with told():
        removed = current_state().key_slots.rotate()
    if removed:
        click.echo("Only the newest key opens the store now. Remove the older keys from the settings.")
        return
    click.echo(
        "Only the newest key opens the store. To replace it, put a new key in front of it in OPTOUT_KEYS, such as\n\n"
        f"    {secrets.token_hex()}\n\n"
        "restart every process of the app, then run this command again. Where OPTOUT_KEYS is not set, set it to a "
        "list of the new key alone: SECRET_KEY opens the store until this command has run."
    )


@optout_cli.command("replay")
@click.option("--new", is_flag=True, help="Begin a journal with the choices that the database holds.")
@with_appcontext
def replay(new: bool) -> None:
    """Put the mutes of the journal back into a database that was restored from an old backup.

    It un-mutes nobody, and it may be stopped and run again at any time.

    Exit status: 0 when journal and database agree, 1 when one of them cannot be used.

    \b
    Example:
        flask optout replay
    """
    with told():
        recovery = current_state().recovery
        with progress("Beginning the journal" if new else "Putting mutes back") as reach:
            (recovery.begin if new else recovery.replay)(reach)
    click.echo("The journal and the database agree.")
