"""``flask optout doctor``"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import BinaryIO

import click
from flask import current_app
from flask.cli import with_appcontext

from ..wiring import current_state


@click.command()
@click.option("--domain", metavar="DOMAIN", help="The domain in From; else the default sender's.")
@click.option("--message", type=click.File("rb"), help="A delivered invitation, saved with all its headers.")
@click.option("--nameserver", metavar="NAMESERVER", help="Ask this one, as 9.9.9.9 or 9.9.9.9:53.")
@click.option("--block-list", "block_lists", metavar="DOMAIN", multiple=True, help="Ask this DNS block list too.")
@click.option("--json", "for_programs", is_flag=True, help="Write JSON; docs/doctor.md describes it.")
@click.option("--offline", is_flag=True, help="Ask neither DNS nor the deployed app.")
@with_appcontext
def doctor(
    domain: str | None,
    message: BinaryIO | None,
    nameserver: str | None,
    block_lists: tuple[str, ...],
    for_programs: bool,
    offline: bool,
) -> None:
    """Say what is wrong, and how to mend it.

    It looks at the set-up of this app, the sending domain, a delivered sample and the deployed pages.

    Exit status: 0 when nothing fails, 1 when something does, 2 when the command was used wrongly.

    \b
    Example:
        flask optout doctor --message delivered.eml
    """
    from ..doctor.case import LONGEST_MESSAGE, Case, parse_domain, parse_nameserver
    from ..doctor.examine import examine
    from ..doctor.report import Report, as_json, write

    raw = None if message is None else message.read(LONGEST_MESSAGE + 1)
    try:
        state = current_state()
        case = Case.of(current_app.config, None if domain is None else parse_domain(domain), raw)
        asked = None if nameserver is None else parse_nameserver(nameserver)
        case = replace(case, nameserver=asked, block_lists=tuple(map(parse_domain, block_lists)))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if sys.stderr.isatty():
        click.echo("Looking at the app, its domain and its pages…", err=True)
    report = Report.of(case.author, examine(state, case, offline))
    if for_programs:
        click.echo(as_json(report))
    else:
        write(report, sys.stdout)
    sys.exit(report.exit_status)
