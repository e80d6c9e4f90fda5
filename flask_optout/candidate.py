"""The candidate's blueprint: the landing page with its mute and undo, and the one-click door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from flask import Response, current_app, make_response, redirect, request, url_for
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response as BaseResponse

from .choices import Choice
from .errors import BadToken, ConfigurationError, JournalError, StoreUnavailable
from .keys import ALL
from .place import PlacedBlueprint
from .rendering import render
from .state import current_state
from .tokens import Claim, Door
from .walls import UNSIGNED, watch

#: Assets stand beside the package in a checkout and inside it when installed.
HOME = next(place for place in Path(__file__).parents[:2] if (place / "templates").is_dir())
#: No form of ours is longer, and a longer body is read no further.
LONGEST_FORM = 16_384
#: The one-click body is a fixed signal of 26 octets, or some 200 as multipart (RFC 8058 section 3.2).
LONGEST_SIGNAL = 1_024
SIGNAL = ("List-Unsubscribe", "One-Click")
#: Scans for the signal instead of parsing, as the RFC's own example (section 8) is not valid multipart.
SIGNAL_PART = re.compile(
    rb'name="?List-Unsubscribe"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\nOne-Click[ \t]*\r?\n', re.IGNORECASE
)
RETRY_AFTER = 60

blueprint = PlacedBlueprint("optout", __name__, static_folder=HOME / "static", template_folder=HOME / "templates")
watch(blueprint)


class AnyToken(BaseConverter):
    """Matches whatever follows a door, so that every bad link below it gets the one page for bad links."""

    regex = "(?s:.*)"
    part_isolating = False


@blueprint.record
def know_tokens(setup: BlueprintSetupState) -> None:
    setup.app.url_map.converters["optout_token"] = AnyToken


@dataclass(frozen=True)
class Opportunity:
    """What a page says about an opportunity; ``link`` leads to the host's own page about it."""

    title: str
    summary: str = ""
    link: str = ""


class Command(NamedTuple):
    """What a button does: mute or undo, for this opportunity or for all invitations."""

    muted: bool
    everything: bool


COMMANDS = {
    "mute": Command(muted=True, everything=False),
    "undo": Command(muted=False, everything=False),
    "mute-all": Command(muted=True, everything=True),
    "undo-all": Command(muted=False, everything=True),
}


@dataclass(frozen=True)
class Standing:
    """What is true for the holder of a link just now; a choice stands here only while it mutes."""

    opportunity: Opportunity
    this: Choice | None
    everything: Choice | None
    by_base: bool
    only_everything: bool
    action: str


@blueprint.get("/<optout_token:token>")
def landing(token: str) -> Response:
    """Show the invitation with its mute, or the mute with its undo; change nothing."""
    return _page(current_state().tokens.read(Door.LANDING, token))


@blueprint.post("/<optout_token:token>")
def press(token: str) -> BaseResponse:
    """Do what the pressed button says; a form that was sent without a button changes nothing."""
    claim = current_state().tokens.read(Door.LANDING, token)
    request.max_content_length = LONGEST_FORM
    command = COMMANDS.get(request.form.get("choice", ""))
    if command is None:
        return _page(claim)
    current_state().choices.set(claim, claim.person[command.everything], command.muted, "page")
    if "HX-Request" in request.headers:
        return _page(claim)
    return redirect(_standing(claim).action, 303)


@blueprint.get("/one-click/<optout_token:token>")
def one_click(token: str) -> Response:
    """Show the landing page: mail programs without one-click open its URL in a browser."""
    return _page(current_state().tokens.read(Door.ONE_CLICK, token))


@blueprint.post("/one-click/<optout_token:token>")
def one_click_press(token: str) -> Response:
    """Mute at once, as the candidate's mail program asks (RFC 8058 section 3.2)."""
    claim = current_state().tokens.read(Door.ONE_CLICK, token)
    if not _is_signal(request.stream.read(LONGEST_SIGNAL + 1), request.mimetype):
        return _plain(UNSIGNED, 400)
    current_state().choices.set(claim, claim.person[0], True, "one-click")
    return _plain("You will get no more of these invitations.\n", 200)


def _is_signal(body: bytes, mimetype: str) -> bool:
    if len(body) > LONGEST_SIGNAL:
        return False
    if mimetype == "multipart/form-data":
        return SIGNAL_PART.search(body) is not None
    if mimetype in ("application/x-www-form-urlencoded", ""):
        return SIGNAL in parse_qsl(body.decode("latin-1").rstrip("\r\n"))
    return False


def _page(claim: Claim) -> Response:
    template = "_choice.html" if "HX-Request" in request.headers else "landing.html"
    return make_response(render(template, standing=_standing(claim)))


def _standing(claim: Claim) -> Standing:
    state = current_state()
    this, everything = claim.person
    choices = state.choices.standing(claim)
    muted = {mark: choice for mark, choice in choices.items() if choice.muted}
    return Standing(
        opportunity=_opportunity(claim.opportunity),
        this=muted.get(this),
        everything=muted.get(everything),
        by_base=any(mark in muted for mark in claim.base or ()),
        only_everything=claim.opportunity == ALL,
        action=url_for(".landing", token=state.tokens.reissue(Door.LANDING, claim)),
    )


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


def _plain(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")


@blueprint.errorhandler(BadToken)
def dead_link(error: BadToken) -> tuple[str, int]:
    """One page for every bad link: it must not tell what it knows."""
    return render("dead_link.html"), 404


@blueprint.errorhandler(StoreUnavailable)
@blueprint.errorhandler(ConfigurationError)
@blueprint.errorhandler(JournalError)
def unavailable(error: StoreUnavailable | ConfigurationError | JournalError) -> Response:
    """Say that nothing changed, and when to try again."""
    current_app.logger.error("%s", error)
    template = "_unavailable.html" if "HX-Request" in request.headers else "unavailable.html"
    response = make_response(render(template, choice=request.form.get("choice")), 503)
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
def guard(response: Response) -> Response:
    """Keep pages out of caches, indexes, frames and referrers; they name nobody, but their URL is a credential."""
    if request.endpoint == f"{request.blueprint}.static":
        return response
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    )
    response.vary.add("HX-Request")
    return response
