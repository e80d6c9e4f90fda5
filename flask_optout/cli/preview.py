"""``flask optout preview``: an invitation as it would leave, without sending it."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..doctor.walls import NOBODY
from ..invitations.compose import Draft
from ..links.tokens import tag_of
from ..mailers.delivery import default_sender
from ..pages.languages import spoken
from ..wiring import current_state
from .terminal import told

BODY = "(Your text.)"


@click.command("preview")
@click.argument("opportunity")
@click.option("--html", is_flag=True, help="Show the html part; else the text part is shown.")
@click.option("--language", help="Show the footer in this language, such as de; it takes Flask-Babel.")
@with_appcontext
def preview(opportunity: str, html: bool, language: str | None) -> None:
    """Show an invitation as it would leave: headers and footer.

    Nothing is sent or stored. Its recipient is nobody@example.com, so the links in it answer for nobody.

    Exit status: 0 when it is shown, 1 when it could not leave either, 2 when the command was used wrongly.

    \b
    Example:
        flask optout preview beta-42 --html > preview.html
    """
    if language and not spoken(tag_of(language)):
        raise click.UsageError(f"This app has no words in the language {language}.")
    with told():
        letter = current_state().composer.letter(
            Draft(
                recipients=[NOBODY],
                opportunity=opportunity,
                subject="(Your subject)",
                text=BODY,
                html=f"<p>{BODY}</p>",
                sender=default_sender(),
                language=language,
            )
        )
    if not html:
        for name, value in {"To": NOBODY, "Subject": letter.subject, **letter.headers}.items():
            click.echo(f"{name}: {value}")
        click.echo()
    click.echo(letter.html if html else letter.text)
