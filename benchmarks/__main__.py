"""Measures every figure of docs/performance.md: ``python -m benchmarks``, with few rows, or ``--full``."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import click

from . import invitable, links, pages, rotation, sending, writers
from .harness import machine, say, table

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
#: A small run on a busy machine may be this many times worse.
SLACK = 4.0


@click.command()
@click.option("--full", is_flag=True, help="At the sizes that the figures are promised for; takes long.")
@click.option("--check", is_flag=True, help="Fail when a figure misses its bound by far.")
@click.option("--peers", is_flag=True, help="Also measure other libraries that filter recipients.")
@click.option("--write", is_flag=True, help="Put the table into docs/performance.md.")
def main(full: bool, check: bool, peers: bool, write: bool) -> None:
    """Measure and print the table."""
    parts = (
        sending.rows(full),
        pages.rows(full),
        invitable.rows(full, peers),
        links.rows(),
        writers.rows(full),
        rotation.rows(full),
    )
    figures = []
    for row in itertools.chain.from_iterable(parts):
        say(table([row]).rpartition("\n")[2])
        figures.append(row)
    text = f"{machine()}.\n\n{table(figures)}\n"
    print(text)
    if write:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    late = [row for row in figures if not row.meets(SLACK)]
    if check and late:
        say(f"{len(late)} figures are more than {SLACK} times past their bounds")
        sys.exit(1)


if __name__ == "__main__":
    main()
