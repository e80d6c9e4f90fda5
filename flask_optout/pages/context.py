"""Page context: what the holder of a link is shown, on our page or in the control on a page of the host's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

from flask import current_app, request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from ..addresses import Recipient, parse
from ..choices.repository import Choice
from ..errors import ConfigurationError, JournalError, StoreUnavailable
from ..links.keys import ALL
from ..links.tokens import Claim, Door
from ..links.urls import joined
from ..presses.commands import Command
from ..presses.evidence import has_muted, shows_everything, visitor
from ..presses.nonces import Nonce, Page, new_visit
from ..wiring import current_state
from .languages import of_link, render
from .routing import optout_url

#: What the host says about an opportunity.
FIELDS = ("title", "summary", "link")


@dataclass(frozen=True)
class Opportunity:
    """What a page says about an opportunity; ``link`` leads to the host's own page about it."""

    title: str
    summary: str = ""
    link: str = ""


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
    :param control: whether it stands on a page of the host's, among the host's own headings.
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
    control: bool

    @property
    def muted(self) -> bool:
        """Whether a choice made with this link mutes."""
        return self.this is not None or self.everything is not None


def page_context(claim: Claim, nonce: Nonce, control: bool = False) -> PageContext:
    """What to show to the holder of a link.

    :param nonce: which page it is for.
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
        opportunity=opportunity_of(claim.opportunity),
        this=muted.get(this),
        everything=muted.get(everything),
        by_base=any(mark in muted for mark in claim.base or ()),
        only_everything=claim.opportunity == ALL,
        action=own_url(claim),
        nonce=text,
        said=None if repeats else nonce.said,
        answers=_answers(nonce.said or Command.MUTE, text, bool(muted), decoys) if repeats else [],
        decoys=decoys,
        control=control,
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


def opportunity_of(id: str) -> Opportunity:
    """What the host says about an opportunity; links outlive opportunities, so nothing it says may break the page."""
    try:
        found = current_state().load(id)
        fields = found if isinstance(found, Mapping) else {name: getattr(found, name, None) for name in FIELDS}
        title, summary, link = (str(fields.get(name) or "") for name in FIELDS)
    except HTTPException:  # such as get_or_404 for one that is gone
        return Opportunity("")
    except Exception:
        current_app.logger.exception("The opportunity loader failed; the page goes without title and summary.")
        return Opportunity("")
    return Opportunity(title, summary, link if urlsplit(link).scheme in ("http", "https", "") else "")


def optout_control(address: Recipient, opportunity: str) -> Markup:
    """What this person is shown about this opportunity, and the button, for a page that they alone see.

    It holds their link and tells their choice, so it stands on a signed-in candidate's own page and on no operator's.
    Without a store it says that nothing changed, and the rest of the page stands.

    :param opportunity: its id, 1 to 128 bytes; ``"*"`` for all invitations.
    :raises AddressError: when the address is malformed.
    :raises OpportunityError: when the id cannot stand in a link.
    """
    try:
        state = current_state()
        claim = state.tokens.read(Door.LANDING, state.tokens.mint(Door.LANDING, parse(address), opportunity))
        context = page_context(claim, Nonce(Page.OPENED, state.clock(), new_visit()), control=True)
    except (StoreUnavailable, ConfigurationError, JournalError) as error:
        current_app.logger.error("%s", error)
        context = None
    return Markup(render("control.html", page=context, control=True))
