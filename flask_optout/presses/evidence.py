"""What a request tells about a press, in the terms of ``press.py``."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Request
from werkzeug.user_agent import UserAgent

from ..config import LOOPBACK
from .bursts import Command, Muted, Press
from .judge import Client, Evidence, Page, Scripts
from .nonces import Nonce

#: From these versions on browsers send ``Sec-Fetch-*`` (Chrome 76, Firefox 90); those on iOS are all Safari inside.
MODERN = re.compile(r"\b(?:Chrome/(?:7[6-9]|[89]\d|\d{3,})|Firefox/(?:9\d|\d{3,}))\b")
#: An app's web view may leave them out.
EMBEDDED = re.compile(r"; wv\)|\b(?:CriOS|FxiOS|EdgiOS)/")
#: What scanners, previews and programs call themselves, or nothing at all; no browser for people does (a Cubot is a
#: phone).
SCANNER = re.compile(
    r"(?<!cu)bot\b|crawl|spider|preview|facebookexternalhit|whatsapp/|slackbot|barracuda|proofpoint|mimecast|"
    r"python-|go-http-client|curl/|wget/|java/|libwww-perl|okhttp/|^$",
    re.IGNORECASE,
)


def observe(
    request: Request,
    command: Command | None,
    nonce: Nonce | None,
    muted: Muted,
    burst: tuple[Press, ...],
    now: float,
) -> Evidence:
    """Gather the evidence of one press.

    :param command: what its button says, ``None`` when it came without one of ours.
    """
    headers = request.headers
    return Evidence(
        command=command or Command.MUTE,
        pressed=command is not None,
        page=None if nonce is None else nonce.page,
        elapsed=min(float("inf") if nonce is None else now - nonce.issued, _seen(request.form.get("seen", ""))),
        muted=muted,
        burst=burst,
        asked=nonce.issued if nonce is not None and nonce.page is Page.REPEAT else 0.0,
        scripts=_scripts(request.form.get("scripts", "")),
        htmx="HX-Request" in headers,
        client=client(request.user_agent),
        secure=request.is_secure or urlsplit(request.url).hostname in LOOPBACK,
        fetch_site=headers.get("Sec-Fetch-Site", ""),
        fetch_mode=headers.get("Sec-Fetch-Mode", ""),
        fetch_user=headers.get("Sec-Fetch-User") == "?1",
        prefetch=is_prefetch(request),
    )


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
