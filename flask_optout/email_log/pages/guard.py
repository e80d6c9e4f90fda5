"""Who is an operator: the host says so, with a check or with a decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from flask import g
from werkzeug.exceptions import HTTPException

from ...errors import ConfigurationError

#: A check, called without arguments for each request, or a decorator for views.
Guard = Callable[..., Any]
#: Gives the name of the operator at hand, or ``None`` when it is none.
Check = Callable[[], str | None]
#: The name in the audit of an operator whom the guard does not name.
NAMELESS = "operator"


def as_check(guard: Guard) -> Check:
    """Make one kind of check of what the host gave.

    What can be called without arguments is a check: its answer is true for an operator, and a string names them.
    Everything else is a decorator, as one puts on views: whom it lets through to the view is an operator.

    :raises ConfigurationError: when it cannot be called at all.
    """
    if not callable(guard):
        raise ConfigurationError(
            "The operator guard is neither a check nor a decorator.",
            "It alone decides who may read the Email Log.",
            "Give OptOut(db, operator=...) a function without arguments, or a decorator such as login_required.",
        )
    try:
        inspect.signature(guard).bind()
    except TypeError:
        passes = _passes(guard)
    else:
        passes = guard

    def check() -> str | None:
        try:
            answer = passes()
        except HTTPException:  # such as abort(403)
            return None
        if not answer:
            return None
        return answer if isinstance(answer, str) else NAMELESS

    return check


def _passes(decorator: Guard) -> Callable[[], bool]:
    def view() -> str:
        g.optout_guard_passed = True
        return ""

    guarded = decorator(view)

    def passes() -> bool:
        g.pop("optout_guard_passed", None)
        guarded()  # what it answers to outsiders, such as a redirect, would tell them that there is something
        return bool(g.pop("optout_guard_passed", False))

    return passes
