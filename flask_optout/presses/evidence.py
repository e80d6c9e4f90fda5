"""The evidence about one press: its button, the page it came from, and what its request and browser reveal."""

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

#: Seconds for which a nonce is valid: a tab may stay open for weeks, and an expired nonce costs one more press.
LIFE = 30 * 86_400.0
#: Seconds that a person needs at least to read a page and press a button on it.
HURRY = 0.4
#: The value of ``Nonce.back`` for the host's landing page at the candidate's own link.
LANDING = "."
#: Browsers that always send ``Sec-Fetch-*`` headers: Chrome from 76, Firefox from 90.
MODERN = re.compile(r"\b(?:Chrome/(?:7[6-9]|[89]\d|\d{3,})|Firefox/(?:9\d|\d{3,}))\b")
#: Except these: web views in apps, and all browsers on iOS, which are Safari inside.
EMBEDDED = re.compile(r"; wv\)|\b(?:CriOS|FxiOS|EdgiOS)/")
#: User agents of scanners, previews and programs, or an empty one. A Cubot is a phone, not a bot.
SCANNER = re.compile(
    r"(?<!cu)bot\b|crawl|spider|preview|facebookexternalhit|whatsapp/|slackbot|barracuda|proofpoint|mimecast|"
    r"python|go-http-client|curl/|wget/|java/|libwww-perl|okhttp/|httpclient|guzzle|axios/|^node|^$",
    re.IGNORECASE,
)
#: Octets read of a one-click body: the signal has 26, or some 200 as multipart (RFC 8058 section 3.2).
LONGEST_SIGNAL = 1_024
#: Searched for instead of parsed, as the RFC's own example (section 8) is not valid multipart.
SIGNAL_PART = re.compile(
    rb'name="?List-Unsubscribe"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\nOne-Click[ \t]*\r?\n', re.IGNORECASE
)
#: Whether each of a link's two choices mutes: the one about its opportunity (0) and about all invitations (1).
Muted = tuple[bool, bool]


class Command(StrEnum):
    """What a button does: its form value, the state it sets (``None``: none), and the choices it is about.

    It sets only the first of these.
    """

    muted: bool | None
    about: tuple[int, ...]

    MUTE = "mute", True, (0,)
    UNDO = "undo", False, (0,)
    MUTE_ALL = "mute-all", True, (1,)
    UNDO_ALL = "undo-all", False, (1,)
    # It contradicts every mute, although it sets only one choice.
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
        """Return whether no person would mean both of these within seconds."""
        if Command.DECOY in (self, other):
            return False
        return (self.muted is False) is not (other.muted is False) and not {*self.about}.isdisjoint(other.about)


class Page(Enum):
    """The page a press came from: one that was opened, the result of a press, or a request to press once more."""

    OPENED = 0
    RESULT = 1
    REPEAT = 2


