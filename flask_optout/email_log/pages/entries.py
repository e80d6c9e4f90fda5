"""The list of the Email Log, and one invitation of it."""

from __future__ import annotations

import datetime
from email import policy
from email.message import EmailMessage
from typing import Any

from flask import Response, current_app, make_response, request

from ...addresses import holds_control, parse
from ...links.tokens import Door
from ...pages.routing import optout_url
from ...wiring import current_state
from ..records import Email
from .base import CSP, blueprint, found, page
from .filters import Filter
from .times import Times

#: Known opportunities that the filter's field suggests.
SUGGESTIONS = 50
#: Headers that say how parts are encoded, which is done anew.
OF_THE_PARTS = ("mime-version", "content-type", "content-transfer-encoding")
#: The message was written by the host, and by whoever the host quotes: nothing in it may run, ask or leave.
PREVIEW_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src {images}; frame-ancestors 'self'; sandbox"


@blueprint.get("/", strict_slashes=False)  # a redirect would tell outsiders
def entries() -> str | Response:
    """List what fits the filter in the URL, newest first."""
    wanted = Filter(request.args, Times.of_app())
    if "HX-Request" not in request.headers:
        return entries_page(wanted)
    response = make_response(page("_entries.html", **_found(wanted), swapped=True))
    response.headers["HX-Push-Url"] = f"{optout_url('optout_operator.entries')}?{wanted.query_string}"
    return response


def entries_page(wanted: Filter, error: str | None = None) -> str:
    """The list, and the form that filters it.

    :param error: what went wrong with a form on it.
    """
    state = current_state()
    context = _found(wanted)
    saved = state.saved_filters.of(wanted.values["opportunity"])
    return page(
        "entries.html", saved=saved, opportunities=state.email_log.opportunities(SUGGESTIONS), error=error, **context
    )


def _found(wanted: Filter) -> dict[str, Any]:
    before = request.args.get("before", type=int)
    found = None if wanted.errors else current_state().email_log.search(wanted.criteria, before)
    return {"filter": wanted, "found": found, "before": before, "kept": _kept_for()}


@blueprint.get("/<int:id>")
def entry(id: int) -> str:
    """Show one invitation: its text, its html in a frame where nothing runs, or its headers."""
    return entry_page(found(id))


def entry_page(email: Email) -> str:
    """One invitation, and what can be done with it."""
    state = current_state()
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
    response.headers[CSP] = PREVIEW_CSP.format(images="data: https: http:" if "remote" in request.args else "data:")
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
