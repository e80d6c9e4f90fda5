"""The candidate's blueprint: the page at their link, what a press on it does, and their mail program's one click."""

from __future__ import annotations

import hashlib
import re
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flask import Response, current_app, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from ..choices.repository import Choice
from ..errors import BadToken, OptOutError
from ..links.log_records import log_error
from ..links.tokens import ALL, Claim, Door, join_path, split_path
from ..presses.evidence import LANDING, Command, Nonce, Page, has_signal, make_visit, make_visitor, observe
from ..presses.history import has_muted
from ..presses.judge import Verdict
from ..wiring import current_state
from .routing import HOME, VERSIONS, OwnTemplates, PlacedBlueprint, add_capitals_rule, render_hosts_page
from .words import (
    OF_LINK,
    Opportunity,
    add_query,
    get_link_language,
    is_translated,
    optout_url,
    qualify,
    show,
    speaking,
)

#: Most bytes read of a form; none of ours is longer.
LONGEST_FORM = 16_384
#: The response to a request without the signal; the doctor recognises our page by these words.
UNSIGNED = "Nothing changed: the body is not List-Unsubscribe=One-Click.\n"
#: The fields of our forms other than the button.
FIELDS = {"nonce", "scripts", "seen", "toggle"}
#: The URL parameter with the receipt of a press, and seconds for which a reload still shows its result.
RECEIPT, RESULT_AGE = "optout", 600.0
#: The key in the environ of a request for the host's landing page under which its toggle's context is kept.
TOGGLE = "optout.toggle"
#: Text browsers, which show what a stylesheet hides.
TEXT_BROWSER = re.compile(r"\b(?:lynx|w3m|e?links|edbrowse|emacs)\b", re.IGNORECASE)
CSP = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": CSP,
}

blueprint: PlacedBlueprint = PlacedBlueprint("optout", __name__, static_folder=HOME / "static")
blueprint.jinja_loader = OwnTemplates(HOME / "templates")
blueprint.record(add_capitals_rule)


@blueprint.get("/one-click/<optout_token:token>", endpoint="one_click")
@blueprint.get("/<optout_token:token>")
def landing(token: str) -> Response:
    """Show the invitation or the mute; mail programs without one-click support open the header's URL in a browser."""
    claim = read_claim(Door.ONE_CLICK if request.endpoint == "optout.one_click" else Door.LANDING, token)
    return render_landing(claim, open_visit(claim))


@blueprint.post("/one-click/<optout_token:token>")
def one_click_press(token: str) -> Response:
    """Mute at once, as the candidate's mail program asks (RFC 8058 section 3.2)."""
    claim = read_claim(Door.ONE_CLICK, token)
    if not has_signal(request):
        return Response(UNSIGNED, 400, mimetype="text/plain")
    current_state().presses.one_click(claim)
    return Response("You will get no more of these invitations.\n", mimetype="text/plain")


@blueprint.post("/<optout_token:token>")
def press(token: str) -> BaseResponse:
    """Do what the pressed button says, unless the press does not look like a person's; see ``presses/judge.py``."""
    state = current_state()
    claim = read_claim(Door.LANDING, token)
    request.max_content_length = LONGEST_FORM
    evidence = observe(request, claim, state.nonces, state.clock(), state.visitor_secret)
    judgement = state.presses.press(claim, evidence)
    request.environ["optout.pressed"] = True  # from here on, a failure page must not say that nothing changed
    page = Page.REPEAT if judgement.asks else Page.OPENED if judgement.press is None else Page.RESULT
    said = evidence.command if evidence.pressed else None
    result = Nonce(page, state.clock(), evidence.visit, said, evidence.back)
    if judgement.asks or judgement.verdict is Verdict.SHOW or "HX-Request" in request.headers:
        return render_landing(claim, result)
    who = state.nonces.make_word(evidence.visit, evidence.visitor)
    receipt = state.nonces.issue(claim, result._replace(back="", visitor=who))
    url = make_own_url(claim) if evidence.back in ("", LANDING) else evidence.back
    return redirect(f"{add_query(url, [(RECEIPT, receipt)])}#{make_element_id(claim)}", 303)


