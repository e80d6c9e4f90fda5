"""Find what in the host stands before the candidate's pages: a login wall, a CSRF check, a maintenance page."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from ..addresses import parse
from ..errors import ConfigurationError
from ..links.tokens import Door
from ..pages.one_click import UNSIGNED
from ..wiring import current_state

#: Dummy recipient and opportunity for the self-check.
NOBODY = "nobody@example.com"
NOTHING = "optout-check"

SKIP = """Begin each before_request function that may answer with these lines:
    if request.blueprint == "optout":
        return None"""
CSRF = f"""Where Flask-WTF's csrf.protect() is called by hand, call csrf.protect(apply_exemptions=True). {SKIP}"""
WHY = "Candidates are not logged in and their mail programs send no cookie, so nobody could opt out."


def find_wall(app: Flask) -> ConfigurationError | None:
    """The wall before the pages of this app, or ``None`` when there is none.

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


def _wall_at(app: Flask, mount: str, url: str) -> ConfigurationError | None:
    client = app.test_client(use_cookies=False)
    path, base = url.removeprefix(mount), f"{mount}/"
    page = client.get(path[:-1], base_url=base)
    if page.status_code != 404:  # the page for a link that is not whole
        return _finding("A page that a candidate opens", page)
    press = client.post(path, base_url=base)
    if press.status_code != 400 or press.text != UNSIGNED:
        return _finding("The one-click request of a candidate's mail program", press)
    return None


def _finding(what: str, answer: TestResponse) -> ConfigurationError:
    status = f"{answer.status} to {urlsplit(answer.location).path}" if answer.location else answer.status
    what = f"{what} is answered by the host with {status} and does not reach Flask-OptOut."
    return ConfigurationError(what, WHY, _mend(answer.status_code))


def _mend(status: int) -> str:
    return CSRF if status == 400 else SKIP
