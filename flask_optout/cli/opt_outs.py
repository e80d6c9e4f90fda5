"""``flask optout import``, ``mute`` and ``receive``: opt-outs from elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import PurePath
from typing import Any, BinaryIO

import click
from flask.cli import ScriptInfo, pass_script_info, with_appcontext

from ..choices.tables import SOURCE_SIZE
from ..errors import BadToken, ListError, OptOutError
from ..importing.columns import UNDECODED
from ..importing.lists import FORMATS, NO_OPT_OUTS, MuteList, MuteRow, Skipped
from ..links.tokens import ALL, check_opportunity
from ..wiring import current_state
from .terminal import failure, format_count, make_printable, parse_typed, progress, say, wrap

#: People in one transaction: each one rewrites most pages of an SQLite file, while other writers wait.
TOGETHER = 50_000
#: The name of standard input in Python.
STANDARD_INPUT = "<stdin>"
#: Most line numbers and unknown opportunities that are named, and most opportunities that are looked up.
NAMED, LOOKED_UP = 20, 1_000
#: Exit statuses for a mail server (sysexits.h): no such user, try again later.
NO_USER, TRY_AGAIN = 67, 75
#: Octets read for the headers of a message; the rest is read and ignored.
LONGEST_HEADERS = 65_536


@click.command("import")
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--opportunity", help="The opportunity of every row, for a list without that column.")
@click.option(
    "--format", type=click.Choice(FORMATS), help="A list: each row counts. An export: its columns say which."
)
@click.option("--encoding", help="By default UTF-8, or UTF-16 if the file begins with its byte order mark.")
@click.option("--column", help="The name or the number of the column with the address.")
@click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--list", "listing", is_flag=True, help="List the imports so far.")
@click.option("--json", "for_programs", is_flag=True, help="With --list, write JSON.")
@click.option("--undo", type=int, metavar="BATCH", help="Take an import back.")
@with_appcontext
def import_list(
    file: BinaryIO | None,
    dry_run: bool,
    yes: bool,
    listing: bool,
    for_programs: bool,
    undo: int | None,
    **how: str | None,
) -> None:
    """Add mutes from another system's CSV file.

    FILE may be - for standard input. It says how it understood the file and asks before it mutes anybody. It adds
    mutes and removes none. Rows that cannot be used are named by their line. Each import can be taken back: that
    removes its mutes, except those that a candidate has since confirmed, made or changed.

    \b
    Exit status: 0 when all rows were used or are no opt-outs, 1 when one
    could not be used, when you said no or the database did not take them,
    2 when it cannot be told what the file means.

    Example: flask optout import unsubscribes.csv --opportunity beta-42
    """
    if (file is not None) + listing + (undo is not None) != 1:
        raise click.UsageError("Give a FILE, --undo or --list.")
    if file is None and any(value is not None for value in how.values()):
        raise click.UsageError("An import is listed and taken back as a whole: leave out the options of a FILE.")
    if file is None:
        _take_back(undo, dry_run, yes) if undo is not None else _list_imports(for_programs)
        return
    if how["opportunity"] is not None:
        check_opportunity(how["opportunity"])
    name = make_printable(PurePath(getattr(file, "name", STANDARD_INPUT)).name)
    if name == STANDARD_INPUT and not (yes or dry_run):
        raise click.UsageError("Standard input brings the file, so it cannot bring an answer: add --yes.")
    with ExitStack() as stack:
        try:
            kept = stack.enter_context(tempfile.TemporaryFile())  # it is read twice, and may be a pipe
            shutil.copyfileobj(file, kept)
        except OSError as error:
            raise failure(f"The file cannot be read or copied: {error.strerror}.") from None
        _run_import(kept, name, how, dry_run, yes)


def _run_import(file: BinaryIO, name: str, how: dict[str, Any], dry_run: bool, yes: bool) -> None:
    size = file.tell()

    def measured(reach: Callable[[float, int], None]) -> Iterator[MuteRow | Skipped]:
        for count, row in enumerate(MuteList(file, **how)):
            yield row
            if count % 1_000 == 0:
                reach(file.tell() / size, count)

    try:
        columns = _describe_columns(MuteList(file, **how))
        with progress("Reading", "rows") as reach:
            good, skipped, about = _count(measured(reach))
    except ListError as error:
        raise click.UsageError(wrap(str(error))) from None
    except (LookupError, UnicodeError):
        raise click.BadParameter("the file is not in it, or there is none", param_hint="--encoding") from None
    click.echo(f"{name}:\n{columns}")
    for reason, (count, lines) in sorted(skipped.items()):
        _tell_skipped(reason, count, lines)
    click.echo(f"{format_count(good, 'row counts as an opt-out', 'rows count as opt-outs')}.")
    _warn_of_unknown(*about)
    if good and not dry_run:
        imports = current_state().imports
        if not yes:
            click.confirm("Mute now?", abort=True)
        with progress("Muting", "rows") as reach:
            number = imports.begin(name, good)
            entries = (row for row in measured(reach) if isinstance(row, MuteRow))
            mutes = ((address, row.opportunity) for row in entries for address in row.addresses)
            while together := list(islice(mutes, TOGETHER)):
                imports.add(number, together)
        # Do not say how many of them are new: it would reveal who had opted out.
        click.echo(f"{format_count(good, 'row is', 'rows are')} muted. This is import {number}. To take it back:")
        click.echo(f"    flask optout import --undo {number}")
    if skipped.keys() - NO_OPT_OUTS:
        raise click.exceptions.Exit(1)


def _count(rows: Iterator[MuteRow | Skipped]) -> tuple[int, dict[str, tuple[int, list[int]]], list[str]]:
    """Return how many rows count; of the others, by reason, number and first lines; and the first opportunities."""
    good, skipped, about = 0, dict[str, tuple[int, list[int]]](), dict[str, None]()
    for row in rows:
        if isinstance(row, MuteRow):
            good += 1
            if len(about) < LOOKED_UP:
                about[row.opportunity] = None
            continue
        count, lines = skipped.get(row.reason, (0, []))
        skipped[row.reason] = count + 1, lines if count >= NAMED else [*lines, row.line]
    return good, skipped, [*about]


def _tell_skipped(reason: str, count: int, lines: list[int]) -> None:
    fate = f"{format_count(count, 'row')} cannot be used"
    if reason in NO_OPT_OUTS:
        fate = f"{format_count(count, 'row does', 'rows do')} not count"
    named = f"line{'s' * (count > 1)} {', '.join(map(str, lines))}{', ...' * (count > len(lines))}"
    say(f"{fate}, {reason[0].lower()}{reason[1:]}: {named}.")


def _describe_columns(rows: MuteList) -> str:
    """Return what the columns mean, one on a line."""

    def named(place: int) -> str:
        name = make_printable(rows.names[place].replace(UNDECODED, ""))[:40]
        return f'column {place + 1} "{name}"' if name else f"column {place + 1}"

    columns, about = rows.columns, rows.columns.opportunity
    facts = {
        "address": named(columns.address),
        "opportunity": rows.opportunity if about is None else named(about),
        "opt-outs": f"\n{'':15}".join(named(place) for place, _ in columns.deciding) if rows.decided else "each row",
    }
    return "".join(f"  {name:13}{fact}\n" for name, fact in facts.items())


def _list_imports(for_programs: bool) -> None:
    imports = current_state().imports.all()
    if for_programs:
        click.echo(json.dumps([each._asdict() for each in imports], default=str, indent=2))
        return
    for each in imports:
        ending = ", taken back" * each.taken_back
        click.echo(f"{each.number:4}  {each.day}  {each.name[:40]:40}  {format_count(each.rows, 'row')}{ending}")
    if not imports:
        click.echo("There was no import.")


def _take_back(number: int, dry_run: bool, yes: bool) -> None:
    found = next((each for each in current_state().imports.all() if each.number == number), None)
    if found is None:
        raise click.UsageError(f"There is no import {number}; --list shows those that there are.")
    if dry_run or not yes:
        say(f"Import {number} is {found.name} of {found.day}, {format_count(found.rows, 'row')}.")
    if dry_run:
        return
    if not yes:
        click.confirm("Take it back?", abort=True)
    current_state().imports.take_back(number)
    # Do not say how many mutes that removed: it would reveal who had opted out themselves.
    click.echo(f"Import {number} is taken back. What candidates chose themselves stays.")


def _warn_of_unknown(*opportunities: str) -> None:
    """Warn of opportunities that the host's loader does not know."""
    state = current_state()
    if state.hooks.load is None:
        return
    unknown = (f"'{each}'" for each in opportunities if each != ALL and not state.load_opportunity(each).title)
    if named := [*islice(unknown, NAMED)]:
        named += ["others"] * (next(unknown, None) is not None)
        say(f"Warning: No opportunity {' or '.join(named)} is known.", err=True)


