"""How commands are listed and end, and how one tells a count and how far it is."""

from __future__ import annotations

import io
import os
import re
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import click
from flask.cli import AppGroup

from ..addresses import Address, parse
from ..errors import AddressError, OptOutError

PARTS, WIDTH = 100, 80
EXIT_STATUS = """Exit status: 0 when it did what it says, 1 when something is wrong or you said no, 2 when it was used
wrongly."""


class Commands(AppGroup):
    """Commands in sections, each with its whole first sentence; an OptOutError ends one with exit status 1.

    That is also the error of an app that does not start, as each command loads the app when it is invoked.
    """

    def __init__(self, sections: Mapping[str, Sequence[click.Command]], **options: Any) -> None:
        super().__init__(**options)
        self._sections = sections
        for command in chain.from_iterable(sections.values()):
            if "Exit status" not in (command.help or ""):
                command.epilog = EXIT_STATUS
            self.add_command(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.commands))
        for title, commands in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(f"{each.name:{width}}", each.get_short_help_str(limit=200)) for each in commands]
                )

    def invoke(self, ctx: click.Context) -> object:
        if os.environ.get("NO_COLOR"):  # https://no-color.org
            ctx.color = False
        for name in ("stdin", "stdout", "stderr"):
            if getattr(sys, name) is None:  # as whoever started this has closed it
                setattr(sys, name, io.TextIOWrapper(io.BytesIO()))
        for stream in sys.stdout, sys.stderr:
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # as a file may have names that the terminal cannot write
        try:
            return super().invoke(ctx)
        except OptOutError as error:
            raise failure(str(error)) from None


def make_printable(text: str) -> str:
    """A text without what a terminal would obey, or cannot write."""
    return "".join(each if each.isprintable() else "?" for each in text)


def format_count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 row", "2,000 rows"."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def wrap(text: str) -> str:
    """A text in lines that fit 80 columns, behind the word "Error: "; a quoted command stays whole."""
    text = re.sub(r"(?<!\w)'[^'\n]*'(?!\w)", lambda command: command[0].replace(" ", "\0"), f"Error: {text}")
    options: dict[str, Any] = {"width": WIDTH, "break_long_words": False, "break_on_hyphens": False}
    lines = (textwrap.fill(line, **options) for line in text.split("\n"))
    return "\n".join(lines).replace("\0", " ").removeprefix("Error: ")


def say(text: str, err: bool = False) -> None:
    click.echo(wrap(text), err=err)


def failure(text: str) -> click.ClickException:
    """What ends a command with this text and exit status 1."""
    return click.ClickException(wrap(text))


def parse_typed(text: str, otherwise: str = "That is not an email address") -> Address:
    """The address that somebody typed; else they are told so, and why, without a quotation of it."""
    try:
        return parse(text)
    except AddressError as error:
        raise failure(f"{otherwise}: {error.what[0].lower()}{error.what[1:]}") from None


@contextmanager
def progress(label: str, unit: str = "") -> Iterator[Callable[..., None]]:
    """A bar with the time that is left on a terminal, nothing elsewhere.

    It yields a function that is told the share that is done, from 0 to 1, and how many units that are. Without a
    ``unit`` no rate is shown: it would tell how many people there are.
    """
    began, rate = time.monotonic(), ""
    file = sys.stderr if sys.stderr.isatty() else io.StringIO()
    looks: dict[str, Any] = {"label": label, "width": 24, "item_show_func": lambda item: item or None}
    with click.progressbar(length=PARTS, file=file, **looks) as bar:

        def reach(share: float, done: int = 0) -> None:
            nonlocal rate
            if unit and done:
                rate = f"{done / max(time.monotonic() - began, 0.001):,.0f} {unit}/s"
            for _ in range(bar.pos, min(PARTS, int(share * PARTS))):
                bar.update(1, rate)

        yield reach
        reach(1)
