"""The operator's blueprint: access, where forms must come from, the layout of pages, and their errors."""

from __future__ import annotations

import datetime
import inspect
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Flask, Response, abort, current_app, g, make_response, request
from flask.globals import request_ctx
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.sansio.utils import get_host

from ..errors import ConfigurationError, StoreUnavailable
from ..links.log_records import log, log_error
from ..pages.candidate import LONGEST_FORM, leave_the_hosts_page, protect
from ..pages.routing import Place, PlacedBlueprint
from ..pages.words import render
from ..wiring import current_state
from .records import Times

#: Called without arguments for each request; returns True, False (or None), or the operator's name.
Guard = Callable[[], Any]
#: The name of an operator whom the guard does not name.
NAMELESS = "operator"

blueprint: PlacedBlueprint = PlacedBlueprint("optout_operator", __name__)
blueprint.after_request(protect)


def register(app: Flask, place: Place, guard: Guard) -> None:
    """Register these pages for operators whom the guard admits; for everybody else no such page exists.

    :raises ConfigurationError: when the guard cannot be called.
    """
    if not callable(guard):
        raise _wrong("The operator guard cannot be called.")
    place.register_hidden(app, blueprint, f"{app.config['OPTOUT_URL_PREFIX']}/operator", lambda: _admit(guard))


def _admit(guard: Guard) -> bool:
    """Return whether an operator asks. If not, no Vary header may reveal that the guard read the session."""
    parts = vars(request_ctx._get_current_object())  # type: ignore[attr-defined]
    # By its attribute, as its property would mark the session as accessed.
    session = parts["_session"] if "_session" in parts else parts["session"]
    marks = session.accessed, session.modified
    g.optout_operator = _ask_guard(guard)
    if g.optout_operator is None:
        session.accessed, session.modified = marks
    return g.optout_operator is not None


def _ask_guard(guard: Guard) -> str | None:
    """Return the operator's name, or ``None`` unless the guard returns True or a name.

    An exception, or an answer of any other type, is logged: a truthy coroutine or proxy would let everybody in.
    """
    try:
        answer = guard()
    except Exception as error:
        *_, last = traceback.extract_tb(error.__traceback__)
        wrong = f"The operator guard raised {type(error).__name__} ({Path(last.filename).name}, line {last.lineno})."
    else:
        # By type(), as a proxy claims to be an instance of the type it stands for.
        if answer is None or type(answer) in (bool, str):
            return NAMELESS if answer is True else answer or None
        if inspect.iscoroutine(answer):
            answer.close()  # or Python warns that it was never awaited
        wrong = f"The operator guard answered a {type(answer).__name__}."
    log(current_app.logger, logging.ERROR, "guard_failed", _wrong(wrong))
    return None


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} It is a function without arguments that answers True, False or the operator's name.",
        "It alone decides who may read the Email Log, so whatever else it answers lets nobody in.",
        'Write OptOut(db, operator=lambda: session.get("operator")), or what your login has in its place.',
    )


@blueprint.before_request
def check_request() -> None:
    """Load a boosted link as a new page; accept forms from this site only, as another could use the operator's login.

    A POST that names no site is from no browser: they send Origin with every POST (Fetch standard, section 3.2).
    """
    if (anew := leave_the_hosts_page()) is not None:
        abort(anew)
    request.max_content_length = LONGEST_FORM
    if request.method != "POST":
        return
    site = request.headers.get("Sec-Fetch-Site")
    page = request.headers.get("Origin") or request.headers.get("Referer", "")  # browsers send only these over http
    base = urlsplit(current_app.config["OPTOUT_BASE_URL"].lower())
    ours = request.host, get_host(base.scheme, base.netloc)  # behind a proxy, Host may be the proxy's
    if site:
        is_foreign = site != "same-origin"
    else:
        is_foreign = bool(page) and page.partition("://")[2].partition("/")[0] not in ours
    if is_foreign:
        abort(400)


def render_page(template: str, **context: Any) -> str:
    """Render a page with what every operator page needs; for htmx, without the page around it."""
    frame = "_part.html" if "HX-Request" in request.headers else "base.html"
    return render(
        f"operator/{template}",
        layout=f"optout/operator/{frame}",
        times=get_times(),
        home=current_app.config["OPTOUT_OPERATOR_HOME"],
        kept=datetime.timedelta(days=current_app.config["OPTOUT_LOG_DAYS"]),
        operator=None if g.optout_operator == NAMELESS else g.optout_operator,
        title_of=get_title,
        **context,
    )


def get_times() -> Times:
    return Times(ZoneInfo(current_app.config["OPTOUT_TIMEZONE"]))


def get_title(id: str) -> str:
    """Return the host's title of an opportunity, or else its id; the loader is asked once per request."""
    titles: dict[str, str] = request.environ.setdefault("optout.titles", {})
    if id not in titles:
        titles[id] = current_state().load_opportunity(id).title or id
    return titles[id]


@blueprint.errorhandler(NotFound)
def not_found(error: NotFound) -> tuple[str, int]:
    return render_page("not_found.html"), 404


@blueprint.errorhandler(BadRequest)
def foreign_form(error: BadRequest) -> tuple[str, int]:
    return render_page("foreign_form.html"), 400


@blueprint.errorhandler(StoreUnavailable)
@blueprint.errorhandler(ConfigurationError)
def unavailable(error: StoreUnavailable | ConfigurationError) -> Response:
    """Show the error to the operator; it names a setting and no person."""
    log_error(current_app.logger, error)
    return make_response(render_page("unavailable.html", error=error), 503)
