"""Find what in the host stands before the candidate's pages: a login wall, a CSRF check, a maintenance page."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask

from ..addresses import parse
from ..links.tokens import Door
from ..pages.candidate import UNSIGNED
from ..wiring import current_state

#: Dummy recipient and opportunity for the self-check.
NOBODY = "nobody@example.com"
NOTHING = "optout-check"


def find_wall(app: Flask) -> dict[str, str] | None:
    """The wall before the pages of this app, as the facts of a finding, or ``None`` when there is none.

    Opens a page and sends a one-click request without its body (RFC 8058 section 3.2), in this process; neither
    reads or writes a choice. The host's own hooks run as they do for a candidate.

    :raises ConfigurationError: when the base URL or the keys cannot work.
    """
    with app.app_context():
        url = current_state().links.url(Door.ONE_CLICK, parse(NOBODY), NOTHING)
    base = app.config["OPTOUT_BASE_URL"].rstrip("/")
    server = base.removesuffix(urlsplit(base).path)
    # The server may have mounted the app below the path of the base URL, or the app itself may answer for it all.
    walls = [_wall_at(app, mount, url) for mount in {base, server}]
    return None if None in walls else walls[0]


def _wall_at(app: Flask, mount: str, url: str) -> dict[str, str] | None:
    client = app.test_client(use_cookies=False)
    path, base = url.removeprefix(mount), f"{mount}/"
    what, answer = "page", client.get(path[:-1], base_url=base)
    if answer.status_code == 404:  # the page for a link that is not whole
        what, answer = "press", client.post(path, base_url=base)
        if answer.status_code == 400 and answer.text == UNSIGNED:
            return None
    status = f"{answer.status} to {urlsplit(answer.location).path}" if answer.location else answer.status
    return {"what": what, "status": status, "how": "csrf" if answer.status_code == 400 else "skip"}
