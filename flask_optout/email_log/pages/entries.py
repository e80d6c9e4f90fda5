"""The list of the Email Log with its saved filters, and one invitation of it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import replace
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
from ..ids import id_at, now
from ..records import Email
from ..resends import APART, refusal
from ..saved_filters import SavedFilter
from ..search import COUNTED, PAGE, WINDOW, Criteria
from ..tables import NAME_SIZE
from .base import blueprint, found, page, title_of
from .filters import FilterForm
from .times import Times

#: Known opportunities among which one can choose, and whose titles a search knows.
OPPORTUNITIES = 50
#: Addresses that are named as beginning with what was typed.
NEAR = 5
#: Headers that say how parts are encoded, which is done anew.
OF_THE_PARTS = ("mime-version", "content-type", "content-transfer-encoding")
#: A message may quote anybody, so in its frame no script runs, no form is sent and no link is followed. A picture
#: from elsewhere would tell a counter that the candidate had opened the mail.
PREVIEW_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"


@blueprint.get("/", strict_slashes=False)  # a redirect would tell outsiders
def entries() -> str | Response:
    """List what fits the filter in the URL, newest first."""
    wanted, after = _form(request.args), request.args.get("after", type=int)
    if "HX-Request" not in request.headers:
        return _list(wanted)
    if after is not None:
        return _arrived(wanted, after)
    response = make_response(page("_entries.html", **_found(wanted), swapped=True))
    response.headers["HX-Push-Url"] = _list_url(wanted)
    return response


def _form(values: Mapping[str, str]) -> FilterForm:
    ids = current_state().search.starting("opportunity", "", OPPORTUNITIES)
    return FilterForm(values, Times.of_app(), {id: title_of(id) for id in ids})


def _list(wanted: FilterForm, error: str | None = None) -> str:
    saved = current_state().saved_filters.of(wanted.values["opportunity"])
    return page("entries.html", saved=saved, error=error, done=request.args.get("done"), **_found(wanted))


def _list_url(wanted: FilterForm, **more: str) -> str:
    return optout_url("optout_operator.entries", **wanted.query, **more)


def _found(wanted: FilterForm) -> dict[str, Any]:
    before, search = request.args.get("before", type=int), current_state().search
    found, total, near, criteria = None, None, [], wanted.criteria
    if not wanted.errors:
        found = search.page(criteria, before)
        if not found.entries and criteria != wanted.in_parts:
            criteria = wanted.in_parts
            found = search.page(criteria, before)
        if before is None:
            total = len(found.entries) if len(found.entries) < PAGE else search.total(criteria)
            near = _near(criteria)
    return {
        "filter": wanted,
        "found": found,
        "before": before,
        "total": total,
        "counted": COUNTED,
        "window": WINDOW,
        "near": near,
        "minute": id_at(now()),
        "kept": _kept_for(),
    }


def _near(criteria: Criteria) -> list[str]:
    """Addresses, or domains, that begin with the one word that was typed, wherever they are in the Email Log."""
    if len(criteria.words) != 1:
        return []
    [word], search = criteria.words, current_state().search
    if word.text.startswith("@"):
        return [f"@{domain}" for domain in search.starting("domain", word.text[1:], NEAR)]
    return search.starting("mailbox", word.text, NEAR)


def _arrived(wanted: FilterForm, after: int) -> str | Response:
    """What has arrived since a minute, up to the one that is not over: nothing finer than a minute can be watched."""
    minute = id_at(now())
    if wanted.errors or after >= minute:
        return Response(status=204)
    since, until = max(after, wanted.criteria.since), min(minute, wanted.criteria.until)
    ways = (replace(each, since=since, until=until) for each in (wanted.criteria, wanted.in_parts))
    found = next((found for each in ways if (found := current_state().search.page(each)).entries), None)
    if found is None:
        return Response(status=204)
    return page("_arrived.html", filter=wanted, found=found, minute=minute)


@blueprint.post("/filters")
def change_filters() -> BaseResponse | tuple[str, int]:
    """Save a filter, for the whole app or its opportunity, or rename or delete a saved one, as the button says."""
    wanted, saved, form = _form(request.form), current_state().saved_filters, request.form
    what, name, old = form.get("do", ""), form.get("name", "").strip(), form.get("saved", "")
    if what == "delete":
        saved.delete(old)
        return redirect(_list_url(wanted, done=what), 303)
    if wanted.errors or not 0 < len(name) <= NAME_SIZE or not name.isprintable():
        return _list(wanted, translate("A filter needs a name of at most 80 characters.")), 400
    scope = wanted.values["opportunity"] if form.get("scope") == "opportunity" else ""
    new = SavedFilter(name, scope, wanted.query_string)
    if not (saved.rename(old, name) if what == "rename" else saved.save(new)):
        return _list(wanted, translate("There is a saved filter of this name. Choose another name.")), 409
    return redirect(_list_url(wanted, done=what), 303)


@blueprint.get("/<int:id>")
def entry(id: int) -> str:
    """Show one invitation: its text, its html in a frame where nothing runs, or its headers."""
    return show_entry(found(id), done=request.args.get("done", type=int))


def show_entry(email: Email, done: int | None = None, failure: str | None = None) -> str:
    """The page of an invitation.

    :param done: the number of the resend that has just been done, if one was.
    :param failure: why one could not be handed off.
    """
    parts = [part for part in ("text", "html", "headers") if getattr(email, part)]
    part, state = request.args.get("part", ""), current_state()
    resends = state.resends.of(email)
    accepted = [resend for resend in resends if resend.failure is None]
    return page(
        "entry.html",
        email=email,
        expires=email.time + _kept_for(),
        parts=parts,
        part=part if part in parts else parts[0],
        resends=resends,
        done=any(resend.number == done for resend in accepted),
        failure=failure,
        refused=refusal(resends),
        again=accepted[-1].time + APART if accepted else None,
        ask_url=state.links.url(Door.ASK, parse(email.recipient), email.opportunity),
    )


@blueprint.get("/<int:id>/html")
def preview(id: int) -> Response:
    """The html part, for the frame."""
    response = make_response(found(id).html or "")
    response.headers["Content-Security-Policy"] = PREVIEW_CSP
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
