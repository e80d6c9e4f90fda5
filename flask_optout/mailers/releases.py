"""Check that the installed release of a mail library sends only in the ways that its adapter gates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from ..errors import ConfigurationError, NotGated

#: Names of public methods that may send mail.
WAY_OUT = re.compile(r"(?!_|get_).*(?:send|deliver|dispatch|connect|queue|submit)")


def check_library(distribution: str, classes: Mapping[Any, set[str]], tried: Mapping[str, bool]) -> None:
    """Refuse a release of a mail library that its adapter does not fit.

    :param classes: the library's classes, each with the names of the methods that send mail or that the adapter
        overrides.
    :param tried: the ways out that were tried, and whether each met the gate.
    :raises ConfigurationError: when the installed release has another way out, or lacks a method.
    """
    misfits = [way for way, gated in tried.items() if not gated]
    for kind, known in classes.items():
        ways, there = {name for name in dir(kind) if WAY_OUT.match(name)}, {*dir(kind)}
        misfits += [f"{kind.__name__}.{name}" for name in sorted(ways - known | known - there)]
    if misfits:
        raise ConfigurationError(
            f"The adapter does not fit {distribution} {version(distribution)} ({', '.join(misfits)}).",
            "Mail might leave by a way that does not pass the gate, so none is sent.",
            f"Install a release of {distribution} that the manual names, or a newer Flask-OptOut.",
        )


def is_gated(serialise: Callable[[], object]) -> bool:
    """Return whether the gate stops the library from serialising an invitation in this way."""
    try:
        serialise()
    except NotGated:
        return True
    except Exception:
        return False
    return False
