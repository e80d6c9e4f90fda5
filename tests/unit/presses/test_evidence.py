"""What a request tells about a press; what a browser does not say is no evidence."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, request
from werkzeug.user_agent import UserAgent

from flask_optout.doctor.forms import CHROME
from flask_optout.presses.commands import Command
from flask_optout.presses.evidence import (
    Client,
    Evidence,
    Scripts,
    client,
    is_prefetch,
    observe,
    shows_everything,
    visitor,
)
from flask_optout.presses.nonces import Nonce, Page
from flask_optout.testing.scanners import OLD_CHROME, SENTINEL, UNFURLERS

CUBOT = CHROME.replace("Windows NT 10.0; Win64; x64", "Linux; Android 13; CUBOT X70")


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        (CHROME, Client.MODERN),
        (CUBOT, Client.MODERN),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0", Client.MODERN),
        (OLD_CHROME, Client.OTHER),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:78.0) Gecko/20100101 Firefox/78.0", Client.OTHER),
        (
            "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
            Client.OTHER,
        ),
        (
            "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/125.0 Mobile Safari/604.1",
            Client.OTHER,
        ),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/131.0 Safari/605.1.15", Client.OTHER),
        (CHROME.replace("x64)", "x64; wv)"), Client.OTHER),
        ("Lynx/2.9.0dev.12 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.7.8", Client.OTHER),
        ("w3m/0.5.3+git20230121", Client.OTHER),
        (SENTINEL, Client.SCANNER),
        ("", Client.SCANNER),
        ("python-requests/2.31.0", Client.SCANNER),
        *((agent, Client.SCANNER) for agent in UNFURLERS),
    ],
)
def test_a_browser_is_known_by_its_name(agent: str, kind: Client) -> None:
    assert client(UserAgent(agent)) is kind


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Purpose": "preview"},
        {"X-Moz": "prefetch"},
    ],
)
def test_every_way_to_say_prefetch_is_known(headers: dict[str, str]) -> None:
    with Flask("host").test_request_context(headers=headers):
        assert is_prefetch(request)


def seen(base_url: str = "https://x.example", form: dict[str, str] | None = None, **headers: str) -> Evidence:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    options: dict[str, Any] = {"method": "POST", "headers": named, "data": form or {}, "base_url": base_url}
    with Flask("host").test_request_context(**options):
        return observe(request, Command.MUTE, Nonce(Page.REPEAT, 10.0, "visit"), 13.0)


@pytest.mark.parametrize(
    ("base_url", "secure"),
    [
        ("https://x.example", True),
        ("http://127.0.0.1:5000", True),
        ("http://localhost", True),
        ("http://[::1]:5000", True),
        ("http://x.example", False),
    ],
)
def test_browsers_send_metadata_where_they_trust_the_way(base_url: str, secure: bool) -> None:
    assert seen(base_url).secure is secure


def test_it_gathers_what_the_browser_and_the_page_say() -> None:
    evidence = seen(
        form={"scripts": "trusted", "seen": "250"},
        Sec_Fetch_Site="same-origin",
        Sec_Fetch_Mode="navigate",
        Sec_Fetch_User="?1",
        HX_Request="true",
    )
    assert (evidence.page, evidence.visit, evidence.issued, evidence.at) == (Page.REPEAT, "visit", 10.0, 13.0)
    assert evidence.scripts is Scripts.TRUSTED and evidence.htmx and evidence.seen == 0.25
    assert (evidence.fetch_site, evidence.fetch_mode, evidence.fetch_user) == ("same-origin", "navigate", True)


@pytest.mark.parametrize("text", ["", "-5", "x", "٣", "9" * 20])
def test_a_strange_time_on_the_page_is_no_evidence(text: str) -> None:
    assert seen(form={"seen": text}).seen == float("inf")


def test_a_strange_word_from_the_page_says_that_something_wrote_it() -> None:
    assert seen(form={"scripts": "certainly"}).scripts is Scripts.RAN


@pytest.mark.parametrize(
    ("agent", "shows"),
    [("Lynx/2.9.0", True), ("w3m/0.5.3", True), ("ELinks/0.13", True), (CHROME, False), ("", False)],
)
def test_a_text_browser_shows_what_a_stylesheet_hides(agent: str, shows: bool) -> None:
    assert shows_everything(UserAgent(agent)) is shows


def who(
    secret: bytes = b"secret",
    salt: bytes = b"salt",
    visit: str = "visit",
    address: str | None = "198.51.100.7",
    **headers: str,
) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items() if value}
    with Flask("host").test_request_context(headers=named, environ_base={"REMOTE_ADDR": address}):
        return visitor(request, visit, secret, salt)


def test_a_visitor_is_an_address_and_a_browser_under_a_salt() -> None:
    assert who() == who(visit="another visit")
    others = [who(address="198.51.100.8"), who(User_Agent=CHROME), who(salt=b"another"), who(secret=b"another")]
    assert len({who(), *others}) == 5


@pytest.mark.parametrize(
    ("address", "forwarded", "hidden"),
    [
        ("198.51.100.7", "", False),
        ("198.51.100.7", "198.51.100.7", False),
        ("198.51.100.7", "192.0.2.1, 198.51.100.7", False),
        ("10.0.0.1", "198.51.100.7", True),
        (None, "", True),
    ],
    ids=["alone", "told by a proxy", "told by the last of two", "a proxy in between", "a Unix socket"],
)
def test_where_a_proxy_hides_the_address_it_is_the_visit(address: str | None, forwarded: str, hidden: bool) -> None:
    one, another = (who(visit=visit, address=address, X_Forwarded_For=forwarded) for visit in ("one", "another"))
    assert (one == another) is not hidden
