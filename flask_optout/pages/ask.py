"""The ask page, where a URL that an operator copied leads: it mails the link to the invited address, and to no other.

Whoever opens it learns and changes nothing: it reads no choice, and answers every address alike. The mail is sent
after the answer, by a thread of its own; neither the answer's time nor the closing of its connection tells whether
there was one.
"""

from __future__ import annotations

from functools import partial

from flask import Response, copy_current_request_context, current_app, make_response, request

from ..addresses import parse
from ..errors import AddressError, OptOutError
from ..links.keys import Mark
from ..links.tokens import Claim, Door
from ..mailers.delivery import default_sender, deliver, link_letter
from ..wiring import State, current_state
from .candidate import LONGEST_FORM, blueprint, show
from .languages import of_browser, speaking

#: The candidate's blueprint, with this page on it.
__all__ = ["blueprint"]
#: Links mailed on one day to one address: for one opportunity, and for all.
MOST, MOST_IN_ALL = 3, 10


@blueprint.get("/ask/<path:token>")
def ask(token: str) -> str:
    """Show the form; nothing on it depends on what the candidate chose."""
    current_state().claim(Door.ASK, token)
    return show("ask.html", answered=False)


@blueprint.post("/ask/<path:token>")
def ask_press(token: str) -> Response:
    """Mail a fresh link to the typed address if it is the invited one; say the same whether or not it is."""
    state = current_state()
    claim = state.claim(Door.ASK, token)
    request.max_content_length = LONGEST_FORM
    answer = copy_current_request_context(partial(_answer, claim, request.form.get("address", "")))
    if not state.background.submit(answer):
        return make_response(show("unavailable.html", choice=None), 503)
    return make_response(show("ask.html", answered=True))


def _answer(claim: Claim, typed: str) -> None:
    try:
        _mail_link(current_state(), claim, typed)
    except AddressError:
        return
    except OptOutError as error:
        current_app.logger.error("The ask page could not mail a link. %s", error)
    except Exception as error:  # of the mail library, whose text may hold an address
        current_app.logger.error("The ask page could not mail a link (%s).", type(error).__name__)


def _mail_link(state: State, claim: Claim, typed: str) -> None:
    # To the canonical spelling, since another one that counts as the same may be another person's mailbox.
    address = parse(parse(typed).canonical)
    invited, anything = claim.person
    if invited != state.ask_tokens.key.mark(address, claim.opportunity):
        return
    if not state.ask_limit.allows([(_slot(claim, invited), MOST), (_slot(claim, anything), MOST_IN_ALL)]):
        return
    url = state.links.url(Door.LANDING, address, claim.opportunity)
    with speaking(of_browser()):
        letter = link_letter(address, claim.opportunity, url, sender=default_sender())
    deliver(letter)


def _slot(claim: Claim, mark: Mark) -> bytes:
    """A pseudonym that cannot be computed from the token, which operators see."""
    return current_state().key.digest("asked", mark.digest.hex())
