"""The operator's blueprint: who may come in, its headers, its forms' proof of origin, its errors."""

from __future__ import annotations

import datetime
import hashlib
import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, make_response, request
from flask.globals import request_ctx
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.exceptions import BadRequest, NotFound

from ...errors import ConfigurationError, StoreUnavailable
from ...links.log_records import log, log_error
from ...pages.candidate import LONGEST_FORM, protect
from ...pages.routing import Place, PlacedBlueprint
from ...pages.words import render
from ...wiring import current_state
from .filters import Times

#: Is called without arguments for each request; answers True, False (or None), or the operator's name.
Guard = Callable[[], Any]
#: The name of an operator whom the guard does not name.
NAMELESS = "operator"
MEND = 'Write OptOut(db, operator=lambda: session.get("operator")), or what your login has in its place.'
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
#: Seconds for which a form can be sent after it was shown: a working day.
FORM_AGE = 12 * 60 * 60

blueprint: PlacedBlueprint = PlacedBlueprint("optout_operator", __name__)
blueprint.after_request(protect)


def checked(guard: Guard) -> Guard:
    """The guard.

    :raises ConfigurationError: when it cannot be called.
    """
    if not callable(guard):
        raise _wrong("The operator guard cannot be called.")
    return guard


def register(app: Flask, place: Place, guard: Guard) -> None:
    """Give the app these pages, for whom the guard affirms or names; to everybody else no such page is there."""

    def admit() -> bool:
        g.optout_operator = _asked(guard)
        return g.optout_operator is not None

    place.register_hidden(app, blueprint, f"{app.config['OPTOUT_URL_PREFIX']}/operator", admit)


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


def operator_name(guard: Guard) -> str | None:
    """The name of the current operator, or ``None`` where the guard does not answer True or a name.

    What it answers beyond its contract, or raises, is logged as an error: a truthy coroutine or proxy would let
    everybody in.
    """
    try:
        answer = guard()
    except Exception as error:
        *_, last = traceback.extract_tb(error.__traceback__)
        wrong = f"The operator guard raised {type(error).__name__} ({Path(last.filename).name}, line {last.lineno})."
    else:
        # By type(): a proxy says that it is an instance of whatever it stands for.
        if type(answer) is str and answer:
            return answer
        if type(answer) is bool or answer is None or type(answer) is str:
            return NAMELESS if answer is True else None
        if hasattr(answer, "close"):
            answer.close()  # a coroutine that nobody awaits would warn
        wrong = f"The operator guard answered a {type(answer).__name__}."
    log(current_app.logger, logging.ERROR, "guard_failed", _wrong(wrong))
    return None


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} It is a function without arguments that answers True, False or the operator's name.",
        "It alone decides who may read the Email Log, so whatever else it answers lets nobody in.",
        MEND,
    )


@blueprint.before_request
def check_form() -> None:
    """Take no more than a form, and that only from a page of ours, shown to this operator, and from this site.

    An operator's session is ambient: another site could otherwise have it send mail again.
    """
    request.max_content_length = LONGEST_FORM
    if request.method != "POST":
        return
    if "csrf" in current_app.extensions and current_app.config["WTF_CSRF_ENABLED"]:
        current_app.extensions["csrf"].protect()
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    same_site = site == "same-origin" if site else origin is None or urlsplit(origin).netloc == request.host
    try:
        operator = _forms().loads(request.form.get("form_token", ""), max_age=FORM_AGE)
    except BadSignature:
        operator = None
    if not same_site or operator != g.optout_operator:
        abort(400)


def _forms() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        current_state().key.derive("operator-form"), salt="form", signer_kwargs={"digest_method": hashlib.sha256}
    )


@blueprint.route("/<path:rest>", methods=METHODS)
def nothing(rest: str) -> str:
    """What is not there, as operators are told."""
    abort(404)


def page(template: str, **context: Any) -> str:
    """Render a page with what every operator page needs; for htmx, what stands in its frame."""
    frame = "_part.html" if "HX-Request" in request.headers else "base.html"
    return render(
        f"operator/{template}",
        layout=f"optout/operator/{frame}",
        times=Times.of_app(),
        home=current_app.config["OPTOUT_OPERATOR_HOME"],
        operator=None if g.optout_operator == NAMELESS else g.optout_operator,
        title_of=title_of,
        spelled=spelled,
        form_token=lambda: _forms().dumps(g.optout_operator),  # a page without a form needs no store for its key
        **context,
    )


def spelled(address: str) -> str:
    """An address, or an ``@`` and a domain, with the domain in its own script."""
    local, at, domain = address.rpartition("@")
    if "xn--" in domain:
        import idna

        with suppress(idna.IDNAError):
            return f"{local}{at}{idna.decode(domain)}"
    return address


def title_of(id: str) -> str:
    """What the host calls an opportunity; it is asked once in a request."""
    titles: dict[str, str] = request.environ.setdefault("optout.titles", {})
    if id not in titles:
        titles[id] = current_state().opportunity(id).title or id
    return titles[id]


def kept_for() -> datetime.timedelta:
    """How long the Email Log keeps an invitation."""
    return datetime.timedelta(days=current_app.config["OPTOUT_LOG_DAYS"])


@blueprint.errorhandler(NotFound)
def not_found(error: NotFound) -> tuple[str, int]:
    return page("not_found.html"), 404


@blueprint.errorhandler(BadRequest)
def stale_form(error: BadRequest) -> tuple[str, int]:
    return page("stale_form.html"), 400


@blueprint.errorhandler(StoreUnavailable)
@blueprint.errorhandler(ConfigurationError)
def unavailable(error: StoreUnavailable | ConfigurationError) -> Response:
    """Show the operator what is wrong, as it names a setting and nobody."""
    log_error(current_app.logger, error)
    return make_response(page("unavailable.html", error=error), 503)
