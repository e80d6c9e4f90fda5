"""What the holder of a link is shown: what they said, and what the host says about the opportunity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.exceptions import HTTPException

from ..choices.repository import Choice
from ..links.keys import ALL
from ..links.tokens import Claim, Door
from ..links.urls import joined
from ..presses.commands import Command
from ..presses.evidence import has_muted, shows_everything, visitor
from ..presses.nonces import Nonce, Page
from ..wiring import current_state
from .languages import of_link
from .routing import optout_url


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
class Standing:
    """What is true for the holder of a link just now; a choice stands here only while it mutes.

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


def standing(claim: Claim, nonce: Nonce, control: bool = False) -> Standing:
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
    same = has_muted(recent.presses, nonce, visitor(request, nonce.visit, recent.salt))
    return Standing(
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
        fields = found if isinstance(found, Mapping) else _Attributes(found)
        title, summary, link = (str(fields.get(name) or "") for name in ("title", "summary", "link"))
    except HTTPException:  # such as get_or_404 for one that is gone
        return Opportunity("")
    except Exception:
        current_app.logger.exception("The opportunity loader failed; the page goes without title and summary.")
        return Opportunity("")
    return Opportunity(title, summary, link if urlsplit(link).scheme in ("http", "https", "") else "")


class _Attributes:
    def __init__(self, found: object) -> None:
        self._found = found

    def get(self, name: str) -> Any:
        return getattr(self._found, name, None)