def read_claim(door: Door, path: str) -> Claim:
    """Return the claim of the token in a path, and make the page speak the language before it, if there is one."""
    language, token = split_path(path)
    claim = current_state().read_claim(door, token)
    if is_translated(language):
        request.environ[OF_LINK] = language
    return claim


def render_landing(claim: Claim, nonce: Nonce) -> Response:
    """Render the page of a link: the host's own unless its holder is muted, else ours; for htmx, the changed part."""
    if "HX-Request" in request.headers:
        return Response(show("part.html", page=make_context(claim, nonce, toggle=bool(nonce.back)), part=True))
    view = current_state().hooks.landing_page
    page = make_context(claim, nonce if view is None or nonce.back else nonce._replace(back=LANDING))
    if view is not None and not (page.muted or page.by_base or page.answers or page.only_everything):
        request.environ[TOGGLE] = replace(page, in_place=True, toggle=True)
        # Without a language, the app's selector is not asked before the view, which may set what it reads.
        with speaking([get_link_language()]) if get_link_language() else nullcontext():
            own = render_hosts_page(view, claim.opportunity)
        if own is not None:
            return own
    return Response(show("landing.html", page=page))


@dataclass(frozen=True)
class PageContext:
    """What a page shows to the holder of a link.

    :param this: the holder's mute of this opportunity, if any; ``everything``: their mute of all invitations;
        ``by_base``: whether their address without its +tag is muted.
    :param only_everything: whether the link is for all invitations instead of one opportunity.
    :param said: the command that led to this page; ``asked``: the one that it asks to press once more.
    :param answers: the buttons of that question, each as command, name and value.
    :param decoys: whether to add buttons that no person sees; a text browser would show them.
    :param toggle: whether it is the one line in a host's page.
    :param in_place: whether htmx updates the page in place; otherwise a press loads a new page.
    :param at_hand: whether the undo is in plain sight, as the viewer has just muted and might want to take it back.
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
    answers: list[tuple[Command, str, str]]
    decoys: bool
    toggle: bool
    in_place: bool
    id: str
    at_hand: bool

    @property
    def muted(self) -> bool:
        """Whether a choice made with this link mutes."""
        return self.this is not None or self.everything is not None


def open_visit(claim: Claim) -> Nonce:
    """Return the nonce of a page that is opened: by its link, or as the result of a press, by the receipt in its URL.

    Scanners also open the URLs of pages that people look at; their presses there belong to a visit of their own.
    """
    state = current_state()
    now, text = state.clock(), request.args.get(RECEIPT)
    receipt = state.nonces.read(claim, text, now) if text else None
    if receipt is None or receipt.page is not Page.RESULT or now - receipt.issued > RESULT_AGE:
        return Nonce(Page.OPENED, now, make_visit())
    who = state.nonces.make_word(receipt.visit, make_visitor(request, claim, receipt.visit, state.visitor_secret))
    result = receipt._replace(issued=now, visitor="")
    return result if receipt.visitor == who else result._replace(page=Page.OPENED, visit=make_visit())


def make_context(claim: Claim, nonce: Nonce, toggle: bool = False) -> PageContext:
    """Build what a page shows to the holder of a link."""
    state = current_state()
    this, everything = claim.person
    choices, recent = state.presses.look(claim)
    muted = {mark: choice for mark, choice in choices.items() if choice.muted}
    decoys, text = not TEXT_BROWSER.search(request.user_agent.string), state.nonces.issue(claim, nonce)
    asked = (nonce.said or Command.MUTE) if nonce.page is Page.REPEAT else None
    who = make_visitor(request, claim, nonce.visit, state.visitor_secret) if recent else ""
    return PageContext(
        opportunity=Opportunity("") if claim.opportunity == ALL else state.load_opportunity(claim.opportunity),
        this=muted.get(this),
        everything=muted.get(everything),
        by_base=any(mark in muted for mark in claim.base or ()),
        only_everything=claim.opportunity == ALL,
        action=make_own_url(claim),
        nonce=text,
        said=nonce.said if asked is None else None,
        asked=asked,
        answers=[] if asked is None else _make_answers(asked, text, bool(muted), decoys),
        decoys=decoys,
        toggle=toggle,
        in_place=toggle or not nonce.back,
        id=make_element_id(claim),
        at_hand=bool(muted) and has_muted(recent, nonce, who),
    )


def _make_answers(asked: Command, nonce: str, muted: bool, decoys: bool) -> list[tuple[Command, str, str]]:
    """Return the command to press once more and its opposite, among decoys whose places vary with the page.

    A program that presses the first or the last button changes nothing. Nor does one that repeats its place among the
    visible buttons: what comes first on a candidate's page is second here, and what comes last is first.
    """
    word = partial(current_state().nonces.make_word, nonce)
    other = Command.LEAVE if muted or asked.muted is not True else Command.KEEP
    was_last = muted and asked in (Command.KEEP, Command.MUTE_ALL)
    answers = [(each, word("choice"), word(each)) for each in ((asked, other) if was_last else (other, asked))]
    if decoys:
        first, middle, last = ((Command.DECOY, word("choice"), word(f"decoy {number}")) for number in range(3))
        answers.insert(int(middle[2][1:], 16) % 3, middle)
        answers = [first, *answers, last]
    return answers


def make_own_url(claim: Claim) -> str:
    """Return the URL of this link's page, in the language that the current page has from its link."""
    state = current_state()
    url = state.links.prefix(Door.LANDING) + join_path(get_link_language(), state.tokens.reissue(Door.LANDING, claim))
    return qualify(url.removeprefix(state.place.origin))


