"""The list of the Email Log with its saved filters, and one invitation of it."""

from __future__ import annotations

import datetime
from email import policy
from email.message import EmailMessage
from typing import Any

from flask import Response, current_app, make_response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from ...addresses import holds_control, parse
from ...links.tokens import Door
from ...pages.languages import translate
from ...pages.routing import optout_url
from ...wiring import current_state
from ..saved_filters import SavedFilter
from ..tables import NAME_SIZE
from .base import blueprint, found, page
from .filters import FilterForm
from .times import Times

#: Known opportunities that the filter's field suggests.
SUGGESTIONS = 50
#: Headers that say how parts are encoded, which is done anew.
OF_THE_PARTS = ("mime-version", "content-type", "content-transfer-encoding")
#: A message may quote anybody, so in its frame no script runs, no form is sent and no link is followed.
PREVIEW_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:{others}; frame-ancestors 'self'; sandbox"


@blueprint.get("/", strict_slashes=False)  # a redirect would tell outsiders
def entries() -> str | Response:
    """List what fits the filter in the URL, newest first."""
    wanted = FilterForm(request.args, Times.of_app())
    if "HX-Request" not in request.headers:
        return _list(wanted)
    response = make_response(page("_entries.html", **_found(wanted), swapped=True))
    response.headers["HX-Push-Url"] = _list_url(wanted)
    return response


@blueprint.post("/filters")
def save_filter() -> BaseResponse | tuple[str, int]:
    """Save a filter for the whole app, or for the opportunity that it is about."""
    wanted, name = FilterForm(request.form, Times.of_app()), request.form.get("name", "").strip()
    if wanted.errors or not 0 < len(name) <= NAME_SIZE or not name.isprintable():
        return _list(wanted, translate("A filter needs a name of at most 80 characters.")), 400
    scope = wanted.values["opportunity"] if request.form.get("scope") == "opportunity" else ""
    current_state().saved_filters.save(SavedFilter(scope, name, wanted.query_string))
    return redirect(_list_url(wanted), 303)


@blueprint.post("/filters/delete")
def delete_filter() -> BaseResponse:
    """Delete a saved filter; what it found stays."""
    current_state().saved_filters.delete(request.form.get("opportunity", ""), request.form.get("name", ""))
    return redirect(_list_url(FilterForm(request.form, Times.of_app())), 303)


def _list(wanted: FilterForm, error: str | None = None) -> str:
    state = current_state()
    saved = state.saved_filters.of(wanted.values["opportunity"])
    opportunities = state.email_log.opportunities(SUGGESTIONS)
    return page("entries.html", saved=saved, opportunities=opportunities, error=error, **_found(wanted))


def _list_url(wanted: FilterForm) -> str:
    return f"{optout_url('optout_operator.entries')}?{wanted.query_string}"


def _found(wanted: FilterForm) -> dict[str, Any]:
    before = request.args.get("before", type=int)
    found = None if wanted.errors else current_state().email_log.search(wanted.criteria, before)
    return {"filter": wanted, "found": found, "before": before, "kept": _kept_for()}


@blueprint.get("/<int:id>")
def entry(id: int) -> str:
    """Show one invitation: its text, its html in a frame where nothing runs, or its headers."""
    email, state = found(id), current_state()
    parts = [part for part in ("text", "html", "headers") if getattr(email, part)]
    part = request.args.get("part", "")
    return page(
        "entry.html",
        email=email,
        expires=email.time + _kept_for(),
        parts=parts,
        part=part if part in parts else parts[0],
        remote="remote" in request.args,
        resends=state.resends.of(email),
        ask_url=state.ask_links.url(Door.ASK, parse(email.recipient), email.opportunity),
    )


@blueprint.get("/<int:id>/html")
def preview(id: int) -> Response:
    """The html part, for the frame; pictures from elsewhere only when asked for."""
    response = make_response(found(id).html or "")
    others = " https: http:" if "remote" in request.args else ""
    response.headers["Content-Security-Policy"] = PREVIEW_CSP.format(others=others)
    return response


@blueprint.get("/<int:id>.eml")
def download(id: int) -> Response:
    """The invitation as a mail file, as it is kept."""
    email = found(id)
    message = EmailMessage(policy.SMTP)
    for line in email.headers.split("\n"):
        name, _, value = line.partition(": ")
        if name not in message and name.lower() not in OF_THE_PARTS:
            value = " ".join(value.splitlines())  # at line separators that SMTP does not know
            message[name] = value.replace("=?", "= ?") if holds_control(value) else value
    if email.text is not None:
        message.set_content(email.text)
    if email.html is not None and email.text is not None:
        message.add_alternative(email.html, subtype="html")
    elif email.html is not None:
        message.set_content(email.html, subtype="html")
    response = Response(message.as_bytes(), mimetype="message/rfc822")
    response.headers["Content-Disposition"] = f'attachment; filename="invitation-{id}.eml"'
    return response


def _kept_for() -> datetime.timedelta:
    return datetime.timedelta(days=current_app.config["OPTOUT_LOG_DAYS"])
