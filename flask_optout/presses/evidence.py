"""What is known about one press: its button, the page that it came from, and what its request and browser tell."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import partial
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from flask import Request
from itsdangerous import BadData, URLSafeSerializer

from ..config import LOOPBACK
from ..links.tokens import Claim

#: Seconds; a tab may stay open for weeks, and an outdated nonce costs one more press.
LIFE = 30 * 86_400.0
#: Seconds below which no person has read a page and pressed a button on it.
HURRY = 0.4
#: As a page to come back to: the host's landing page at the candidate's own link.
LANDING = "."
#: From these versions on browsers send ``Sec-Fetch-*`` (Chrome 76, Firefox 90); those on iOS are all Safari inside.
MODERN = re.compile(r"\b(?:Chrome/(?:7[6-9]|[89]\d|\d{3,})|Firefox/(?:9\d|\d{3,}))\b")
#: An app's web view may leave them out.
EMBEDDED = re.compile(r"; wv\)|\b(?:CriOS|FxiOS|EdgiOS)/")
#: User agents of scanners, previews and programs, and an empty one. A Cubot is a phone, and no bot.
SCANNER = re.compile(
    r"(?<!cu)bot\b|crawl|spider|preview|facebookexternalhit|whatsapp/|slackbot|barracuda|proofpoint|mimecast|"
    r"python|go-http-client|curl/|wget/|java/|libwww-perl|okhttp/|httpclient|guzzle|axios/|^node|^$",
    re.IGNORECASE,
)
#: The body of one click is a fixed signal of 26 octets, or some 200 as multipart (RFC 8058 section 3.2).
LONGEST_SIGNAL = 1_024
#: Scans for the signal instead of parsing, as the RFC's own example (section 8) is not valid multipart.
SIGNAL_PART = re.compile(
    rb'name="?List-Unsubscribe"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\nOne-Click[ \t]*\r?\n', re.IGNORECASE
)
#: Whether each of the two choices of a link mutes: of its opportunity (0), and of all invitations (1).
Muted = tuple[bool, bool]


class Command(StrEnum):
    """What a button does: its value, the state it sets (``None``: none), and which of the two choices it is about.

    It sets the first of those.
    """

    muted: bool | None
    about: tuple[int, ...]

    MUTE = "mute", True, (0,)
    UNDO = "undo", False, (0,)
    MUTE_ALL = "mute-all", True, (1,)
    UNDO_ALL = "undo-all", False, (1,)
    # It contradicts every mute, although it sets one choice alone.
    KEEP = "keep", False, (0, 1)
    LEAVE = "leave"
    DECOY = "none"

    def __new__(cls, value: str, muted: bool | None = None, about: tuple[int, ...] = (0, 1)) -> Command:
        command = str.__new__(cls, value)
        command._value_, command.muted, command.about = value, muted, about
        return command

    @property
    def target(self) -> int:
        return self.about[0]

    def contradicts(self, other: Command) -> bool:
        """Whether a person who presses both within seconds cannot mean both."""
        if Command.DECOY in (self, other):
            return False
        return (self.muted is False) is not (other.muted is False) and not {*self.about}.isdisjoint(other.about)


class Page(Enum):
    """Which page a press came from: one that was opened, the result of a press, or the plea to press once more."""

    OPENED = 0
    RESULT = 1
    REPEAT = 2


class Nonce(NamedTuple):
    """Which page this is, when it was made (seconds since the epoch), of which visit, and by which command.

    :param back: the URL of the host's page that a toggle stands on, where a press of it comes back to; ``LANDING``
        for that at the candidate's own link.
    :param visitor: in a receipt, a word for who has pressed.
    """

    page: Page
    issued: float
    visit: str
    said: Command | None = None
    back: str = ""
    visitor: str = ""


def make_visit() -> str:
    return secrets.token_hex(6)


class Nonces:
    """Signs and reads nonces by a key of their own; the link is part of what is signed, and not of the nonce."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _make_serializer(self, claim: Claim) -> URLSafeSerializer:
        signing = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeSerializer(self._key, salt=claim.payload, signer_kwargs=signing)

    def issue(self, claim: Claim, nonce: Nonce) -> str:
        # Not the command itself: a receipt stands in URLs, which stand in logs.
        said = nonce.said and self.make_word(nonce.visit, nonce.said)
        fields = [nonce.page.value, int(nonce.issued * 1000), nonce.visit, said, nonce.back, nonce.visitor]
        return str(self._make_serializer(claim).dumps(fields))

    def read(self, claim: Claim, text: str, now: float) -> Nonce | None:
        """What a nonce proves, or ``None`` when it is damaged, outdated or of another link's page."""
        try:
            page, issued, visit, said, *rest = self._make_serializer(claim).loads(text)
        except BadData:
            return None
        command = next((each for each in Command if said == self.make_word(visit, each)), None) if said else None
        nonce = Nonce(Page(page), issued / 1000, visit, command, *rest)
        return nonce if now - nonce.issued <= LIFE else None

    def make_word(self, place: str, meaning: str) -> str:
        """The word for a meaning in a visit, or in the form of a page that asks; it cannot be known in advance."""
        return "a" + hashlib.blake2b(f"{place}|{meaning}".encode(), digest_size=5, key=self._key).hexdigest()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one press, which came ``at`` and its page was ``issued`` so many seconds after the epoch.

    :param pressed: whether the form came with a button of ours; without one, ``command`` is what the page is for.
    :param page: ``None`` when its nonce is missing, outdated or another link's; ``back`` is that of the nonce.
    :param sure: whether the browser vouches for a click.
    :param doubts: the names of the signs that it is not a person's press.
    """

    command: Command
    pressed: bool = True
    page: Page | None = Page.OPENED
    back: str = ""
    visit: str = ""
    visitor: str = ""
    at: float = 0.0
    issued: float = -60.0
    sure: bool = False
    doubts: tuple[str, ...] = ()


def observe(request: Request, claim: Claim, nonces: Nonces, now: float, secret: bytes) -> Evidence:
    """Gather the evidence of one press at ``now``, in seconds since the epoch.

    :param secret: as of :func:`make_visitor`.
    """
    text = request.form.get("nonce", "")
    nonce = nonces.read(claim, text, now)
    asked = nonce is not None and nonce.page is Page.REPEAT
    word: Callable[[str], str] = partial(nonces.make_word, text) if asked else str
    answers = request.form.getlist(word("choice"))
    answer = answers[0] if len(answers) == 1 else ""  # a browser sends the button that was pressed, and no other one
    command = next((each for each in Command if word(each) == answer), Command.DECOY if asked and answer else None)
    known = nonce or Nonce(Page.OPENED, now, make_visit())
    return Evidence(
        command=command or Command.MUTE,
        pressed=command is not None,
        page=nonce and nonce.page,
        back=known.back,
        visit=known.visit,
        visitor=make_visitor(request, claim, known.visit, secret),
        at=int(now * 1000) / 1000,  # as in a nonce, so that a page which was made after it shows it
        issued=known.issued,
        sure=is_sure(request),
        doubts=tuple(name for name, holds in find_doubts(request, nonce, now).items() if holds),
    )


def is_sure(request: Request) -> bool:
    """Whether the browser vouches for a click: to the page's own script, or by the sign that it sends itself."""
    return request.form.get("scripts") == "trusted" or request.headers.get("Sec-Fetch-User") == "?1"


