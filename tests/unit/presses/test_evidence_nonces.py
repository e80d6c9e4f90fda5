"""A nonce proves which page of a link was shown, and when; nobody can make or change one."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from itsdangerous import URLSafeSerializer

from flask_optout.presses.evidence import Command, Nonce, Nonces, Page, make_visit
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import KEY, Host

NOW = 1_800_000_000.0
OPENED = Nonce(Page.OPENED, NOW, "0123456789ab")


def test_a_nonce_proves_the_page_and_when_it_was_made(host: Host) -> None:
    nonces, claim = current_state().nonces, host.claim()
    for page in Page:
        for said in (None, *Command):
            nonce = Nonce(page, NOW, make_visit(), said)
            assert nonces.read(claim, nonces.issue(claim, nonce), NOW + 5) == nonce


@pytest.mark.parametrize("said", Command)
def test_it_does_not_tell_what_was_pressed_as_it_may_stand_in_the_url_of_a_result(host: Host, said: Command) -> None:
    nonces, claim = current_state().nonces, host.claim()
    receipts = [nonces.issue(claim, OPENED._replace(visit=make_visit(), said=said)) for _ in range(2)]
    one, another = (URLSafeSerializer("another key").loads_unsafe(receipt)[1] for receipt in receipts)
    assert said not in one and one[3] != another[3]


def test_nor_who_has_pressed(host: Host) -> None:
    client, receipts = host.app.test_client(), []
    for _ in range(2):
        url = client.post(host.path(), data=host.form("mute", visit=make_visit())).headers["Location"]
        receipts.append(URLSafeSerializer("another key").loads_unsafe(parse_qs(urlsplit(url).query)["optout"][0])[1])
    one, another = receipts
    assert one[5] and one[5] != another[5]


def test_it_lives_thirty_days_and_as_long_as_another_servers_clock_is_ahead(host: Host) -> None:
    nonces, claim = current_state().nonces, host.claim()
    text = nonces.issue(claim, OPENED)
    life = 30 * 86_400
    assert nonces.read(claim, text, NOW + life) and nonces.read(claim, text, NOW - 60)
    assert nonces.read(claim, text, NOW + life + 1) is None


def test_it_belongs_to_one_link(host: Host) -> None:
    nonces = current_state().nonces
    text = nonces.issue(host.claim(), OPENED)
    assert nonces.read(host.claim("bob@example.org"), text, NOW) is None
    assert nonces.read(host.claim(opportunity="study-7"), text, NOW) is None


def test_a_damaged_one_proves_nothing(host: Host) -> None:
    nonces, claim = current_state().nonces, host.claim()
    text = nonces.issue(claim, OPENED)
    for damaged in ("", text[:-1], "é" + text[1:], "!" * 31):
        assert nonces.read(claim, damaged, NOW) is None
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
    one, another = (nonces.issue(claim, OPENED._replace(visit=make_visit())) for _ in range(2))
    assert nonces.make_word(one, "mute") == nonces.make_word(one, "mute")
    elsewhere = Nonces(b"another key").make_word(one, "mute")
    assert (
        len(
            {
                nonces.make_word(one, "mute"),
                nonces.make_word(another, "mute"),
                nonces.make_word(one, "keep"),
                elsewhere,
            }
        )
        == 4
    )
