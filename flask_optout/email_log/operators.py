"""The operator's blueprint: who may come in, where forms must come from, the frame of each page, its errors."""

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

#: Is called without arguments for each request; answers True, False (or None), or the operator's name.
Guard = Callable[[], Any]
#: The name of an operator whom the guard does not name.
NAMELESS = "operator"

blueprint: PlacedBlueprint = PlacedBlueprint("optout_operator", __name__)
blueprint.after_request(protect)


def register(app: Flask, place: Place, guard: Guard) -> None:
    """Give the app these pages, for whom the guard affirms or names; to everybody else no such page is there.

    :raises ConfigurationError: when the guard cannot be called.
    """
    if not callable(guard):
        raise _wrong("The operator guard cannot be called.")
    place.register_hidden(app, blueprint, f"{app.config['OPTOUT_URL_PREFIX']}/operator", lambda: _admit(guard))


def _admit(guard: Guard) -> bool:
    """Whether an operator asks. For anybody else the session stays as if it was not read, without a Vary header."""
    parts = vars(request_ctx._get_current_object())  # type: ignore[attr-defined]
    # By its attribute: asked for by its name, Flask would mark it as accessed.
    session = parts["_session"] if "_session" in parts else parts["session"]
    marks = session.accessed, session.modified
    g.optout_operator = _ask_guard(guard)
    if g.optout_operator is None:
        session.accessed, session.modified = marks
    return g.optout_operator is not None


def _ask_guard(guard: Guard) -> str | None:
    """The name of the current operator, or ``None`` where the guard does not answer True or a name.

    What it raises, or answers beyond its contract, is logged: a truthy coroutine or proxy would let everybody in.
    """
    try:
        answer = guard()
    except Exception as error:
        *_, last = traceback.extract_tb(error.__traceback__)
        wrong = f"The operator guard raised {type(error).__name__} ({Path(last.filename).name}, line {last.lineno})."
    else:
        # By type(): a proxy says that it is an instance of whatever it stands for.
        if answer is None or type(answer) in (bool, str):
            return NAMELESS if answer is True else answer or None
        if inspect.iscoroutine(answer):
            answer.close()  # a coroutine that nobody awaits would warn
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
    """Open a boosted link anew; take a form only from a page of this site, as another could use the operator's login.

    What names no site at all is no browser, which sends Origin with each POST (Fetch standard, section 3.2).
    """
    if (anew := leave_the_hosts_page()) is not None:
        abort(anew)
    request.max_content_length = LONGEST_FORM
    if request.method != "POST":
        return
    site = request.headers.get("Sec-Fetch-Site")
    page = request.headers.get("Origin") or request.headers.get("Referer", "")  # what a browser sends over http
    base = urlsplit(current_app.config["OPTOUT_BASE_URL"].lower())
    ours = request.host, get_host(base.scheme, base.netloc)  # Host may be a proxy's
    if site:
        is_foreign = site != "same-origin"
    else:
        is_foreign = bool(page) and page.partition("://")[2].partition("/")[0] not in ours
    if is_foreign:
        abort(400)


def render_page(template: str, **context: Any) -> str:
    """Render a page with what every operator page needs; for htmx, what stands in its frame."""
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
    """What the host calls an opportunity; it is asked once in a request."""
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
    """Show the operator what is wrong, as it names a setting and nobody."""
    log_error(current_app.logger, error)
    return make_response(render_page("unavailable.html", error=error), 503)