def find_doubts(request: Request, nonce: Nonce | None, now: float) -> dict[str, object]:
    """The signs that a press is not a person's. A missing header is one only in a browser that always sends it."""
    headers, agent, written = request.headers, request.user_agent.string, request.form.get("scripts", "")
    site, mode, sure = headers.get("Sec-Fetch-Site", ""), headers.get("Sec-Fetch-Mode", ""), is_sure(request)
    is_scanner = SCANNER.search(agent)
    is_modern = not is_scanner and MODERN.search(agent) and not EMBEDDED.search(agent)
    sends_metadata = request.is_secure or urlsplit(f"//{request.host}").hostname in LOOPBACK
    # Any value in this field shows that a script ran.
    by_script = "HX-Request" in headers or written or mode not in ("", "navigate")
    # What old Chrome, Safari and Firefox sent instead of Sec-Purpose as well.
    purposes = [headers.get(name, "").lower() for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")]
    return {
        "no page": nonce is None,
        "untrusted click": by_script and written != "trusted",
        "no gesture": is_modern and mode == "navigate" and not sure,
        "no fetch metadata": is_modern and sends_metadata and not (site or mode or sure),
        "scanner": is_scanner,
        "prefetch": any(purpose.startswith(("prefetch", "preview", "prerender")) for purpose in purposes),
        "another site": site not in ("", "same-origin", "same-site"),
        # Below 0, the page was made by another server, whose clock is ahead.
        "hurry": nonce is not None
        and 0 <= min(now - nonce.issued, _parse_seen(request.form.get("seen", ""))) < HURRY,
    }


def _parse_seen(text: str) -> float:
    """Seconds for which the page was visible, as its script tells; the server's own figure includes the way there."""
    return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) < 12 else float("inf")


def make_visitor(request: Request, claim: Claim, visit: str, secret: bytes) -> str:
    """A pseudonym of who presses, for this link alone: of the client's address and user agent.

    Behind a proxy that the app does not know of, the address is the one that the proxy tells, as it only ever groups
    presses; where nobody tells one, all clients look alike, and it is a pseudonym of the visit. Without the secret,
    nobody can try all addresses that there are.
    """
    route = request.access_route
    address = request.remote_addr if request.remote_addr in route else next(iter(route), None)
    who = visit if address is None else f"{address}|{request.user_agent.string}"
    return hashlib.blake2b(who.encode(), digest_size=6, key=secret, salt=claim.person[0].digest).hexdigest()


def has_signal(request: Request) -> bool:
    """Whether a request is the signal, also where a function of the host's before it has read its body, as a form."""
    body = request.stream.read(LONGEST_SIGNAL + 1) or request.get_data()
    read = not body and request.form.get("List-Unsubscribe") == "One-Click"
    return read or is_signal(body, request.mimetype)


def is_signal(body: bytes, mimetype: str) -> bool:
    """Whether this is the exact signal, in one of the shapes in which mail programs send it."""
    if len(body) > LONGEST_SIGNAL or mimetype not in ("multipart/form-data", "application/x-www-form-urlencoded", ""):
        return False
    if mimetype.startswith("multipart"):
        return SIGNAL_PART.search(body) is not None
    return ("List-Unsubscribe", "One-Click") in parse_qsl(body.decode("latin-1").rstrip("\r\n"))
