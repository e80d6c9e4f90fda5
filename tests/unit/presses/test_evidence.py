"""What a request tells about a press; what a browser does not say is no evidence."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from flask import Flask, request

from flask_optout.doctor.forms import CHROME
from flask_optout.presses.evidence import (
    HURRY,
    Command,
    Evidence,
    Nonce,
    Page,
    find_doubts,
    is_signal,
    make_visitor,
    observe,
)
from flask_optout.testing.scanners import OLD_CHROME, SENTINEL, UNFURLERS
from flask_optout.wiring import current_state
from tests.support.hosts import Host

CUBOT = CHROME.replace("Windows NT 10.0; Win64; x64", "Linux; Android 13; CUBOT X70")
SAFARI = "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"
LYNX = "Lynx/2.9.0dev.12 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.7.8"
OPENED_AT = 10.0
READ = Nonce(Page.OPENED, OPENED_AT, "visit")
#: What Chrome sends with a form, and with a request of htmx; ``None`` takes a header away.
NATIVE = {
    "User-Agent": CHROME,
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
}
HTMX = {**NATIVE, "HX-Request": "true", "Sec-Fetch-Mode": "cors", "Sec-Fetch-User": None}
UNNAMED = {"User-Agent": CHROME}
TRUSTED = {"scripts": "trusted"}


def doubts(
    headers: dict[str, Any],
    form: dict[str, str] | None = None,
    url: str = "https://x.example",
    nonce: Nonce | None = READ,
    now: float = OPENED_AT + 3,
) -> list[str]:
    """What there is to doubt about a press."""
    sent = {name: value for name, value in headers.items() if value is not None}
    options: dict[str, Any] = {"method": "POST", "headers": sent, "data": form or {}, "base_url": url}
    with Flask("host").test_request_context(**options):
        return [name for name, holds in find_doubts(request, nonce, now).items() if holds]


@pytest.mark.parametrize(
    ("agent", "doubt"),
    [
        (CHROME, "no fetch metadata"),
        (CUBOT, "no fetch metadata"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0", "no fetch metadata"),
        (OLD_CHROME, ""),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:78.0) Gecko/20100101 Firefox/78.0", ""),
        (SAFARI, ""),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/125.0 Mobile Safari/604.1", ""),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/131.0 Safari/605.1.15", ""),
        (CHROME.replace("x64)", "x64; wv)"), ""),
        (LYNX, ""),
        ("w3m/0.5.3+git20230121", ""),
        (SENTINEL, "scanner"),
        ("", "scanner"),
        ("python-requests/2.31.0", "scanner"),
        ("Python/3.13 aiohttp/3.12.15", "scanner"),
        ("node", "scanner"),
        *((agent, "scanner") for agent in UNFURLERS),
    ],
)
def test_a_browser_is_known_by_its_name(agent: str, doubt: str) -> None:
    assert doubts({"User-Agent": agent}) == [doubt] * bool(doubt)


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        (NATIVE, {}),
        (HTMX, TRUSTED),
        ({**NATIVE, "User-Agent": SAFARI, "Sec-Fetch-User": None}, {}),
        ({"User-Agent": LYNX}, {}),
        (NATIVE, TRUSTED),
        ({**NATIVE, "User-Agent": SAFARI, "Sec-Fetch-User": None}, TRUSTED),
        ({"User-Agent": OLD_CHROME}, {}),
        (UNNAMED, TRUSTED),
        ({**UNNAMED, "Sec-Fetch-User": "?1"}, {}),
        ({**UNNAMED, "Sec-Fetch-Site": "same-origin"}, {}),
        ({**NATIVE, "Sec-Fetch-Site": "same-site"}, {}),
        (NATIVE, {"seen": str(int(HURRY * 1000))}),
    ],
    ids=[
        "scripts off",
        "htmx",
        "Safari",
        "text browser",
        "htmx blocked",
        "Safari without htmx",
        "old browser",
        "a proxy strips metadata",
        "a proxy leaves the sign of a click",
        "a proxy leaves the site",
        "a toggle on another subdomain",
        "seen as long as a person needs",
    ],
)
def test_about_a_person_there_is_no_doubt(headers: dict[str, Any], form: dict[str, str]) -> None:
    assert doubts(headers, form) == []


@pytest.mark.parametrize(
    ("headers", "form", "doubt"),
    [
        (NATIVE, {"scripts": "ran"}, "untrusted click"),
        (NATIVE, {"scripts": "certainly"}, "untrusted click"),
        (HTMX, {}, "untrusted click"),
        ({**NATIVE, "User-Agent": SAFARI, "Sec-Fetch-Mode": "cors"}, {}, "untrusted click"),
        ({**NATIVE, "Sec-Fetch-User": None}, {}, "no gesture"),
        (UNNAMED, {}, "no fetch metadata"),
        ({**NATIVE, "Sec-Fetch-Site": "cross-site"}, {}, "another site"),
        (NATIVE, {"seen": "399"}, "hurry"),
        ({**NATIVE, "Sec-Purpose": "prefetch"}, {}, "prefetch"),
        ({**NATIVE, "Sec-Purpose": "prefetch;prerender"}, {}, "prefetch"),
        ({**NATIVE, "Purpose": "prefetch"}, {}, "prefetch"),
        ({**NATIVE, "Purpose": "prerender"}, {}, "prefetch"),
        ({**NATIVE, "X-Purpose": "preview"}, {}, "prefetch"),
        ({**NATIVE, "X-Moz": "prefetch"}, {}, "prefetch"),
    ],
)
def test_what_no_person_sends_is_doubted(headers: dict[str, Any], form: dict[str, str], doubt: str) -> None:
    assert doubts(headers, form) == [doubt]


@pytest.mark.parametrize(
    ("url", "sends"),
    [
        ("https://x.example", True),
        ("http://127.0.0.1:5000", True),
        ("http://localhost", True),
        ("http://[::1]:5000", True),
        ("http://x.example", False),
    ],
)
def test_browsers_send_metadata_where_they_trust_the_way(url: str, sends: bool) -> None:
    assert doubts(UNNAMED, url=url) == ["no fetch metadata"] * sends


@pytest.mark.parametrize(
    ("age", "hurries"), [(0.0, True), (HURRY - 0.01, True), (HURRY + 0.01, False), (-30.0, False)]
)
def test_nobody_reads_in_no_time_and_another_servers_clock_is_no_doubt(age: float, hurries: bool) -> None:
    assert doubts(NATIVE, now=OPENED_AT + age) == ["hurry"] * hurries


@pytest.mark.parametrize("text", ["", "-5", "x", "٣", "9" * 20])
def test_a_strange_time_on_the_page_is_no_evidence(text: str) -> None:
    assert doubts(NATIVE, {"seen": text}) == []


def test_a_press_without_a_page_is_doubted() -> None:
    assert doubts(NATIVE, nonce=None) == ["no page"]


def seen(host: Host, nonce: Nonce | None, form: dict[str, Any], **headers: str) -> Evidence:
    """The evidence of a press three seconds after its page was made."""
    state, claim = current_state(), host.claim()
    text = "" if nonce is None else state.nonces.issue(claim, nonce)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = {name.replace("WORD", state.nonces.make_word(text, "choice")): value for name, value in form.items()}
    with host.app.test_request_context(method="POST", headers=named, data={"nonce": text, **data}):
        return observe(request, claim, state.nonces, OPENED_AT + 3.0004, b"secret")


def test_evidence_is_what_the_browser_and_the_page_say(host: Host) -> None:
    evidence = seen(host, Nonce(Page.RESULT, OPENED_AT, "visit", back="/account"), {"choice": "undo"}, **NATIVE)
    assert (evidence.command, evidence.pressed, evidence.page) == (Command.UNDO, True, Page.RESULT)
    assert (evidence.visit, evidence.issued, evidence.at, evidence.back) == ("visit", 10.0, 13.0, "/account")
    assert evidence.sure and evidence.doubts == () and len(evidence.visitor) == 12


def test_a_press_without_a_page_of_ours_is_a_visit_of_its_own(host: Host) -> None:
    one, another = (seen(host, None, {"choice": "mute"}, **NATIVE) for _ in range(2))
    assert one.page is None and one.back == "" and one.issued >= one.at and one.doubts == ("no page",)
    assert len(one.visit) == 12 and one.visit != another.visit


@pytest.mark.parametrize(("form", "sure"), [(TRUSTED, True), ({"scripts": "ran"}, False), ({}, False)])
def test_the_pages_script_vouches_for_a_click(host: Host, form: dict[str, str], sure: bool) -> None:
    assert seen(host, None, form).sure is sure


@pytest.mark.parametrize(
    ("page", "form", "command"),
    [
        (Page.OPENED, {"choice": "mute-all"}, Command.MUTE_ALL),
        (Page.OPENED, {"choice": "none"}, Command.DECOY),
        (Page.OPENED, {"choice": "MUTE"}, None),
        (Page.OPENED, {"choice": ""}, None),
        (Page.OPENED, {"choice": ["mute", "keep"]}, None),
        (Page.OPENED, {"choice": ["mute", "mute"]}, None),
        (Page.OPENED, {}, None),
        (Page.OPENED, {"WORD": "mute"}, None),
        (Page.REPEAT, {"choice": "mute"}, None),
        (Page.REPEAT, {"WORD": "mute"}, Command.DECOY),
        (Page.REPEAT, {"WORD": ["mute", "keep"]}, None),
        (Page.REPEAT, {}, None),
    ],
)
def test_the_button_says_what_is_pressed_and_two_of_them_say_nothing(
    host: Host, page: Page, form: dict[str, Any], command: Command | None
) -> None:
    evidence = seen(host, Nonce(page, OPENED_AT, "visit"), form)
    assert (evidence.command, evidence.pressed) == (command or Command.MUTE, command is not None)


@pytest.mark.parametrize("command", Command)
def test_a_page_that_asks_is_answered_in_its_own_words(host: Host, command: Command) -> None:
    nonce, nonces = Nonce(Page.REPEAT, OPENED_AT, "visit"), current_state().nonces
    answer = nonces.make_word(nonces.issue(host.claim(), nonce), command)
    assert seen(host, nonce, {"WORD": answer}).command is command


def who(
    host: Host,
    secret: bytes = b"secret",
    to: str = "jane@example.org",
    visit: str = "visit",
    address: str | None = "198.51.100.7",
    **headers: str,
) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items() if value}
    with host.app.test_request_context(headers=named, environ_base={"REMOTE_ADDR": address}):
        return make_visitor(request, host.claim(to), visit, secret)


def test_a_visitor_is_an_address_and_a_browser_at_one_link(host: Host) -> None:
    assert who(host) == who(host, visit="another visit")
    others = [
        who(host, address="198.51.100.8"),
        who(host, User_Agent=CHROME),
        who(host, to="bob@example.org"),
        who(host, secret=b"another"),
    ]
    assert len({who(host), *others}) == 5


@pytest.mark.parametrize(
    ("address", "forwarded", "hidden"),
    [
        ("198.51.100.7", "", False),
        ("198.51.100.7", "198.51.100.7", False),
        ("198.51.100.7", "192.0.2.1, 198.51.100.7", False),
        ("10.0.0.1", "198.51.100.7", False),
        (None, "198.51.100.7, 10.0.0.1", False),
        (None, "", True),
    ],
    ids=["alone", "told by a proxy", "told by the last of two", "a proxy in between", "two and a socket", "a socket"],
)
def test_where_nobody_tells_an_address_a_visitor_is_a_visit(
    host: Host, address: str | None, forwarded: str, hidden: bool
) -> None:
    one, another = (who(host, visit=visit, address=address, X_Forwarded_For=forwarded) for visit in "ab")
    assert (one == another) is not hidden


def test_behind_a_proxy_that_the_app_does_not_know_of_two_clients_are_two_visitors(host: Host) -> None:
    one, another = (who(host, address="10.0.0.1", X_Forwarded_For=f"198.51.100.{end}") for end in (7, 8))
    assert one != another


MARKER = "List-Unsubscribe=One-Click"
MULTIPART = "multipart/form-data"


@pytest.mark.parametrize(
    ("body", "mimetype", "is_one"),
    [
        (MARKER, "application/x-www-form-urlencoded", True),
        (f"{MARKER}\r\n", "application/x-www-form-urlencoded", True),
        (f"a=b&{MARKER}", "application/x-www-form-urlencoded", True),
        (MARKER, "", True),
        (
            '--B\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--B--\r\n',
            MULTIPART,
            True,
        ),
        ("B\nContent-Disposition: form-data; name=list-unsubscribe\n\nOne-Click\nB\n", MULTIPART, True),
        ('--B\r\nContent-Disposition: form-data; name="choice"\r\n\r\nOne-Click\r\n--B--\r\n', MULTIPART, False),
        ("", "", False),
        ("List-Unsubscribe=one-click", "", False),
        ("List-Unsubscribe=", "", False),
        (MARKER, "text/plain", False),
        (MARKER, MULTIPART, False),
        ('{"List-Unsubscribe": "One-Click"}', "application/json", False),
        (f"{MARKER}&a={'b' * 1_024}", "application/x-www-form-urlencoded", False),
    ],
    ids=ascii,
)
def test_the_signal_is_known_in_each_shape(body: str, mimetype: str, is_one: bool) -> None:
    assert is_signal(body.encode(), mimetype) is is_one


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
def test_each_command_sets_one_choice_or_none(command: Command) -> None:
    assert (command.target, command.muted) == SETS[command]


@pytest.mark.parametrize(("one", "other"), [*product(Command, repeat=2)])
def test_some_commands_contradict_each_other_both_ways(one: Command, other: Command) -> None:
    assert one.contradicts(other) is bool({(one, other), (other, one)} & CONTRADICTIONS)
