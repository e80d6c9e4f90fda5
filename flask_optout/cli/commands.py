"""``flask optout ...``"""

from __future__ import annotations

import secrets
import sys

import click
from flask import current_app
from flask.cli import with_appcontext

from ..wiring import current_state
from .doctor import doctor
from .opt_outs import import_list, mute, receive
from .people import erase, export
from .scanners import alarms, notify_domain, scan_me
from .setting_up import init, init_db, status
from .terminal import EXIT_STATUS, Commands, format_count, progress


@click.command("prune")
@click.option("--dry-run", is_flag=True, help="Only say how many invitations it would delete.")
@with_appcontext
def prune(dry_run: bool) -> None:
    """Delete from the Email Log what is older than OPTOUT_LOG_DAYS.

    Links and choices stay as they are. Let cron run it once a day.

    Example: flask optout prune --dry-run
    """
    state = current_state()
    days, deleted = current_app.config["OPTOUT_LOG_DAYS"], 0
    outdated = state.email_log.count_outdated(days)
    old = f"older than {format_count(days, 'day')} from the Email Log."
    if dry_run:
        click.echo(f"Would delete {format_count(outdated, 'invitation')} {old}")
        return
    with progress("Deleting", "invitations") as reach:
        for batch in state.email_log.prune(days):
            deleted += batch
            reach(deleted / max(outdated, deleted), deleted)
    for part in (state.resends, state.presses, state.alarms):
        part.prune()
    click.echo(f"Deleted {format_count(deleted, 'invitation')} {old}")


@click.command("rotate-key")
@click.option("--yes", is_flag=True, help="Do not ask; it asks on a terminal only.")
@with_appcontext
def rotate_key(yes: bool) -> None:
    """Let only the newest key open the store.

    Run it when every process of the app has the new key in front of the old ones: after that, a process that has only
    an old key cannot open the store. Links and choices stay as they are.

    Example: flask optout rotate-key
    """
    slots = current_state().key_slots
    if not yes and sys.stdin.isatty() and (old := slots.count_old()):
        click.confirm(f"Take the store away from {format_count(old, 'older key')}?", abort=True)
    if slots.rotate():
        click.echo(
            "Only the newest key opens the store now. Remove the older ones from the settings.\n"
            "SECRET_KEY stays where Flask needs it for other things."
        )
        return
    click.echo(
        "Only the newest key opens the store. To replace it, put a new key in front of\n"
        f"it in OPTOUT_KEYS, such as\n\n    {secrets.token_hex()}\n\n"
        "restart every process of the app, then run this command again. Where\n"
        "OPTOUT_KEYS is not set, set it to a list of the new key alone: SECRET_KEY\n"
        "opens the store until this command has run."
    )


@click.command("replay")
@click.option("--new", is_flag=True, help="Begin a journal with the choices that the database holds.")
@with_appcontext
def replay(new: bool) -> None:
    """Put the mutes of the journal back into a restored database.

    It unmutes nobody, and may be stopped and run again at any time.

    Example: flask optout replay
    """
    recovery = current_state().recovery
    with progress("Beginning the journal" if new else "Putting mutes back") as reach:
        (recovery.begin if new else recovery.replay)(reach)
    click.echo("The journal and the database agree.")


SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Setting up": (init, init_db, doctor),
    "Opt-outs from elsewhere": (import_list, mute, receive),
    "One person's data": (erase, export),
    "Mail scanners": (alarms, notify_domain, scan_me),
    "Upkeep": (prune, rotate_key, replay),
}


@click.group("optout", cls=Commands, sections=SECTIONS, invoke_without_command=True, epilog=EXIT_STATUS)
@click.pass_context
def optout_cli(ctx: click.Context) -> None:
    """Invitations and opt-outs. Without a command, it says whether this app is set up.

    There is deliberately no list: who opted out is for nobody but themselves to know, and a list leaks. There is no
    unmute either: only the candidate can undo a mute, with their own link.

    Example: flask optout init
    """
    if ctx.invoked_subcommand is None:
        status()
