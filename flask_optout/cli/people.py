"""``flask optout erase`` and ``flask optout export``: what the Email Log holds of one person."""

from __future__ import annotations

import json

import click
from flask.cli import with_appcontext

from ..addresses import parse
from ..pages.ask import slots_of
from ..pages.find_link import slot_of
from ..wiring import current_state
from .terminal import told

#: Opportunities of one person; each of them may have asks.
MOST = 10_000


@click.command("erase")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_appcontext
def erase(address: str, yes: bool) -> None:
    """Remove what the Email Log holds of ADDRESS: invitations, what was sent again, and requests for links.

    What they chose stays, as it must be obeyed, and names nobody. Nothing here tells what that is.

    \b
    Exit status: 0 when it is removed, 1 when you said no, the address
    cannot be used or the database did not take it.

    \b
    Example:
        flask optout erase jane@example.org
    """
    with told():
        person = parse(address)
        people, mailbox = current_state().people, person.canonical
        if not yes:
            click.confirm("Remove all that the Email Log holds of this person?", abort=True)
        opportunities = people.opportunities(mailbox, MOST)
        erased = people.erase(mailbox, [slot_of(person), *slots_of(person, opportunities)])
    click.echo(f"Invitations that are removed: {erased.invitations}, sent again: {erased.resends}.")


@click.command("export")
@click.argument("address")
@with_appcontext
def export(address: str) -> None:
    """Write what the Email Log holds of ADDRESS, as JSON, for somebody who asks what is stored about them.

    It tells no choice, and holds no personal link.

    \b
    Exit status: 0 when it is written, 1 when the address cannot be used or
    the database does not answer.

    \b
    Example:
        flask optout export jane@example.org > jane.json
    """
    with told():
        mailbox = parse(address).canonical
        people = current_state().people
        click.echo(f'{{"address": {json.dumps(mailbox)},\n"sent_again": {json.dumps(people.resends(mailbox))},')
        click.echo('"invitations": [', nl=False)
        for number, invitation in enumerate(people.invitations(mailbox)):
            click.echo(f"{',' if number else ''}\n{json.dumps(invitation)}", nl=False)
    click.echo("\n]}")