@click.command("mute")
@click.argument("address")
@click.argument("opportunity")
@click.option(
    "--source",
    default="operator",
    show_default=True,
    help=f"How you know of it, such as phone; stored as at most {SOURCE_SIZE} letters, digits and hyphens.",
)
@with_appcontext
def mute(address: str, opportunity: str, source: str) -> None:
    """Mute somebody who asked for it by phone or by letter.

    "*" as OPPORTUNITY is for all invitations. With - as ADDRESS, it reads many from standard input, one per line; if
    one cannot be used, none is muted. It warns if your loader does not know OPPORTUNITY. Its output is the same
    whatever they chose before, and only they can undo it, with their own link.

    Example: flask optout mute jane@example.org beta-42 --source phone
    """
    about = check_opportunity(opportunity)
    if address == "-":
        lines = sys.stdin.buffer.read().decode("utf-8-sig", "surrogateescape").split("\n")
        numbered = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
        people = [parse_typed(line, f"Line {number} is not an email address") for number, line in numbered]
    else:
        people = [parse_typed(address.strip())]
    if not people:
        raise failure("Standard input holds no address, so nobody is muted.")
    state = current_state()
    _warn_of_unknown(about)
    state.choices.add_mutes([(person, about) for person in people], source)
    click.echo(f"{format_count(len(people), 'address is', 'addresses are')} muted.")


