"""What the holder of a link is shown, on our page or in the toggle, which is one line in a page of the host's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from flask import current_app, request
from markupsafe import Markup

from ..addresses import Recipient, parse
from ..choices.repository import Choice
from ..errors import ConfigurationError, JournalError, StoreUnavailable
from ..links.keys import ALL
from ..links.log_records import log_error
from ..links.tokens import Claim, Door, checked_opportunity, joined
from ..presses.evidence import Command, Nonce, Page, has_muted, new_visit, shows_everything, visitor
from ..wiring import current_state
from .languages import of_link, render
from .opportunities import Opportunity
from .routing import RECEIPT, here, optout_url

#: Seconds for which a reload of the page after a press still says what the press did.
RESULT_AGE = 600.0
#: Where a request for the host's landing page keeps what its toggle shows.
TOGGLE = "optout.toggle"


class AnswerButton(NamedTuple):
    """A button of the page that asks to press once more; in words of that page, so that nobody knows them before."""

    choice: str
    name: str
    value: str


@dataclass(frozen=True)
class PageContext:
    """What a page shows to the holder of a link.

    :param this: their choice about this opportunity, while it mutes.
    :param everything: their choice about all invitations, while it mutes.
    :param by_base: whether a choice for the same address without its +tag mutes.
    :param only_everything: whether the link is for all invitations, and for no opportunity.
    :param said: the press that led to this page, if one did.
    :param answers: the buttons of the page that asks for that press once more; empty where it does not.
    :param decoys: whether there are buttons that no person sees; a text browser would show them.
    :param toggle: whether it is one line in a page of the host's.
    :param in_place: whether htmx changes the page in place; without, a press leads to a new page.
    :param at_hand: whether the undo is in sight: on the page that a mute led to, and while its visitor might take it
        back by another press.
    """

    opportunity: Opportunity
    this: Choice | None
    everything: Choice | None
    by_base: bool
    only_everything: bool
    action: str
    nonce: str
    said: Command | None
    answers: list[AnswerButton]
    decoys: bool
    at_hand: bool
    toggle: bool
    in_place: bool
    id: str

    @property
    def muted(self) -> bool:
        """Whether a choice made with this link mutes."""
        return self.this is not None or self.everything is not None


def opened(claim: Claim) -> Nonce:
    """The nonce of a page that is opened: by hand, or as the result of a press whose receipt its URL brings."""
    state = current_state()
    now = state.clock()
    receipt = state.nonces.read(claim, request.args.get(RECEIPT, ""), now)
    if receipt is None or receipt.page is not Page.RESULT or now - receipt.issued > RESULT_AGE:
        return Nonce(Page.OPENED, now, new_visit())
    return receipt._replace(issued=now)


def page_context(claim: Claim, nonce: Nonce, toggle: bool = False, in_place: bool = True) -> PageContext:
    """What to show to the holder of a link.

    :param nonce: which page it is for.
    :param toggle: as in :class:`PageContext`, and ``in_place``.
    """
    state = current_state()
    this, everything = claim.person
    choices, recent = state.presses.look(claim)
    muted = {mark: choice for mark, choice in choices.items() if choice.muted}
    decoys, text = not shows_everything(request.user_agent), state.nonces.issue(claim, nonce)
    repeats = nonce.page is Page.REPEAT
    led_by_mute = nonce.page is Page.RESULT and nonce.said is not None and nonce.said.muted is True
    same = has_muted(recent.presses, nonce, visitor(request, nonce.visit, state.visitor_secret, recent.salt))
    return PageContext(
        opportunity=state.opportunity(claim.opportunity),
        this=muted.get(this),
        everything=muted.get(everything),
        by_base=any(mark in muted for mark in claim.base or ()),
        only_everything=claim.opportunity == ALL,
        action=own_url(claim),
        nonce=text,
        said=None if repeats else nonce.said,
        answers=_answers(nonce.said or Command.MUTE, text, bool(muted), decoys) if repeats else [],
        decoys=decoys,
        toggle=toggle,
        in_place=in_place,
        id=element_id(claim),
        at_hand=bool(muted) and (led_by_mute or same),
    )


def _answers(asked: Command, nonce: str, muted: bool, decoys: bool) -> list[AnswerButton]:
    """The press that is asked for once more, behind its opposite, among decoys in places that vary with the page.

    What takes the first button that there is, the first that is in sight, or the last one, changes nothing.
    """
    word = partial(current_state().nonces.word, nonce)
    other = Command.LEAVE if muted or asked.muted is not True else Command.KEEP
    answers = [(each.choice, word(each.choice)) for each in (other, asked)]
    if decoys:
        first, middle, last = ((Command.DECOY.choice, word(f"decoy {number}")) for number in range(3))
        answers.insert(int(middle[1][1:], 16) % 3, middle)
        answers = [first, *answers, last]
    return [AnswerButton(choice, word("name"), value) for choice, value in answers]


def own_url(claim: Claim) -> str:
    """The URL of the page of this link's holder, in the language that this page speaks by its link."""
    return optout_url("optout.landing", token=joined(of_link(), current_state().tokens.reissue(Door.LANDING, claim)))


def element_id(claim: Claim) -> str:
    """The id of this link's toggle in a page, where a press without scripts comes back to."""
    return f"optout-{hashlib.blake2b(claim.payload, digest_size=4).hexdigest()}"


def optout_toggle(address: Recipient | None = None, opportunity: str | None = None) -> Markup:
    """One line for a page that this person alone sees: "Not Interested?", or the mute and its undo.

    It holds their link and tells their choice, so it stands on a signed-in candidate's own page and on no operator's.
    Without a store it says that nothing changed, and the rest of the page stands.

    :param address: without it and ``opportunity``, it is the toggle of whoever opened the host's landing page at a
        link of theirs, and empty on any other page.
    :param opportunity: its id, 1 to 128 bytes; ``"*"`` for all invitations.
    :raises AddressError: when the address is malformed.
    :raises OpportunityError: when the id cannot stand in a link.
    """
    if address is None and opportunity is None:
        known = request.environ.get(TOGGLE)
        return Markup(render("toggle.html", page=known)) if known is not None else Markup()
    try:
        state = current_state()
        token = state.tokens.mint(Door.LANDING, parse(address or ""), checked_opportunity(opportunity))
        claim = state.tokens.read(Door.LANDING, token)
        page = page_context(claim, opened(claim)._replace(back=here()), toggle=True)
    except (StoreUnavailable, ConfigurationError, JournalError) as error:
        log_error(current_app.logger, error)
        page = None
    return Markup(render("toggle.html", page=page))
