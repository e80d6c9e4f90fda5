"""Saved filters: give the filter at hand a name, or drop it."""

from __future__ import annotations

from flask import redirect, request
from werkzeug.wrappers import Response

from ...pages.languages import translate
from ...pages.routing import optout_url
from ...wiring import current_state
from ..saved_filters import SavedFilter
from ..tables import NAME_SIZE
from .base import blueprint
from .entries import entries_page
from .filters import Filter
from .times import Times


@blueprint.post("/filters")
def save_filter() -> Response | tuple[str, int]:
    """Save a filter for the whole app, or for the opportunity that it is about."""
    wanted = Filter(request.form, Times.of_app())
    name = request.form.get("name", "").strip()
    if wanted.errors or not 0 < len(name) <= NAME_SIZE or not name.isprintable():
        return entries_page(wanted, translate("A filter needs a name of at most 80 characters.")), 400
    scope = wanted.values["opportunity"] if request.form.get("scope") == "opportunity" else ""
    current_state().saved_filters.save(SavedFilter(scope, name, wanted.query_string))
    return _list(wanted)


@blueprint.post("/filters/delete")
def delete_filter() -> Response:
    """Delete a saved filter; what it found stays."""
    current_state().saved_filters.delete(request.form.get("opportunity", ""), request.form.get("name", ""))
    return _list(Filter(request.form, Times.of_app()))


def _list(wanted: Filter) -> Response:
    return redirect(f"{optout_url('optout_operator.entries')}?{wanted.query_string}", 303)