@click.command("receive")
@click.option("--recipient", help="Envelope recipient; else ORIGINAL_RECIPIENT or a header such as X-Original-To.")
@click.option("--sender", help="Envelope sender; else the header Return-Path.")
@pass_script_info
def receive(info: ScriptInfo, recipient: str | None, sender: str | None) -> None:
    """Take one mail to OPTOUT_MAILTO from a mail server.

    It reads the mail from standard input, mutes the person whose address it was sent to, and never answers. Bounces
    mute nobody. It prints nothing unless it fails, as a mail server would send that back to the candidate.

    \b
    Exit status: 0 when it is done, 67 when the mail is not for this door,
    75 when it should be delivered again later, as when the app does not
    start, 2 when it was used wrongly.

    Example: flask optout receive --recipient "$ORIGINAL_RECIPIENT" < mail
    """
    message = sys.stdin.buffer.read(LONGEST_HEADERS)
    while sys.stdin.buffer.read(LONGEST_HEADERS):
        pass
    try:
        with info.load_app().app_context():
            current_state().receive(message, recipient or os.environ.get("ORIGINAL_RECIPIENT") or None, sender)
    except BadToken:
        sys.exit(NO_USER)
    except OptOutError as error:
        click.echo(error, err=True)
        sys.exit(TRY_AGAIN)
    # The app does not start; a traceback would be sent to the candidate.
    except (Exception, SystemExit) as error:
        click.echo(f"The app cannot be loaded ({type(error).__name__}).", err=True)
        sys.exit(TRY_AGAIN)
