"""The candidate's control alone, for a page of the host's."""

from __future__ import annotations

from flask import current_app
from markupsafe import Markup

from ..addresses import Recipient, parse
from ..errors import ConfigurationError, JournalError, StoreUnavailable
from ..links.tokens import Door
from ..presses.nonces import Nonce, Page, new_visit
from ..wiring import current_state
from .rendering import render
from .standing import standing


def optout_control(address: Recipient, opportunity: str) -> Markup:
    """What this person is shown about this opportunity, and the button, for a page that they alone see.

    It holds their link and tells their choice, so it stands on a signed-in candidate's own page and on no operator's.
    Without a store it says that nothing changed, and the rest of the page stands.

    :param opportunity: its id, 1 to 128 bytes; ``"*"`` for all invitations.
    :raises AddressError: when the address is malformed.
    :raises OpportunityError: when the id cannot stand in a link.
    """
    try:
        tokens = current_state().tokens
        claim = tokens.read(Door.LANDING, tokens.mint(Door.LANDING, parse(address), opportunity))
        found = standing(claim, Nonce(Page.OPENED, current_state().clock(), new_visit()), control=True)
    except (StoreUnavailable, ConfigurationError, JournalError) as error:
        current_app.logger.error("%s", error)
        found = None
    return Markup(render("control.html", standing=found, control=True))
