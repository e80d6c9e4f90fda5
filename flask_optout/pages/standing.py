"""What the holder of a link is shown: what they said, and what the host says about the opportunity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, url_for
from werkzeug.exceptions import HTTPException

from ..choices.repository import Choice
from ..links.keys import ALL
from ..links.tokens import Claim, Door
from ..presses.bursts import Command
from ..presses.judge import Page
from ..wiring import current_state
from .languages import joined, of_link


@dataclass(frozen=True)
class Opportunity:
    """What a page says about an opportunity; ``link`` leads to the host's own page about it."""

    title: str
    summary: str = ""
    link: str = ""


@dataclass(frozen=True)
class Standing:
    """What is true for the holder of a link just now; a choice stands here only while it mutes.

    :param repeat: the press that the page asks for once more, if it does.
    :param decoy_first: whether the decoy stands before the buttons: for what finds the first form and sends it. A
        text browser shows the decoy, so there it stands behind them.
    :param control: whether it stands on a page of the host's, among the host's own headings.
    :param at_hand: whether the undo is in sight: on the page that a press made, and for as long as another press
        would make one burst with it.
    """

    opportunity: Opportunity
    this: Choice | None
    everything: Choice | None
    by_base: bool
    only_everything: bool
    action: str
    nonce: str
    repeat: Command | None
    decoy_first: bool
    at_hand: bool
    control: bool

    @property
    def muted(self) -> bool:
        """Whether a choice made with this link mutes."""
        return self.this is not None or self.everything is not None


def standing(
    claim: Claim, page: Page, repeat: Command | None = None, decoy_first: bool = False, control: bool = False
) -> Standing:
    """What to show to the holder of a link.

    :param page: what kind of page it is for.
    """
    state = current_state()
    this, everything = claim.person
    choices, _, burst = state.presses.look(claim, always=False)
    muted = {mark: choice for mark, choice in choices.items() if choice.muted}
    return Standing(
        opportunity=_opportunity(claim.opportunity),
        this=muted.get(this),
        everything=muted.get(everything),
        by_base=any(mark in muted for mark in claim.base or ()),
        only_everything=claim.opportunity == ALL,
        action=own_path(claim),
        nonce=state.nonces.issue(claim, page, state.clock()),
        repeat=repeat,
        decoy_first=decoy_first,
        control=control,
        at_hand=page is Page.RESULT or (bool(muted) and bool(burst)),
    )


def own_path(claim: Claim) -> str:
    """The path of the page of this link's holder, in the language that this page speaks by its link."""
    return url_for("optout.landing", token=joined(of_link(), current_state().tokens.reissue(Door.LANDING, claim)))


def _opportunity(id: str) -> Opportunity:
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
