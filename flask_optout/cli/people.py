"""``flask optout erase`` and ``flask optout export``: what the Email Log holds of one person."""

from __future__ import annotations

import json
import re

import click
from flask.cli import with_appcontext

from ..pages.find_link import make_slot
from ..wiring import current_state
from .terminal import format_count, parse_typed

NOTHING = "The Email Log holds nothing of this person."


@click.command("erase")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what it would remove.")
@with_appcontext
def erase(address: str, yes: bool, dry_run: bool) -> None:
    """Remove what the Email Log holds of one person.

    That is every invitation to ADDRESS, every resend, and requests for links. Their choices stay, or they would be
    invited again; these name nobody, and are not shown.

    Example: flask optout erase jane@example.org
    """
    mailbox, people = parse_typed(address).canonical, current_state().people
    # Without the texts, which may be long.
    invitations, resends = map(len, people.collect(mailbox, "headers", "text", "html"))
    rows = [format_count(invitations, "invitation")] if invitations else []
    rows += [format_count(resends, "that was sent again", "that were sent again")] if resends else []
    click.echo(f"Of this person the Email Log holds {' and '.join(rows)}." if rows else NOTHING)
    if dry_run:
        return
    if rows and not yes:
        click.confirm("Remove all of it?", abort=True)
    people.erase(mailbox, [make_slot(mailbox)])  # even without rows: who was never invited may have asked for links
    if rows:
        click.echo("It is removed.")


@click.command("export")
@click.argument("address")
@with_appcontext
def export(address: str) -> None:
    """Write what the Email Log holds of one person, as JSON.

    It is for somebody who asks what is stored about ADDRESS. It has neither their choices nor personal links.

    Example: flask optout export jane@example.org > jane.json
    """
    mailbox = parse_typed(address).canonical
    invitations, resends = current_state().people.collect(mailbox)
    held = {"address": mailbox, "sent_again": resends, "invitations": invitations}
    written = json.dumps(held, ensure_ascii=False, indent=2)
    written = re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", written)  # terminals obey these
    click.echo(written.encode())  # JSON is UTF-8, whatever the terminal's encoding
    if not (invitations or resends):
        click.echo(NOTHING, err=True)
