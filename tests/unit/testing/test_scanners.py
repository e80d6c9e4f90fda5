"""What scanners do with a page, and what they may not do."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from flask_optout.doctor.forms import FORM, SIGNAL
from flask_optout.testing.scanners import PROFILES, Answer, Scanner, scan
from tests.support.forms import PAGE

LINK = "https://jobs.example.org/optout/aaaa"
ONE_CLICK = "https://jobs.example.org/optout/one-click/aaaa"


class Site:
    """Answers everything with one page, and keeps what was asked."""

    def __init__(self, page: str = PAGE) -> None:
        self.page = page
        self.asked: list[tuple[str, str, Mapping[str, str], bytes | None]] = []

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        self.asked.append((method, url, headers, body))
        return Answer(200, url, self.page)

    def scanner(self, one_click: str | None = ONE_CLICK) -> Scanner:
        return Scanner(self.send, LINK, one_click, random.Random(1), lambda seconds: None)


POSTS = {"P7", "P8"}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("one_click", [ONE_CLICK, None])
def test_a_profile_speaks_to_one_candidates_link_alone(name: str, one_click: str | None) -> None:
    site = Site()
    PROFILES[name](site.scanner(one_click))
    assert site.asked
    starts = (LINK[:-9],) if one_click is None else (LINK[:-9], one_click[:-9])
    assert all(url.startswith(starts) for _, url, _, _ in site.asked)
    assert one_click is not None or not any("one-click" in url for _, url, _, _ in site.asked)
    assert any(method == "POST" for method, *_ in site.asked) is (name[:2] in POSTS)


@pytest.mark.parametrize(
    ("name", "bodies"),
    [
        ("P7 form crawler, all forms", {b"nonce=n1&choice=mute", b"nonce=n1&choice=none", b"empty=&other=x"}),
        ("P7 form crawler, each form", {b"nonce=n1&choice=mute", b"empty=&other=x"}),
        ("P7 form crawler, first form", {b"nonce=n1&choice=mute"}),
        (
            "P7 form crawler, what follows",
            {b"nonce=n1&choice=mute", b"nonce=n1&choice=none", b"empty=&other=x"},
        ),
    ],
)
def test_which_buttons_a_crawler_presses(name: str, bodies: set[bytes]) -> None:
    site = Site()
    PROFILES[name](site.scanner())
    posted = [(headers.get("Content-Type"), body) for method, _, headers, body in site.asked if method == "POST"]
    assert {body for _, body in posted} == bodies
    assert {kind for kind, _ in posted} == {FORM}


def test_nobody_sends_the_signal_of_one_click_to_its_own_door() -> None:
    site = Site()
    for profile in PROFILES.values():
        profile(site.scanner())
    bodies = [(body, headers.get("Content-Type")) for _, url, headers, body in site.asked if url == ONE_CLICK]
    assert bodies and SIGNAL not in bodies


@pytest.mark.parametrize(
    ("before", "after", "unchanged"),
    [
        ("<form><button name=choice value=mute>", "<form><button name=choice value=mute>", True),
        ("<form><button name=choice value=mute>", "<form><button name=choice value=undo>", False),
        ("<form><button name=choice value=mute>", "Busy", False),
        ("Welcome.", "Welcome.", None),
    ],
)
def test_the_pages_own_words_tell_what_was_changed(before: str, after: str, unchanged: bool | None) -> None:
    class Changing(Site):
        """Changes its page when the first profile asks for its head."""

        def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
            self.page = after if method == "HEAD" else self.page
            return super().send(method, url, headers, body)

    first, *others = scan(Changing(before).scanner())
    assert first == ("P1 head probe", unchanged)
    assert [finding.profile for finding in (first, *others)] == list(PROFILES)
