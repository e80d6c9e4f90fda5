"""How a command tells an error, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from ..errors import OptOutError

PARTS = 100


@contextmanager
def told() -> Iterator[None]:
    """Turn an error into its three sentences and exit status 1."""
    try:
        yield
    except OptOutError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def progress(label: str) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal, which is told the share that is done, from 0 to 1; elsewhere its label alone.

    Each hundredth is drawn in turn, and no other figure, so it writes the same however many people there are.
    """
    with click.progressbar(length=PARTS, label=label, show_pos=False, show_eta=False) as bar:

        def reach(share: float) -> None:
            for _ in range(bar.pos, min(PARTS, int(share * PARTS))):
                bar.update(1)

        yield reach
        reach(1)
