"""``flask optout import`` and ``flask optout mute``: mutes from elsewhere."""

from __future__ import annotations

import codecs
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath
from typing import BinaryIO

import click
from flask.cli import with_appcontext

from ..addresses import Address, parse
from ..errors import AddressError, ListError
from ..importing.lists import FORMATS, Entry, MuteList, Skipped
from ..links.tokens import checked_opportunity
from ..wiring import current_state
from .terminal import progress, told

#: People in one transaction: each rewrites most of the pages of an SQLite file, and other writers wait for it.
TOGETHER = 50_000
#: What Python calls it.
STANDARD_INPUT = "<stdin>"
#: Line numbers that are named for one reason.
NAMED = 20


def _known(context: click.Context, parameter: click.Parameter, encoding: str | None) -> str | None:
    try:
        if encoding is None or codecs.lookup(encoding)._is_text_encoding:
            return encoding
    except LookupError:
        pass
    raise click.BadParameter("there is no such encoding")


@click.command("import")
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--opportunity", help="The opportunity of every row, for a list without that column.")
@click.option(
    "--format", type=click.Choice(FORMATS), help="A list: each row counts. An export: its columns say which."
)
@click.option("--encoding", callback=_known, help="Unset, UTF-8, or UTF-16 where the file begins so.")
@click.option("--column", help="The name or the number of the column with the address.")
@click.option("--dry-run", is_flag=True, help="Say what would be muted, and mute nobody.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--list", "listing", is_flag=True, help="Show the imports there were.")
@click.option("--undo", type=int, metavar="BATCH", help="Take an import back.")
@with_appcontext
def import_list(
    file: BinaryIO | None,
    opportunity: str | None,
    format: str | None,
    encoding: str | None,
    column: str | None,
    dry_run: bool,
    yes: bool,
    listing: bool,
    undo: int | None,
) -> None:
    """Add mutes from another system: a CSV FILE, or - for standard input.

    It says what it understood of the file and asks before it mutes anybody. It adds mutes and removes none. Rows
    that cannot be used are named by their line. Each import can be taken back: that removes its mutes, but for those
    that a candidate has confirmed, made or changed since.

    \b
    Exit status: 0 when all rows were used or are no opt-outs, 1 when one
    could not be used, when you said no or the database did not take them,
    2 when it cannot be told what the file means.

    \b
    Example:
        flask optout import unsubscribes.csv --opportunity beta-42
    """
    if (file is not None) + listing + (undo is not None) != 1:
        raise click.UsageError("Give a FILE, --undo or --list.")
    if listing:
        _list()
    elif undo is not None:
        _take_back(undo, yes)
    elif file is not None:
        name = PurePath(getattr(file, "name", STANDARD_INPUT)).name
        if name == STANDARD_INPUT and not (yes or dry_run):
            raise click.UsageError("Standard input brings the file, so it cannot bring an answer: add --yes.")
        with _seekable(file) as source:
            _import(source, name, (opportunity, format, encoding, column), dry_run, yes)


def _import(file: BinaryIO, name: str, how: tuple[str | None, ...], dry_run: bool, yes: bool) -> None:
    size = file.seek(0, os.SEEK_END)

    def rows() -> MuteList:
        file.seek(0)
        return MuteList(file, *how)

    def measured(reach: Callable[[float], None]) -> Iterator[Entry | Skipped]:
        for count, row in enumerate(rows()):
            yield row
            if count % 1_000 == 0:
                reach(file.tell() / size)

    try:
        columns = _understood(rows(), how[0])
        with progress("Reading") as reach:
            good, skipped = _counted(measured(reach))
    except ListError as error:
        raise click.UsageError(str(error)) from None
    click.echo(f"{name}: {columns}")
    for reason, lines in sorted(skipped.items()):
        click.echo(f"Rows that do not count, {reason}: {lines}.")
    click.echo(f"Rows that count as opt-outs: {good}.")
    if good and not dry_run:
        if not yes:
            click.confirm("Mute them?", abort=True)
        with told(), progress("Muting") as reach:
            number = current_state().imports.begin(name, good)
            click.echo(f"This is import {number}. To take it back: flask optout import --undo {number}")
            mutes = _mutes(measured(reach))
            while together := list(islice(mutes, TOGETHER)):
                current_state().imports.add(number, together)
        # What was stored already is not said: it would tell who had opted out.
        click.echo(f"Rows that are muted: {good}.")
    if any(lines.bad for lines in skipped.values()):
        raise click.exceptions.Exit(1)


