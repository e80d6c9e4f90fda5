"""``flask optout ...``"""

from __future__ import annotations

import secrets
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from ..doctor.command import doctor
from ..errors import ListError
from ..importing.exports import NAMES
from ..importing.lists import Entry, MuteList, Refusal, Skipped
from ..wiring import current_state
from .preview import preview
from .scanners import alarms, notify_domain, scan_me
from .terminal import progress, told

#: Rows in one transaction of an import.
IMPORT_BATCH = 500

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

for _command in (alarms, doctor, notify_domain, preview, scan_me):
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


@optout_cli.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--opportunity", help="The opportunity of every row, for a list without that column.")
@click.option("--format", type=click.Choice(NAMES), help="What kind of file it is; unset, its first line tells.")
@with_appcontext
def import_list(file: BinaryIO, opportunity: str | None, format: str | None) -> None:
    """Add mutes from another system: a CSV FILE, or - for standard input.

    Its first line names the columns: email and opportunity; others are ignored. Exports of SendGrid, Mailgun,
    Postmark, Mailchimp and listmonk are recognised; those of their rows that are no opt-outs are skipped. It adds
    mutes and can remove none. Rows that cannot be used are named by their number.

    Exit status: 0 when all rows were used or skipped, 1 when one was not, 2 when nothing could be read.

    \b
    Example:
        flask optout import unsubscribes.csv --opportunity beta-42
    """
    try:
        rows = MuteList(file, opportunity, format)
    except ListError as error:
        raise click.UsageError(str(error)) from None
    if rows.ignored:
        click.echo(f"{len(rows.ignored)} other columns are ignored; an import only adds mutes.", err=True)
    good = bad = 0
    skipped: Counter[str] = Counter()
    # Standard input has no size.
    entries, path = iter(rows), Path(str(getattr(file, "name", "")))
    size = path.stat().st_size if path.is_file() else 0
    with told(), progress("Reading") as reach:
        while batch := list(islice(entries, IMPORT_BATCH)):
            refused = [row for row in batch if isinstance(row, Refusal)]
            mutes = [row for row in batch if isinstance(row, Entry)]
            skipped.update(row.reason for row in batch if isinstance(row, Skipped))
            current_state().choices.add_mutes(mutes, "import")
            for row in refused:
                click.echo(f"Line {row.line}: {row.reason}", err=True)
            good, bad = good + len(mutes), bad + len(refused)
            if size:
                reach(rows.position / size)
    for reason, count in sorted(skipped.items()):
        click.echo(f"{count} rows are no opt-outs and were skipped: {reason}.")
    # What was stored already is not said: it would tell who had opted out.
    click.echo(f"{good} rows are muted; {bad} rows could not be used.")
    if bad:
        raise click.exceptions.Exit(1)
