"""``flask optout receive``: one mail to the mailto door, from a mail server."""

from __future__ import annotations

import os
import sys

import click
from flask.cli import with_appcontext

from ..errors import BadToken, OptOutError
from ..wiring import current_state

#: What a mail server understands (sysexits.h): no such user, try again later.
NO_USER, TRY_AGAIN = 67, 75
#: Octets of a message in which its headers stand; the rest is read and left alone.
LONGEST_HEADERS = 65_536


@click.command("receive")
@click.option("--recipient", help="Of the envelope; unset, ORIGINAL_RECIPIENT or a header such as X-Original-To.")
@click.option("--sender", help="Of the envelope; unset, the header Return-Path.")
@with_appcontext
def receive(recipient: str | None, sender: str | None) -> None:
    """Take one mail to OPTOUT_MAILTO from a mail server.

    It comes on standard input, mutes whom it was sent for, and is never answered. Bounces, which come from nobody,
    mute nobody. It writes nothing, as a mail server would send that back.

    \b
    Exit status: 0 when it is done, 67 when the mail is not for this door,
    75 when it should be brought again later, 2 when it was used wrongly.

    \b
    Example:
        flask optout receive --recipient "$ORIGINAL_RECIPIENT" < mail
    """
    message = sys.stdin.buffer.read(LONGEST_HEADERS)
    while sys.stdin.buffer.read(LONGEST_HEADERS):
        pass
    try:
        current_state().receive(message, recipient or os.environ.get("ORIGINAL_RECIPIENT") or None, sender)
    except BadToken:
        sys.exit(NO_USER)
    except OptOutError as error:
        click.echo(error, err=True)
        sys.exit(TRY_AGAIN)
