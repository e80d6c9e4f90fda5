"""How a command tells an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from ..errors import OptOutError


@contextmanager
def told() -> Iterator[None]:
    """Turn an error into its three sentences and exit status 1."""
    try:
        yield
    except OptOutError as error:
        raise click.ClickException(str(error)) from None