def make_element_id(claim: Claim) -> str:
    """Return the id of this link's element in a page, to which a press without scripts returns."""
    return f"optout-{hashlib.blake2b(claim.payload, digest_size=4).hexdigest()}"


@blueprint.errorhandler(BadToken)
def dead_link(error: BadToken) -> tuple[str, int]:
    """One page for every bad link: it must not tell whether a link ever worked."""
    return show("dead_link.html"), 404


@blueprint.errorhandler(OptOutError)
def unavailable(error: OptOutError) -> Response:
    """Say that nothing changed, and when to try again."""
    log_error(current_app.logger, error)
    request.max_content_length, form = LONGEST_FORM, {}
    with suppress(HTTPException):  # the body is too long or broken: no button repeats such a press
        form = request.form.to_dict()
    part = "HX-Request" in request.headers
    page = show(
        "_unavailable.html" if part else "unavailable.html",
        action=optout_url(request.endpoint or "", **(request.view_args or {})),
        button=next(((name, value) for name, value in form.items() if name not in FIELDS), None),
        nonce=form.get("nonce"),
        part=part,
        toggle=form.get("toggle"),
    )
    return Response(page, 503, {"Retry-After": "60"})


@blueprint.before_request
def leave_the_hosts_page() -> Response | None:
    """Make htmx load a boosted link as a new page: inside the host's, ours would lack its stylesheet and scripts."""
    if request.method != "GET" or "HX-Boosted" not in request.headers:
        return None
    url = optout_url(str(request.endpoint), **(request.view_args or {}))
    return Response(headers={"HX-Redirect": add_query(url, [*request.args.items(multi=True)])})


@blueprint.url_value_preprocessor
def exempt_from_csrf(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Exempt these pages: their credential is the signed link, not a cookie, and mail programs send no CSRF token.

    Runs before every before_request function, so the order in which Flask-WTF is initialised does not matter.
    """
    if "csrf" in current_app.extensions:
        current_app.extensions["csrf"].exempt(current_app.blueprints[str(request.blueprint)])


@blueprint.after_request
def protect(response: Response) -> Response:
    """Keep pages out of caches, indexes, frames and referrers; they name nobody, but their URL is a credential."""
    headers = response.headers
    if request.endpoint == "optout.static":
        headers["X-Content-Type-Options"] = "nosniff"
        # During a deployment a server may be asked for another's version: that response is not cached.
        if request.args.get("v", "") == VERSIONS.get((request.view_args or {})["filename"]):
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
    headers.update(HEADERS)
    response.vary.add("HX-Request")
    if "babel" in current_app.extensions and not get_link_language():
        response.vary.add("Accept-Language")
    return response
