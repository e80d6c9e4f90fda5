"""The one-click door, at which a mail program speaks for its user (RFC 8058)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from flask import Response, request

from ..links.tokens import Door
from ..wiring import current_state
from .candidate import blueprint, claimed, landing_page, opened

#: The body is a fixed signal of 26 octets, or some 200 as multipart (RFC 8058 section 3.2).
LONGEST_SIGNAL = 1_024
#: The answer to a request without the signal; nobody else in a host would say it.
UNSIGNED = "Nothing changed: the body is not List-Unsubscribe=One-Click.\n"
#: Scans for the signal instead of parsing, as the RFC's own example (section 8) is not valid multipart.
SIGNAL_PART = re.compile(
    rb'name="?List-Unsubscribe"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\nOne-Click[ \t]*\r?\n', re.IGNORECASE
)
TEXT = "text/plain; charset=utf-8"


@blueprint.get("/one-click/<optout_token:token>")
def one_click(token: str) -> Response:
    """Show the landing page: mail programs without one-click open its URL in a browser."""
    claim = claimed(Door.ONE_CLICK, token)
    return landing_page(claim, opened(claim))


@blueprint.post("/one-click/<optout_token:token>")
def one_click_press(token: str) -> Response:
    """Mute at once, as the candidate's mail program asks (RFC 8058 section 3.2)."""
    claim = claimed(Door.ONE_CLICK, token)
    if not is_signal(request.stream.read(LONGEST_SIGNAL + 1), request.mimetype):
        return Response(UNSIGNED, 400, content_type=TEXT)
    current_state().presses.one_click(claim)
    return Response("You will get no more of these invitations.\n", content_type=TEXT)


def is_signal(body: bytes, mimetype: str) -> bool:
    """Whether this is the exact signal, in one of the shapes in which mail programs send it."""
    if len(body) > LONGEST_SIGNAL:
        return False
    if mimetype == "multipart/form-data":
        return SIGNAL_PART.search(body) is not None
    if mimetype in ("application/x-www-form-urlencoded", ""):
        return ("List-Unsubscribe", "One-Click") in parse_qsl(body.decode("latin-1").rstrip("\r\n"))
    return False
