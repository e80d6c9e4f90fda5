"""Who is an operator: the host's own callable says so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import current_app

from ...errors import ConfigurationError
from ...links.log_filter import log

#: Is called without arguments for each request; answers True, False (or None), or the operator's name.
Guard = Callable[[], Any]
#: The name of an operator whom the guard does not name.
NAMELESS = "operator"
MEND = 'Write OptOut(db, operator=lambda: current_user.is_authenticated and current_user.has_role("operator")).'


def checked(guard: Guard) -> Guard:
    """The guard.

    :raises ConfigurationError: when it cannot be called.
    """
    if not callable(guard):
        raise _wrong("The operator guard cannot be called.")
    return guard


def operator_name(guard: Guard) -> str | None:
    """The name of the current operator, or ``None`` where the guard does not answer True or a name.

    What it answers beyond its contract, or raises, is logged as an error: a truthy coroutine or proxy would let
    everybody in.
    """
    try:
        answer = guard()
    except Exception as error:
        _report(f"The operator guard raised {type(error).__name__}.")
        return None
    # By type(): a proxy says that it is an instance of whatever it stands for.
    if type(answer) is str and answer:
        return answer
    if type(answer) is bool or answer is None or type(answer) is str:
        return NAMELESS if answer is True else None
    if hasattr(answer, "close"):
        answer.close()  # a coroutine that nobody awaits would warn
    _report(f"The operator guard answered a {type(answer).__name__}.")
    return None


def _report(what: str) -> None:
    log(current_app.logger, logging.ERROR, "guard_failed", _wrong(what))


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} It is a function without arguments that answers True, False or the operator's name.",
        "It alone decides who may read the Email Log, so whatever else it answers lets nobody in.",
        MEND,
    )
