"""The toggle: one line in a host's page with which a candidate mutes and undoes."""

from __future__ import annotations

from urllib.parse import quote

from flask import current_app, request
from markupsafe import Markup

from ..addresses import Recipient, parse
from ..errors import ConfigurationError, JournalError, StoreUnavailable
from ..links.log_records import log_error
from ..links.tokens import Door, check_opportunity
from ..presses.evidence import LANDING
from ..wiring import current_state
from .candidate import RECEIPT, TOGGLE, make_context, open_visit
from .words import add_query, render


def optout_toggle(address: Recipient | None = None, opportunity: str | None = None) -> Markup:
    """Return one line for a page that only this person sees: "Not Interested?", or the mute and its undo.

    It reveals their link and their choice, so put it on a signed-in candidate's own page, never on an operator's. If
    the database does not answer, it says that nothing changed; the rest of the page works as usual.

    :param address: without it and ``opportunity``, it is the toggle of the link that opened the host's landing page,
        and empty on any other page.
    :param opportunity: its id, 1 to 128 bytes; ``"*"`` for all invitations.
    :raises AddressError: when the address is malformed.
    :raises OpportunityError: when the id cannot stand in a link.
    """
    if address is None and opportunity is None:
        known = request.environ.get(TOGGLE)
        return Markup(render("toggle.html", page=known)) if known is not None else Markup()
    try:
        state = current_state()
        token = state.tokens.mint(Door.LANDING, parse(address or ""), check_opportunity(opportunity))
        claim = state.tokens.read(Door.LANDING, token)
        page = make_context(claim, open_visit(claim)._replace(back=_get_current_url()), toggle=True)
    except (StoreUnavailable, ConfigurationError, JournalError) as error:
        log_error(current_app.logger, error)
        page = None
    return Markup(render("toggle.html", page=page))


def _get_current_url() -> str:
    """Return the URL of the current page, for a press to return to; ``LANDING`` if a redirect cannot reach it."""
    if request.method not in ("GET", "HEAD"):
        return LANDING
    place = current_state().place
    apart = place.host is not None or place.subdomain is not None
    url = request.base_url if apart else place.adapter.script_name.rstrip("/") + quote(request.path)
    return add_query(url, [pair for pair in request.args.items(multi=True) if pair[0] != RECEIPT])
