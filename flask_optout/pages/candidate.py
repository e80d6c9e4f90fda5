"""The candidate's blueprint: the landing page with its mute and undo, and the one-click door."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, current_app, make_response, redirect, request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response as BaseResponse

from ..errors import BadToken, ConfigurationError, JournalError, StoreUnavailable
from ..links.log_records import log, log_error
from ..links.tokens import Claim, Door, split
from ..presses.evidence import COMMANDS, LANDING, Command, Nonce, Page, new_visit, observe, visitor
from ..presses.judge import Verdict
from ..wiring import current_state
from .context import TOGGLE, PageContext, element_id, opened, own_url, page_context
from .languages import OF_LINK, of_browser, of_link, render, speaking, spoken
from .routing import RECEIPT, PlacedBlueprint, optout_url, with_query

#: Templates and static files stand beside the package in a checkout and inside it when installed.
HOME = next(place for place in Path(__file__).parents[1:3] if (place / "templates").is_dir())
#: What changes in a file's URL when the file does, so that browsers may keep it.
VERSIONS = {
    file.name: hashlib.blake2b(file.read_bytes(), digest_size=6).hexdigest() for file in (HOME / "static").iterdir()
}
FOR_A_YEAR = "public, max-age=31536000, immutable"
#: No form of ours is longer, and a longer body is read no further.
LONGEST_FORM = 16_384
#: The fields of our forms other than the button.
FIELDS = {"nonce", "scripts", "seen", "toggle"}
RETRY_AFTER = 60
#: The body of a one-click request is a fixed signal of 26 octets, or some 200 as multipart (RFC 8058 section 3.2).
LONGEST_SIGNAL = 1_024
#: The answer to a request without the signal; nobody else in a host would say it.
UNSIGNED = "Nothing changed: the body is not List-Unsubscribe=One-Click.\n"
#: Scans for the signal instead of parsing, as the RFC's own example (section 8) is not valid multipart.
SIGNAL_PART = re.compile(
    rb'name="?List-Unsubscribe"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\nOne-Click[ \t]*\r?\n', re.IGNORECASE
)
CSP = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

blueprint: PlacedBlueprint = PlacedBlueprint(
    "optout", __name__, static_folder=HOME / "static", template_folder=HOME / "templates"
)


class AnyToken(BaseConverter):
    """Matches whatever follows a door, so that every bad link below it gets the one page for bad links.

    But not the operator pages: where they are not, too, the app answers as to any unknown URL.
    """

    regex = r"(?!operator(?:/|\Z))(?s:.*)"
    part_isolating = False


@blueprint.record
def know_tokens(setup: BlueprintSetupState) -> None:
    setup.app.url_map.converters["optout_token"] = AnyToken


@blueprint.url_defaults
def put_version(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "optout.static":
        values.setdefault("v", VERSIONS.get(values["filename"]))


@blueprint.get("/<optout_token:token>")
def landing(token: str) -> Response:
    """Show the invitation with its mute, or the mute with its undo; change nothing."""
    claim = _claim(Door.LANDING, token)
    return _page(claim, opened(claim))


@blueprint.post("/<optout_token:token>")
def press(token: str) -> BaseResponse:
    """Do what the pressed button says, unless the press does not look like a person's; see ``presses/judge.py``."""
    state = current_state()
    claim = _claim(Door.LANDING, token)
    request.max_content_length = LONGEST_FORM
    text, now = request.form.get("nonce", ""), state.clock()
    nonce = state.nonces.read(claim, text, now)
    visit, back = (new_visit(), "") if nonce is None else (nonce.visit, nonce.back)
    evidence = observe(request, _command(nonce, text), nonce, now)
    judgement = state.presses.press(claim, evidence, partial(visitor, request, visit, state.visitor_secret))
    said = None if judgement.cause == "no button" else evidence.command
    if judgement.asks:
        return _page(claim, Nonce(Page.REPEAT, state.clock(), visit, said, back))
    result = Nonce(Page.RESULT, state.clock(), visit, said, back)
    if judgement.verdict is Verdict.SHOW or "HX-Request" in request.headers:
        return _page(claim, result if judgement.press is not None else result._replace(page=Page.OPENED))
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


@blueprint.get("/one-click/<optout_token:token>")
def one_click(token: str) -> Response:
    """Show the landing page: mail programs without one-click open its URL in a browser."""
    claim = _claim(Door.ONE_CLICK, token)
    return _page(claim, opened(claim))


@blueprint.post("/one-click/<optout_token:token>")
def one_click_press(token: str) -> Response:
    """Mute at once, as the candidate's mail program asks (RFC 8058 section 3.2)."""
    claim = _claim(Door.ONE_CLICK, token)
    if not is_signal(request.stream.read(LONGEST_SIGNAL + 1), request.mimetype):
        return _plain(UNSIGNED, 400)
    current_state().presses.one_click(claim)
    return _plain("You will get no more of these invitations.\n", 200)


def is_signal(body: bytes, mimetype: str) -> bool:
    """Whether this is the exact one-click signal, in one of the shapes in which mail programs send it."""
    if len(body) > LONGEST_SIGNAL:
        return False
    if mimetype == "multipart/form-data":
        return SIGNAL_PART.search(body) is not None
    if mimetype in ("application/x-www-form-urlencoded", ""):
        return ("List-Unsubscribe", "One-Click") in parse_qsl(body.decode("latin-1").rstrip("\r\n"))
    return False


def _claim(door: Door, path: str) -> Claim:
    language, token = split(path)
    claim = current_state().claim(door, token)
    if spoken(language):
        request.environ[OF_LINK] = language
    return claim


def show(template: str, **context: Any) -> str:
    """Render a page in the language of the link, or else of the browser, or else of the app."""
    with speaking([of_link(), *of_browser()]):
        return render(template, **context)


def _page(claim: Claim, nonce: Nonce) -> Response:
    if "HX-Request" in request.headers:
        toggle = bool(nonce.back)
        page = page_context(claim, nonce, toggle)
        return make_response(show("_toggle.html" if toggle else "_choice.html", page=page, part=True))
    hosts = current_state().hooks.landing_page is not None
    page = page_context(claim, nonce, in_place=not (hosts or nonce.back))
    invites = hosts and not (page.muted or page.by_base or page.answers or page.only_everything)
    own = _hosts_page(claim, nonce, page) if invites else None
    return make_response(show("landing.html", page=page)) if own is None else own


def _hosts_page(claim: Claim, nonce: Nonce, page: PageContext) -> Response | None:
    """The host's own page for an opportunity, if it has one; what stands or goes wrong there, never breaks a link."""
    state = current_state()
    text = state.nonces.issue(claim, nonce._replace(back=LANDING))
    request.environ[TOGGLE] = replace(page, nonce=text, in_place=True, toggle=True)
    try:
        with speaking([of_link()]):
            answer = current_app.ensure_sync(state.hooks.landing_page)(claim.opportunity)  # type: ignore[arg-type]
        response = None if answer is None else make_response(answer)
    except HTTPException:  # such as get_or_404 for an opportunity that is gone
        return None
    except Exception:
        failed = "The landing page failed; the candidate sees the page of Flask-OptOut."
        log(current_app.logger, logging.ERROR, "landing_page_failed", failed, exc_info=True)
        return None
    if response is None or response.status_code != 200:
        return None
    response.headers.pop("Content-Security-Policy", None)
    return response


def _plain(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")


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
