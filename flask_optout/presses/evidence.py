"""What is known about one press: what its request, its page and its browser tell."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from flask import Request
from werkzeug.user_agent import UserAgent

from ..config import LOOPBACK
from .commands import OBEYED, WINDOW, Command, Press
from .nonces import Nonce, Page

#: From these versions on browsers send ``Sec-Fetch-*`` (Chrome 76, Firefox 90); those on iOS are all Safari inside.
MODERN = re.compile(r"\b(?:Chrome/(?:7[6-9]|[89]\d|\d{3,})|Firefox/(?:9\d|\d{3,}))\b")
#: An app's web view may leave them out.
EMBEDDED = re.compile(r"; wv\)|\b(?:CriOS|FxiOS|EdgiOS)/")
TEXT_BROWSER = re.compile(r"\b(?:lynx|w3m|e?links|edbrowse|emacs)\b", re.IGNORECASE)
#: What scanners, previews and programs call themselves, or nothing at all; no browser for people does (a Cubot is a
#: phone).
SCANNER = re.compile(
    r"(?<!cu)bot\b|crawl|spider|preview|facebookexternalhit|whatsapp/|slackbot|barracuda|proofpoint|mimecast|"
    r"python-|go-http-client|curl/|wget/|java/|libwww-perl|okhttp/|^$",
    re.IGNORECASE,
)


class Scripts(StrEnum):
    """What the page's own script tells: nothing, that scripts run, or that the browser itself clicked."""

    SILENT = ""
    RAN = "ran"
    TRUSTED = "trusted"


class Client(StrEnum):
    """What a browser says it is, as far as it matters: which of them send ``Sec-Fetch-User``."""

    MODERN = "modern"
    SCANNER = "scanner"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one press.

    :param pressed: whether the form came with a button of ours; without one, ``command`` is what the page is for.
    :param page: the page it came from, ``None`` when its nonce is missing, outdated or another link's.
    :param at: when it came, in seconds since the epoch.
    :param issued: when its page was made, likewise.
    :param seen: seconds for which the page was in sight, as its script tells.
    :param secure: whether the browser reached us in a way in which it sends ``Sec-Fetch-*``.
    """

    command: Command
    pressed: bool = True
    page: Page | None = Page.OPENED
    visit: str = ""
    visitor: str = ""
    at: float = 0.0
    issued: float = -60.0
    seen: float = float("inf")
    scripts: Scripts = Scripts.SILENT
    htmx: bool = False
    client: Client = Client.OTHER
    secure: bool = True
    fetch_site: str = ""
    fetch_mode: str = ""
    fetch_user: bool = False
    prefetch: bool = False

    def is_by_same(self, press: Press) -> bool:
        """Whether an earlier press is of the same visit, or of the same visitor who has seen what came of it.

        A page that was made before that press does not show it: then it is somebody else's.
        """
        return press.visit == self.visit or (press.visitor == self.visitor and press.at <= self.issued)


def observe(request: Request, command: Command | None, nonce: Nonce | None, now: float) -> Evidence:
    """Gather the evidence of one press.

    :param command: what its button says, ``None`` when it came without one of ours.
    :param now: seconds since the epoch.
    """
    headers = request.headers
    return Evidence(
        command=command or Command.MUTE,
        pressed=command is not None,
        page=None if nonce is None else nonce.page,
        visit="" if nonce is None else nonce.visit,
        at=now,
        issued=now if nonce is None else nonce.issued,
        seen=_seen(request.form.get("seen", "")),
        scripts=_scripts(request.form.get("scripts", "")),
        htmx="HX-Request" in headers,
        client=client(request.user_agent),
        secure=request.is_secure or urlsplit(f"//{request.host}").hostname in LOOPBACK,
        fetch_site=headers.get("Sec-Fetch-Site", ""),
        fetch_mode=headers.get("Sec-Fetch-Mode", ""),
        fetch_user=headers.get("Sec-Fetch-User") == "?1",
        prefetch=is_prefetch(request),
    )


def visitor(request: Request, visit: str, secret: bytes, salt: bytes) -> str:
    """A pseudonym of who presses, for as long as the salt is kept: of the client's address and user agent.

    Where a proxy hides the addresses, all clients look alike, and it is one of the visit. The salt stands beside it
    in the database, so without the secret, all addresses there are could be tried.
    """
    hidden = request.remote_addr not in request.access_route
    who = visit if hidden else f"{request.remote_addr}|{request.user_agent.string}"
    return hashlib.blake2b(who.encode(), digest_size=6, key=secret + salt).hexdigest()


def has_muted(recent: Iterable[Press], nonce: Nonce, visitor: str) -> bool:
    """Whether whoever is shown this page has muted of late, in the same visit or as the same visitor."""
    return any(
        press.command.muted is True and press.outcome in OBEYED and nonce.issued - press.at <= WINDOW
        for press in recent
        if press.visit == nonce.visit or press.visitor == visitor
    )


def shows_everything(user_agent: UserAgent) -> bool:
    """Whether it is a text browser, which shows what a stylesheet hides from people."""
    return TEXT_BROWSER.search(user_agent.string) is not None


def client(user_agent: UserAgent) -> Client:
    if SCANNER.search(user_agent.string):
        return Client.SCANNER
    modern = MODERN.search(user_agent.string) and not EMBEDDED.search(user_agent.string)
    return Client.MODERN if modern else Client.OTHER


def is_prefetch(request: Request) -> bool:
    """Whether it only loads ahead: ``Sec-Purpose``, and what old Chrome, Safari and Firefox sent instead."""
    purposes = (request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
    return any(purpose.lower().startswith(("prefetch", "preview", "prerender")) for purpose in purposes)


def _seen(text: str) -> float:
    """Seconds for which the page was in sight, as its script tells: on its way there it may take longer than that."""
    return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) < 12 else float("inf")


def _scripts(text: str) -> Scripts:
    # Whatever is not ours says at least that something wrote it.
    return Scripts(text) if text in set(Scripts) else Scripts.RAN
