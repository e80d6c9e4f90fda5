"""What a request tells about a press; what a browser does not say is no evidence."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from flask import Flask, request
from werkzeug.user_agent import UserAgent

from flask_optout.doctor.forms import CHROME
from flask_optout.presses.evidence import (
    COMMANDS,
    LIFE,
    Client,
    Command,
    Evidence,
    Nonce,
    Page,
    Scripts,
    client,
    is_prefetch,
    new_visit,
    observe,
    shows_everything,
    visitor,
)
from flask_optout.testing.scanners import OLD_CHROME, SENTINEL, UNFURLERS
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import KEY, Host

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


SETS = {
    Command.MUTE: (0, True),
    Command.UNDO: (0, False),
    Command.MUTE_ALL: (1, True),
    Command.UNDO_ALL: (1, False),
    Command.KEEP: (0, False),
    Command.LEAVE: (0, None),
    Command.DECOY: (0, None),
}
#: A mute and what takes it back; "Keep me invited" and "Leave it as it is" stand on pages with either.
CONTRADICTIONS = {
    (Command.MUTE, Command.UNDO),
    (Command.MUTE, Command.KEEP),
    (Command.MUTE_ALL, Command.UNDO_ALL),
    (Command.MUTE_ALL, Command.KEEP),
    (Command.LEAVE, Command.UNDO),
    (Command.LEAVE, Command.UNDO_ALL),
    (Command.LEAVE, Command.KEEP),
}


@pytest.mark.parametrize("command", Command)
def test_each_sets_one_choice_or_none(command: Command) -> None:
    assert (command.target, command.muted) == SETS[command]


def test_the_value_of_a_button_names_its_command() -> None:
    assert {COMMANDS[command.choice] for command in Command} == {*Command} and len(COMMANDS) == len(Command)


@pytest.mark.parametrize(("one", "other"), [*product(Command, repeat=2)])
def test_some_contradict_each_other_both_ways(one: Command, other: Command) -> None:
    assert one.contradicts(other) is bool({(one, other), (other, one)} & CONTRADICTIONS)


NOW = 1_800_000_000.0
OPENED = Nonce(Page.OPENED, NOW, "0123456789ab")


def test_it_proves_the_page_and_when_it_was_made(host: Host) -> None:
    nonces, claim = current_state().nonces, host.claim()
    for page in Page:
        for said in (None, *Command):
            nonce = Nonce(page, NOW, new_visit(), said)
            assert nonces.read(claim, nonces.issue(claim, nonce), NOW + 5) == nonce


def test_it_lives_thirty_days_and_as_long_as_another_servers_clock_is_ahead(host: Host) -> None:
    nonces, claim = current_state().nonces, host.claim()
    text = nonces.issue(claim, OPENED)
    assert LIFE == 30 * 86_400
    assert nonces.read(claim, text, NOW + LIFE) and nonces.read(claim, text, NOW - 60)
    assert nonces.read(claim, text, NOW + LIFE + 1) is None


def test_it_belongs_to_one_link(host: Host) -> None:
    nonces = current_state().nonces
    text = nonces.issue(host.claim(), OPENED)
    assert nonces.read(host.claim("bob@example.org"), text, NOW) is None
    assert nonces.read(host.claim(opportunity="study-7"), text, NOW) is None


@pytest.mark.parametrize(
    "damage", [lambda text: "", lambda text: text[:-1], lambda text: "é" + text[1:], lambda text: "!" * 31]
)
def test_a_damaged_one_proves_nothing(host: Host, damage: object) -> None:
    nonces, claim = current_state().nonces, host.claim()
    assert callable(damage)
    assert nonces.read(claim, damage(nonces.issue(claim, OPENED)), NOW) is None


def test_no_bit_of_it_can_be_changed(host: Host) -> None:
    nonces, claim = current_state().nonces, host.claim()
    text = nonces.issue(claim, OPENED)
    for at in range(len(text) - 1):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        assert nonces.read(claim, changed, NOW) is None


def test_it_outlives_its_key(make: MakeHost) -> None:
    old, new = make(), make(OPTOUT_KEYS=["another key, of 32 bytes or more", KEY])
    with old.app.app_context():
        form, path = old.form("mute"), old.path()
    with new.app.app_context():
        assert new.app.test_client().post(path, data=form).status_code == 303
        assert not new.optout.may_invite("jane@example.org", "beta-42")


def test_the_words_of_a_form_belong_to_one_page(host: Host) -> None:
    nonces, claim = current_state().nonces, host.claim()
    one, another = (nonces.issue(claim, OPENED._replace(visit=new_visit())) for _ in range(2))
    assert nonces.word(one, "mute") == nonces.word(one, "mute")
    assert len({nonces.word(one, "mute"), nonces.word(another, "mute"), nonces.word(one, "keep")}) == 3
