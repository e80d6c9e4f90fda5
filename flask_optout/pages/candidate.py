"""The candidate's blueprint, and the page at their link: what it shows, and what a press on it does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from flask import Response, current_app, make_response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from ..choices.repository import Choice
from ..errors import BadToken, ConfigurationError, JournalError, StoreUnavailable
from ..links.log_records import log_error
from ..links.tokens import ALL, Claim, Door, joined, split
from ..presses.evidence import (
    COMMANDS,
    LANDING,
    Command,
    Nonce,
    Page,
    has_muted,
    new_visit,
    observe,
    shows_everything,
    visitor,
)
from ..presses.judge import Verdict
from ..wiring import current_state
from .languages import OF_LINK, of_browser, of_link, render, speaking, spoken
from .opportunities import Opportunity, hosts_page
from .routing import HOME, RECEIPT, VERSIONS, PlacedBlueprint, optout_url, with_query

FOR_A_YEAR = "public, max-age=31536000, immutable"
#: No form of ours is longer, and a longer body is read no further.
LONGEST_FORM = 16_384
#: The fields of our forms other than the button.
FIELDS = {"nonce", "scripts", "seen", "toggle"}
RETRY_AFTER = 60
#: Seconds for which a reload of the page after a press still says what the press did.
RESULT_AGE = 600.0
#: Where a request for the host's landing page keeps what its toggle shows.
TOGGLE = "optout.toggle"
CSP = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

blueprint: PlacedBlueprint = PlacedBlueprint(
    "optout", __name__, static_folder=HOME / "static", template_folder=HOME / "templates"
)


@blueprint.get("/<optout_token:token>")
def landing(token: str) -> Response:
    """Show the invitation with its mute, or the mute with its undo; change nothing."""
    claim = claimed(Door.LANDING, token)
    return landing_page(claim, opened(claim))


@blueprint.post("/<optout_token:token>")
def press(token: str) -> BaseResponse:
    """Do what the pressed button says, unless the press does not look like a person's; see ``presses/judge.py``."""
    state = current_state()
    claim = claimed(Door.LANDING, token)
    request.max_content_length = LONGEST_FORM
    text, now = request.form.get("nonce", ""), state.clock()
    nonce = state.nonces.read(claim, text, now)
    visit, back = (new_visit(), "") if nonce is None else (nonce.visit, nonce.back)
    evidence = observe(request, _command(nonce, text), nonce, now)
    judgement = state.presses.press(claim, evidence, partial(visitor, request, visit, state.visitor_secret))
    said = None if judgement.cause == "no button" else evidence.command
    if judgement.asks:
        return landing_page(claim, Nonce(Page.REPEAT, state.clock(), visit, said, back))
    result = Nonce(Page.RESULT, state.clock(), visit, said, back)
    if judgement.verdict is Verdict.SHOW or "HX-Request" in request.headers:
        return landing_page(claim, result if judgement.press is not None else result._replace(page=Page.OPENED))
    receipt = state.nonces.issue(claim, result._replace(back=""))
    url = own_url(claim) if back in ("", LANDING) else back
    return redirect(f"{with_query(url, [(RECEIPT, receipt)])}#{element_id(claim)}", 303)


def _command(nonce: Nonce | None, text: str) -> Command | None:
    """What the pressed button says; where the page asked to press once more, its form is in words of its own."""
    if nonce is None or nonce.page is not Page.REPEAT:
        return COMMANDS.get(request.form.get("choice", ""))
    word = partial(current_state().nonces.word, text)
    answer = request.form.get(word("name"))
    return None if answer is None else next((each for each in Command if word(each.choice) == answer), Command.DECOY)


def claimed(door: Door, path: str) -> Claim:
    """What the token in a path claims; from here on the page speaks the language that stands before it."""
    language, token = split(path)
    claim = current_state().claim(door, token)
    if spoken(language):
        request.environ[OF_LINK] = language
    return claim


def show(template: str, **context: Any) -> str:
    """Render a page in the language of the link, or else of the browser, or else of the app."""
    with speaking([of_link(), *of_browser()]):
        return render(template, **context)


def landing_page(claim: Claim, nonce: Nonce) -> Response:
    """The page for the holder of a link: the host's own where it invites, else ours; for htmx what changes of it."""
    if "HX-Request" in request.headers:
        toggle = bool(nonce.back)
        page = page_context(claim, nonce, toggle)
        return make_response(show("_toggle.html" if toggle else "_choice.html", page=page, part=True))
    state = current_state()
    view = state.hooks.landing_page
    page = page_context(claim, nonce, in_place=view is None and not nonce.back)
    if view is not None and not (page.muted or page.by_base or page.answers or page.only_everything):
        text = state.nonces.issue(claim, nonce._replace(back=LANDING))
        request.environ[TOGGLE] = replace(page, nonce=text, in_place=True, toggle=True)
        with speaking([of_link()]):
            own = hosts_page(view, claim.opportunity)
        if own is not None:
            return own
    return make_response(show("landing.html", page=page))


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
    :param asked: the press that the page asks for once more, if it does.
    :param answers: the buttons that answer that; empty where nothing is asked.
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
    asked: Command | None
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
    asked = (nonce.said or Command.MUTE) if nonce.page is Page.REPEAT else None
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
        said=nonce.said if asked is None else None,
        asked=asked,
        answers=[] if asked is None else _answers(asked, text, bool(muted), decoys),
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


@blueprint.errorhandler(BadToken)
def dead_link(error: BadToken) -> tuple[str, int]:
    """One page for every bad link: it must not tell what it knows."""
    return show("dead_link.html"), 404


@blueprint.errorhandler(StoreUnavailable)
@blueprint.errorhandler(ConfigurationError)
@blueprint.errorhandler(JournalError)
def unavailable(error: StoreUnavailable | ConfigurationError | JournalError) -> Response:
    """Say that nothing changed, and when to try again."""
    log_error(current_app.logger, error)
    template = "_unavailable.html" if "HX-Request" in request.headers else "unavailable.html"
    form = {name: request.form.get(name) for name in ("nonce", "toggle")}
    button = next(((name, value) for name, value in request.form.items() if name not in FIELDS), None)
    action = optout_url(request.endpoint or "", **(request.view_args or {}))
    response = make_response(show(template, action=action, button=button, **form), 503)
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


@blueprint.url_value_preprocessor
def exempt_from_csrf(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """The signed link is the only credential here, no cookie counts, and a mail program's POST can carry no token.

    Runs before every before_request function, so the order in which Flask-WTF is initialised does not matter.
    """
    csrf = current_app.extensions.get("csrf")
    if csrf is not None and request.blueprint is not None:
        csrf.exempt(current_app.blueprints[request.blueprint])


@blueprint.after_request
def protect(response: Response) -> Response:
    """Keep pages out of caches, indexes, frames and referrers; they name nobody, but their URL is a credential."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.endpoint == "optout.static":
        # While servers are brought up to date, one may be asked for the version of another: nobody keeps its answer.
        if request.args.get("v", "") == VERSIONS.get((request.view_args or {})["filename"]):
            response.headers["Cache-Control"] = FOR_A_YEAR
        return response
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    # The frame of a message in the Email Log has its own.
    response.headers.setdefault("Content-Security-Policy", CSP)
    response.vary.add("HX-Request")
    if "babel" in current_app.extensions and not of_link():
        response.vary.add("Accept-Language")
    return response
