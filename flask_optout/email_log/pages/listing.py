"""The list of the Email Log, with its filters and those that are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Response, make_response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from ...pages.words import optout_url, translate
from ...wiring import current_state
from ..search import COUNTED, PAGE, WINDOW, Criteria, SavedFilter
from ..tables import NAME_SIZE, running_minute
from .base import blueprint, kept_for, page, title_of
from .filters import FilterForm, Times

#: Known opportunities among which one can choose, and whose titles a search knows.
OPPORTUNITIES = 50
#: Addresses that are named as beginning with what was typed.
NEAR = 5


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
    saved = current_state().saved_filters.all()
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
            near = _near(criteria) if found.searched_to else []
    return {
        "filter": wanted,
        "found": found,
        "before": before,
        "total": total,
        "counted": COUNTED,
        "window": WINDOW,
        "near": near,
        "titles": list(wanted.titles.values()),
        "minute": running_minute(),
        "kept": kept_for(),
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
    """What has arrived since a minute."""
    minute = running_minute()
    if wanted.errors or after >= minute:
        return Response(status=204)
    since = max(after, wanted.criteria.since)
    ways = (replace(each, since=since) for each in (wanted.criteria, wanted.in_parts))
    found = next((found for each in ways if (found := current_state().search.page(each)).entries), None)
    if found is None:
        return Response(status=204)
    return page("_arrived.html", arrived=found, **_found(wanted))


@blueprint.post("/", strict_slashes=False)
def change_filters() -> BaseResponse | tuple[str, int]:
    """Save the filter in the URL, or rename or delete a saved one, as the button says."""
    wanted, saved, form = _form(request.args), current_state().saved_filters, request.form
    what, name, old = form.get("do", ""), form.get("name", "").strip(), form.get("saved", "")
    if what == "delete":
        saved.delete(old)
        return redirect(_list_url(wanted, done=what), 303)
    if wanted.errors or not 0 < len(name) <= NAME_SIZE or not name.isprintable():
        return _list(wanted, translate("A filter needs a name of at most 80 characters.")), 400
    if not (saved.rename(old, name) if what == "rename" else saved.save(SavedFilter(name, wanted.query_string))):
        return _list(wanted, translate("There is a saved filter of this name. Choose another name.")), 409
    return redirect(_list_url(wanted, done=what), 303)
