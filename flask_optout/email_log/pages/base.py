"""The blueprint itself: its guard, its headers, its forms' proof of origin, its errors."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from flask import Response, abort, current_app, g, make_response, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.exceptions import BadRequest, NotFound

from ...errors import ConfigurationError, StoreUnavailable
from ...links.log_records import log_error
from ...pages.candidate import LONGEST_FORM, protect
from ...pages.languages import render
from ...pages.routing import PlacedBlueprint
from ...wiring import current_state
from ..ids import LARGEST_ID
from ..records import Email
from .guard import NAMELESS
from .times import Times

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
#: Seconds for which a form can be sent after it was shown: a working day.
FORM_AGE = 12 * 60 * 60

blueprint: PlacedBlueprint = PlacedBlueprint("optout_operator", __name__)
blueprint.after_request(protect)


def enter() -> None:
    """Take a request of an operator's: no body beyond that of a form, and a form only from a page of ours."""
    request.max_content_length = LONGEST_FORM
    if request.method == "POST":
        _check_form()


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
        form_token=lambda: _forms().dumps(g.optout_operator),  # a page without a form needs no store for its key
        **context,
    )


def title_of(id: str) -> str:
    """What the host calls an opportunity; it is asked once in a request."""
    titles: dict[str, str] = request.environ.setdefault("optout.titles", {})
    if id not in titles:
        titles[id] = current_state().opportunity(id).title or id
    return titles[id]


def found(id: int) -> Email:
    """The invitation of this id; 404 without one."""
    email = current_state().email_log.get(id) if id <= LARGEST_ID else None
    if email is None:
        abort(404)
    return email


def _forms() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        current_state().key.derive("operator-form"), salt="form", signer_kwargs={"digest_method": hashlib.sha256}
    )


def _check_form() -> None:
    """Take a form only from a page of ours, shown to this operator, and from this site.

    An operator's session is ambient: another site could otherwise have it send mail again.
    """
    if "csrf" in current_app.extensions and current_app.config["WTF_CSRF_ENABLED"]:
        current_app.extensions["csrf"].protect()
    origin, host = request.headers.get("Origin"), request.host
    site = request.headers.get("Sec-Fetch-Site")
    same_site = site == "same-origin" if site else origin is None or urlsplit(origin).netloc == host
    try:
        operator = _forms().loads(request.form.get("form_token", ""), max_age=FORM_AGE)
    except BadSignature:
        operator = None
    if not same_site or operator != g.optout_operator:
        abort(400)


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
