"""What is known about one press: its button, the page that it came from, and what its request and browser tell."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Request
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.user_agent import UserAgent

from ..config import LOOPBACK
from ..links.tokens import Claim

#: Seconds within which opposite presses are weighed against each other.
WINDOW = 120.0
#: Seconds; a tab may stay open for weeks, and an outdated nonce costs one more press.
LIFE = 30 * 86_400.0
#: As a page to come back to: the host's landing page at the candidate's own link.
LANDING = "."
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
#: Whether each of the two choices of a link mutes: of its opportunity (0), and of all invitations (1).
Muted = tuple[bool, bool]


class Command(Enum):
    """What a button does: its value, the state it sets (``None``: none), and which of the two choices it is about."""

    MUTE = "mute", True, (0,)
    UNDO = "undo", False, (0,)
    MUTE_ALL = "mute-all", True, (1,)
    UNDO_ALL = "undo-all", False, (1,)
    KEEP = "keep", False, (0,)
    LEAVE = "leave", None, (0, 1)
    DECOY = "none", None, (0, 1)

    def __init__(self, choice: str, muted: bool | None, about: tuple[int, ...]) -> None:
        self.choice = choice
        self.muted = muted
        # "Keep me invited" contradicts every mute, although it sets one choice alone.
        self.reach: tuple[int, ...] = (0, 1) if choice == "keep" else about
        self.target: int = about[0]

    def contradicts(self, other: Command) -> bool:
        """Whether no person presses both within seconds and means both."""
        if Command.DECOY in (self, other):
            return False
        return (self.muted is False) is not (other.muted is False) and bool({*self.reach} & {*other.reach})


COMMANDS = {command.choice: command for command in Command}


class Outcome(StrEnum):
    """What came of a press: it was obeyed, obeyed after a question, asked about, or it made its visitor doubtful."""

    OBEYED = "o"
    CONFIRMED = "c"
    ASKED = "a"
    DOUBTFUL = "d"


OBEYED = (Outcome.OBEYED, Outcome.CONFIRMED)


class Press(NamedTuple):
    """A recent press of a link.

    :param at: seconds since the epoch.
    :param visit: the id of the pages that it belongs to.
    :param visitor: a pseudonym of address and user agent that lives as long as the press.
    :param found: what stood before the first of this visitor's presses that are weighed together.
    """

    at: float
    visit: str
    visitor: str
    command: Command
    found: Muted
    outcome: Outcome = Outcome.OBEYED


class Page(Enum):
    """Which page a press came from: one that was opened, the result of a press, or the plea to press once more."""

    OPENED = 0
    RESULT = 1
    REPEAT = 2


class Nonce(NamedTuple):
    """Which page this is, when it was made (seconds since the epoch), of which visit, and by which command.

    :param back: the URL of the host's page that a toggle stands on, where a press of it comes back to; ``LANDING``
        for that at the candidate's own link.
    """

    page: Page
    issued: float
    visit: str
    said: Command | None = None
    back: str = ""


def new_visit() -> str:
    return secrets.token_hex(6)


class Nonces:
    """Signs and reads nonces; the link is signed in, not carried.

    :param key: a derived key of their own.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _signed(self, claim: Claim) -> URLSafeSerializer:
        signing = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeSerializer(self._key, salt=claim.payload, signer_kwargs=signing)

    def issue(self, claim: Claim, nonce: Nonce) -> str:
        said = None if nonce.said is None else nonce.said.choice
        return str(
            self._signed(claim).dumps([nonce.page.value, int(nonce.issued * 1000), nonce.visit, said, nonce.back])
        )

    def read(self, claim: Claim, text: str, now: float) -> Nonce | None:
        """What a nonce proves, or ``None`` when it is damaged, outdated or of another link's page."""
        try:
            page, issued, visit, said, back = self._signed(claim).loads(text)
        except BadData:
            return None
        nonce = Nonce(Page(page), issued / 1000, visit, COMMANDS.get(said), back)
        return nonce if now - nonce.issued <= LIFE else None

    def word(self, nonce: str, meaning: str) -> str:
        """What stands for a meaning in the form of this one page, so that no answer can be known in advance."""
        return "a" + hashlib.blake2b(f"{nonce}|{meaning}".encode(), digest_size=5, key=self._key).hexdigest()


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