@dataclass
class _Lines:
    """Rows that do not count for one reason: how many, and where the first of them stand."""

    bad: bool
    count: int = 0
    first: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        more = ", ..." if self.count > len(self.first) else ""
        return f"{self.count} (line {', '.join(map(str, self.first))}{more})"


def _counted(rows: Iterable[Entry | Skipped]) -> tuple[int, dict[str, _Lines]]:
    """How many rows count, and the others by reason."""
    good, skipped = 0, dict[str, _Lines]()
    for row in rows:
        if isinstance(row, Entry):
            good += 1
            continue
        lines = skipped.setdefault(row.reason, _Lines(row.bad))
        lines.count += 1
        if lines.count <= NAMED:
            lines.first.append(row.line)
    return good, skipped


def _mutes(rows: Iterable[Entry | Skipped]) -> Iterator[tuple[Address, str]]:
    for row in rows:
        if isinstance(row, Entry):
            yield from ((address, row.opportunity) for address in row.addresses)


def _understood(rows: MuteList, opportunity: str | None) -> str:
    """What the columns mean."""
    about = (
        f"opportunity {opportunity}" if opportunity else f"opportunity in {_named(rows, rows.columns.opportunity)}"
    )
    what = f"address in {_named(rows, rows.columns.address)}, {about}"
    if not rows.decided:
        return f"{what}; each row counts as an opt-out."
    return f"{what}; who opted out in {', '.join(_named(rows, place) for place in rows.columns.deciding)}."


def _named(rows: MuteList, place: int | None) -> str:
    assert place is not None
    name = "".join(each if each.isprintable() else "?" for each in rows.names[place])[:60]
    return f'column {place + 1} "{name}"' if name else f"column {place + 1}"


@contextmanager
def _seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """The file; what comes through a pipe is kept for a second reading."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as kept:
        shutil.copyfileobj(file, kept)
        yield kept


def _list() -> None:
    with told():
        imports = current_state().imports.all()
    for each in imports:
        ending = ", taken back" if each.taken_back else ""
        click.echo(f"{each.number}: {each.day}, {each.name}, rows that counted: {each.rows}{ending}")
    if not imports:
        click.echo("There was no import.")


def _take_back(number: int, yes: bool) -> None:
    with told():
        found = [each for each in current_state().imports.all() if each.number == number]
    if not found:
        raise click.UsageError(f"There is no import {number}; --list shows those that there are.")
    if not yes:
        click.confirm(f"Take back the import of {found[0].name} of {found[0].day}?", abort=True)
    with told():
        current_state().imports.take_back(number)
    # How many mutes that were is not said: it would tell who had opted out by themselves.
    click.echo(f"Import {number} is taken back. What candidates said themselves stands.")


@click.command("mute")
@click.argument("address")
@click.argument("opportunity")
@click.option("--source", default="operator", show_default=True, help="How you know of it, such as phone.")
@with_appcontext
def mute(address: str, opportunity: str, source: str) -> None:
    """Mute ADDRESS for OPPORTUNITY, as somebody asked for on the phone; "*" is for all invitations.

    With - as ADDRESS, it reads many from standard input, one on a line; none is muted when one cannot be used. It
    says the same whatever they had said before, and there is no way back but the candidate's own link.

    \b
    Exit status: 0 when they are muted, 1 when an address cannot be used or
    the database did not take them.

    \b
    Example:
        flask optout mute jane@example.org beta-42 --source phone
    """
    given = sys.stdin.read().split("\n") if address == "-" else [address]
    with told():
        about = checked_opportunity(opportunity)
        people = [(_parsed(number, line), about) for number, line in enumerate(given, 1) if line.strip()]
        current_state().choices.add_mutes(people, source)
    click.echo(f"Addresses that are muted: {len(people)}.")


def _parsed(number: int, line: str) -> Address:
    try:
        return parse(line.strip())
    except AddressError as error:
        raise AddressError(f"Address {number}: {error.what}", error.why, error.mend) from None
