"""How a command that takes long shows on a terminal how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

#: A bar is told which share of the work is done, from 0 to 1.
Reach = Callable[[float], None]
PARTS = 100


@contextmanager
def progress(label: str) -> Iterator[Reach]:
    """A bar on a terminal; elsewhere its label alone.

    Each hundredth is drawn in turn, and no other figure, so it writes the same however many people there are.
    """
    with click.progressbar(length=PARTS, label=label, show_pos=False, show_eta=False) as bar:

        def reach(share: float) -> None:
            for _ in range(bar.pos, min(PARTS, int(share * PARTS))):
                bar.update(1)

        yield reach
        reach(1)
