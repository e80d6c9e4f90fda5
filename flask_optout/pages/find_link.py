"""The page for candidates who have lost their link: it mails them those of their last invitations.

Its answer is the same for every address, and is given before anything is looked up, as on the ask page.
"""

from __future__ import annotations

from functools import partial

from flask import Response, current_app, request

from ..addresses import Address
from ..links.tokens import Door, bad_token
from ..mailers.delivery import default_sender, deliver, link_letter
from ..wiring import current_state
from .ask import mailed, may_mail
from .candidate import blueprint, show
from .languages import of_browser, speaking

#: The candidate's blueprint, with this page and the ask page on it.
__all__ = ["blueprint"]
#: Opportunities whose links are mailed.
LINKS = 10
#: Mails on one day to one address, and for one client.
MOST, MOST_FOR_CLIENT = 3, 20


@blueprint.get("/", strict_slashes=False)
def find_link() -> str:
    """Show the form."""
    _check_setting()
    return show("ask.html", answered=False)


@blueprint.post("/", strict_slashes=False)
def find_link_press() -> Response:
    """Mail the links of the typed address to it, if there are any; say the same whether or not there are."""
    _check_setting()
    return mailed(partial(_mail_links, request.remote_addr or ""))


def _check_setting() -> None:
    if not current_app.config["OPTOUT_FIND_LINK"]:
        raise bad_token()


def _mail_links(client: str, address: Address) -> None:
    state = current_state()
    opportunities = state.people.opportunities(address.canonical, LINKS)
    limits = [(slot_of(address), MOST), (state.key.digest("find-link.client", client), MOST_FOR_CLIENT)]
    if not opportunities or not may_mail(limits):
        return
    with speaking(of_browser()):
        links = [(state.opportunity(id).title, state.links.url(Door.LANDING, address, id)) for id in opportunities]
        letter = link_letter(address, opportunities[0], *links, sender=default_sender())
    deliver(letter)


def slot_of(address: Address) -> bytes:
    """The pseudonym under which the mails to an address are counted."""
    return current_state().key.digest("find-link", address.canonical)
