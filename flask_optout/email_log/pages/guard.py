"""Who is an operator: the host's own callable says so, and to everybody else no operator page is there."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, current_app, g, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map

from ...errors import ConfigurationError
from ...links.log_filter import log

#: Is called without arguments for each request; answers True, False (or None), or the operator's name.
Guard = Callable[[], Any]
#: Where the pages stand below the prefix; it is in the path of each of them.
SEGMENT = "/operator"
#: The name of an operator whom the guard does not name.
NAMELESS = "operator"
MEND = 'Write OptOut(db, operator=lambda: session.get("operator")), or what your login has in its place.'


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
        *_, last = traceback.extract_tb(error.__traceback__)
        place = f"{Path(last.filename).name}, line {last.lineno}"
        _report(f"The operator guard raised {type(error).__name__} ({place}).")
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


def stand_before(app: Flask, endpoints: str, guard: Guard, enter: Callable[[], None]) -> None:
    """Route operators to the pages whose endpoints begin so; everybody else gets the app's answer without them.

    The guard is asked when the app's own functions before the request have seen an unknown URL, and loaded its user.
    So the app's map of URLs, its error handlers and whatever looks at an endpoint have nothing to tell.

    :param enter: is called when an operator has come in.
    """
    pages = Map(host_matching=app.url_map.host_matching)
    for rule in [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(endpoints)]:
        page: Any = rule.empty()
        page.build_only, page.provide_automatic_options = False, rule.provide_automatic_options  # type: ignore[attr-defined]
        pages.add(page)
    preprocess: Any = app.preprocess_request

    def preprocess_request(*args: Any) -> Any:
        answer = preprocess(*args)
        # A look at the path first: every request of the app comes by here.
        if answer is None and SEGMENT in request.path and _routed(app, pages, guard):
            enter()
        return answer

    app.preprocess_request = preprocess_request  # type: ignore[method-assign]


def _routed(app: Flask, pages: Map, guard: Guard) -> bool:
    """Route the request to a page, if it asks for one and an operator sends it."""
    adapter: Any = app.create_url_adapter(request)
    adapter.map = pages
    rule, values, exception = None, None, None
    try:
        rule, values = adapter.match(return_rule=True)
    except NotFound:
        return False
    except HTTPException as error:  # such as of a method
        exception = error
    name = _asked(guard)
    if name is None:
        return False
    request.url_rule, request.view_args, request.routing_exception = rule, values, exception
    g.optout_operator = name
    return True


def _asked(guard: Guard) -> str | None:
    """The name of the operator; of anybody else, the session keeps no trace of the look, such as a Vary header."""
    parts = vars(request_ctx._get_current_object())  # type: ignore[attr-defined]
    # By its attribute: Flask takes a session that was asked for by its name as accessed.
    session = parts["_session"] if "_session" in parts else parts["session"]
    marks = {mark: getattr(session, mark) for mark in ("accessed", "modified")}
    name = operator_name(guard)
    if name is None:
        for mark, value in marks.items():
            setattr(session, mark, value)
    return name


def _report(what: str) -> None:
    log(current_app.logger, logging.ERROR, "guard_failed", _wrong(what))


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} It is a function without arguments that answers True, False or the operator's name.",
        "It alone decides who may read the Email Log, so whatever else it answers lets nobody in.",
        MEND,
    )
