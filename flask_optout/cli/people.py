"""``flask optout erase`` and ``flask optout export``: what the Email Log holds of one person."""

from __future__ import annotations

import json

import click
from flask.cli import with_appcontext

from ..email_log.people import Held
from ..pages.find_link import slot
from ..wiring import current_state
from .terminal import counted, typed

NOTHING = "The Email Log holds nothing of this person."


@click.command("erase")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what it would remove.")
@with_appcontext
def erase(address: str, yes: bool, dry_run: bool) -> None:
    """Remove what the Email Log holds of one person.

    That is every invitation to ADDRESS, what was sent again, and requests for links. What they chose stays, as it
    must be obeyed, and names nobody. Nothing here tells what that is.

    \b
    Exit status: 0 when it is removed, 1 when you said no, the address
    cannot be used or the database did not take it.

    \b
    Example:
        flask optout erase jane@example.org
    """
    mailbox, people = typed(address).canonical, current_state().people
    held = people.held(mailbox)
    if not any(held):
        click.echo(NOTHING)
    elif dry_run or not yes:
        click.echo(f"Of this person the Email Log holds {_rows(held)}.")
    if dry_run:
        return
    if any(held) and not yes:
        click.confirm("Remove all of it?", abort=True)
    erased = people.erase(mailbox, [slot(mailbox)])  # also requests of somebody who was never invited
    if any(erased):
        click.echo(f"Removed {_rows(erased)}.")


def _rows(held: Held) -> str:
    again = counted(held.resends, "that was sent again", "that were sent again")
    return f"{counted(held.invitations, 'invitation')} and {again}"


@click.command("export")
@click.argument("address")
@with_appcontext
def export(address: str) -> None:
    """Write what the Email Log holds of one person, as JSON.

    It is for somebody who asks what is stored about ADDRESS. It tells no choice, and holds no personal link.

    \b
    Exit status: 0 when it is written, 1 when the address cannot be used or
    the database does not answer.

    \b
    Example:
        flask optout export jane@example.org > jane.json
    """
    mailbox, people = typed(address).canonical, current_state().people
    held = {"sent_again": people.resends(mailbox), "invitations": [*people.invitations(mailbox)]}
    written = json.dumps({"address": mailbox, **held}, ensure_ascii=False, indent=2)
    click.echo(written.encode())  # as JSON is UTF-8, whatever the terminal's encoding
    if not any(held.values()):
        click.echo(NOTHING, err=True)
