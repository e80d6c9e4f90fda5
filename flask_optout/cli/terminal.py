"""How commands are listed and end, and how they print counts, long texts and progress."""

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
    """Lists commands in sections, each with its whole first sentence; an OptOutError ends one with exit status 1.

    That includes an app that does not start, as each command loads the app when it is invoked.
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
            if getattr(sys, name) is None:  # the parent process has closed it
                setattr(sys, name, io.TextIOWrapper(io.BytesIO()))
        for stream in sys.stdout, sys.stderr:
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # for names that the terminal cannot encode
        try:
            return super().invoke(ctx)
        except OptOutError as error:
            raise failure(str(error)) from None


def make_printable(text: str) -> str:
    """Replace the characters that a terminal would obey, or cannot show."""
    return "".join(each if each.isprintable() else "?" for each in text)


def format_count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: "1 row", "2,000 rows"."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def wrap(text: str) -> str:
    """Wrap a text to 80 columns, as it follows the word "Error: "; a quoted command stays whole."""
    text = re.sub(r"(?<!\w)'[^'\n]*'(?!\w)", lambda command: command[0].replace(" ", "\0"), f"Error: {text}")
    options: dict[str, Any] = {"width": WIDTH, "break_long_words": False, "break_on_hyphens": False}
    lines = (textwrap.fill(line, **options) for line in text.split("\n"))
    return "\n".join(lines).replace("\0", " ").removeprefix("Error: ")


def say(text: str, err: bool = False) -> None:
    click.echo(wrap(text), err=err)


def failure(text: str) -> click.ClickException:
    """Return the exception that ends a command with this text and exit status 1."""
    return click.ClickException(wrap(text))


def parse_typed(text: str, otherwise: str = "That is not an email address") -> Address:
    """Parse a typed address; the error says why it is none, without quoting it."""
    try:
        return parse(text)
    except AddressError as error:
        raise failure(f"{otherwise}: {error.what[0].lower()}{error.what[1:]}") from None


@contextmanager
def progress(label: str, unit: str = "") -> Iterator[Callable[..., None]]:
    """Show a progress bar with the remaining time on a terminal, nothing elsewhere.

    Yield a function that takes the share done, from 0 to 1, and the number of units done. Without a ``unit`` no rate
    is shown: it would reveal how many people there are.
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