class Nonce(NamedTuple):
    """The signed fields of a page: kind, time of issue (seconds since the epoch), visit, and the command before it.

    :param back: the URL of the host's page with a toggle, to which its presses return; ``LANDING`` for the host's
        landing page at the candidate's own link.
    :param visitor: in a receipt, a word for the visitor who pressed.
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
    """Signs and verifies nonces with a key of their own; the link is signed as well, but not part of the nonce."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _make_serializer(self, claim: Claim) -> URLSafeSerializer:
        signing = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeSerializer(self._key, salt=claim.payload, signer_kwargs=signing)

    def issue(self, claim: Claim, nonce: Nonce) -> str:
        # Not the command itself: receipts appear in URLs, and URLs in logs.
        said = nonce.said and self.make_word(nonce.visit, nonce.said)
        fields = [nonce.page.value, int(nonce.issued * 1000), nonce.visit, said, nonce.back, nonce.visitor]
        return str(self._make_serializer(claim).dumps(fields))

    def read(self, claim: Claim, text: str, now: float) -> Nonce | None:
        """Return the verified nonce, or ``None`` when it is damaged, expired or of another link's page."""
        try:
            page, issued, visit, said, *rest = self._make_serializer(claim).loads(text)
        except BadData:
            return None
        command = next((each for each in Command if said == self.make_word(visit, each)), None) if said else None
        nonce = Nonce(Page(page), issued / 1000, visit, command, *rest)
        return nonce if now - nonce.issued <= LIFE else None

    def make_word(self, place: str, meaning: str) -> str:
        """Return an unpredictable word for a meaning within one place: a visit, or the form of one page."""
        return "a" + hashlib.blake2b(f"{place}|{meaning}".encode(), digest_size=5, key=self._key).hexdigest()


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence about one press; ``at`` (the press) and ``issued`` (its page) are in seconds since the epoch.

    :param pressed: whether the form came with one of our buttons; if not, ``command`` is ``MUTE``.
    :param page: ``None`` when its nonce is missing, expired or another link's; ``back`` is the nonce's.
    :param sure: whether the browser vouches for a click.
    :param doubts: the names of the signs that no person pressed.
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
    """Gather the evidence of a press at ``now`` (seconds since the epoch); the secret is :func:`make_visitor`'s."""
    text = request.form.get("nonce", "")
    nonce = nonces.read(claim, text, now)
    asked = nonce is not None and nonce.page is Page.REPEAT
    word: Callable[[str], str] = partial(nonces.make_word, text) if asked else str
    answers = request.form.getlist(word("choice"))
    answer = answers[0] if len(answers) == 1 else ""  # a browser sends only the pressed button
    command = next((each for each in Command if word(each) == answer), Command.DECOY if asked and answer else None)
    known = nonce or Nonce(Page.OPENED, now, make_visit())
    return Evidence(
        command=command or Command.MUTE,
        pressed=command is not None,
        page=nonce and nonce.page,
        back=known.back,
        visit=known.visit,
        visitor=make_visitor(request, claim, known.visit, secret),
        at=int(now * 1000) / 1000,  # cut as in a nonce, or the next page would seem to be older
        issued=known.issued,
        sure=is_sure(request),
        doubts=tuple(name for name, holds in find_doubts(request, nonce, now).items() if holds),
    )


def is_sure(request: Request) -> bool:
    """Return whether the browser vouches for a click, either to our script or by the header that it sends itself."""
    return request.form.get("scripts") == "trusted" or request.headers.get("Sec-Fetch-User") == "?1"


def find_doubts(request: Request, nonce: Nonce | None, now: float) -> dict[str, object]:
    """Return the signs that no person pressed; a missing header is one only in a browser that always sends it."""
    headers, agent, written = request.headers, request.user_agent.string, request.form.get("scripts", "")
    site, mode, sure = headers.get("Sec-Fetch-Site", ""), headers.get("Sec-Fetch-Mode", ""), is_sure(request)
    is_scanner = SCANNER.search(agent)
    is_modern = not is_scanner and MODERN.search(agent) and not EMBEDDED.search(agent)
    sends_metadata = request.is_secure or urlsplit(f"//{request.host}").hostname in LOOPBACK
    # Any value in this field shows that a script ran.
    by_script = "HX-Request" in headers or written or mode not in ("", "navigate")
    # Older Chrome, Safari and Firefox send the others instead of Sec-Purpose.
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
    """Return for how many seconds the page was visible, by its script; the server's figure includes the network."""
    return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) < 12 else float("inf")


def make_visitor(request: Request, claim: Claim, visit: str, secret: bytes) -> str:
    """Return a pseudonym of the visitor for this link alone, made of the client's address and user agent.

    Behind a proxy that the app does not know, it trusts the address which that proxy forwards: visitors only group
    presses. Without any address all clients would look alike, so it is made of the visit. The secret keeps anybody
    from finding the address by trying all.
    """
    route = request.access_route
    address = request.remote_addr if request.remote_addr in route else next(iter(route), None)
    who = visit if address is None else f"{address}|{request.user_agent.string}"
    return hashlib.blake2b(who.encode(), digest_size=6, key=secret, salt=claim.person[0].digest).hexdigest()


def has_signal(request: Request) -> bool:
    """Return whether a request is the one-click signal, also if a hook of the host's has already parsed its form."""
    body = request.stream.read(LONGEST_SIGNAL + 1) or request.get_data()
    read = not body and request.form.get("List-Unsubscribe") == "One-Click"
    return read or is_signal(body, request.mimetype)


def is_signal(body: bytes, mimetype: str) -> bool:
    """Return whether this is exactly the signal, in one of the encodings that mail programs use."""
    if len(body) > LONGEST_SIGNAL or mimetype not in ("multipart/form-data", "application/x-www-form-urlencoded", ""):
        return False
    if mimetype.startswith("multipart"):
        return SIGNAL_PART.search(body) is not None
    return ("List-Unsubscribe", "One-Click") in parse_qsl(body.decode("latin-1").rstrip("\r\n"))
