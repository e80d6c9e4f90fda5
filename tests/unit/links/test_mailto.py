"""The addresses of the mailto door: short, signed, for one person and one opportunity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout import BadToken
from flask_optout.addresses import Address, parse
from flask_optout.links.mailto import TOKEN_LENGTH, MailtoDoor
from flask_optout.links.tokens import DataKey, Door, Tokens

KEY = DataKey(b"k" * 32)
DOOR = MailtoDoor(KEY, "optout+{token}@in.example.org")
JANE = parse("jane@x.org")
MADE = DOOR.make_address(JANE, "beta-42")


def test_its_local_part_fits_beside_a_prefix() -> None:
    local, _, domain = MADE.rpartition("@")
    assert len(local) == 62 and domain == "in.example.org"
    assert parse(MADE).deliverable == MADE


@given(st.text(min_size=1, max_size=128).filter(lambda name: name.isprintable() and len(name.encode()) <= 128))
def test_it_says_who_and_what_it_was_made_for(opportunity: str) -> None:
    assert DOOR.read(DOOR.make_address(JANE, opportunity)) == KEY.mark(JANE, opportunity)


@pytest.mark.parametrize("to", ["jane+2@x.org", '"a b"@x.org', "élan@x.org"], ids=ascii)
def test_it_is_of_exactly_that_address(to: str) -> None:
    person: Address = parse(to)
    assert DOOR.read(DOOR.make_address(person, "beta-42")) == KEY.mark(person, "beta-42")


@pytest.mark.parametrize(
    "recipient",
    [
        MADE,
        MADE.upper(),
        f"<{MADE}>",
        f" {MADE}\n",
        f'"{MADE.partition("@")[0]}"@in.example.org',
        MADE.replace("in.example.org", "mx3.internal"),
    ],
)
def test_it_is_read_however_a_mail_server_hands_it_on(recipient: str) -> None:
    assert DOOR.read(recipient) == KEY.mark(JANE, "beta-42")


OF_A_LINK = Tokens(KEY).mint(Door.ONE_CLICK, JANE, "beta-42")
BAD = {
    "empty": "",
    "no token": "optout@in.example.org",
    "no domain": MADE.partition("@")[0],
    "another prefix": MADE.replace("optout+", "stop+"),
    "cut": MADE.replace("@", "", 1)[:-1],
    "longer": MADE.replace("@", "a@"),
    "a link's token": f"optout+{OF_A_LINK}@in.example.org",
    "the beginning of a link's token": f"optout+{OF_A_LINK[:TOKEN_LENGTH]}@in.example.org",
    "another key": MailtoDoor(DataKey(b"o" * 32), "optout+{token}@in.example.org").make_address(JANE, "beta-42"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_was_not_made_here_is_not_read(case: str) -> None:
    with pytest.raises(BadToken):
        DOOR.read(BAD[case])


def test_no_character_can_be_changed() -> None:
    start = len("optout+")
    for place in range(start, start + TOKEN_LENGTH):
        for other in "abcdefghijklmnopqrstuvwxyz234567".replace(MADE[place], ""):
            with pytest.raises(BadToken):
                DOOR.read(MADE[:place] + other + MADE[place + 1 :])


def test_it_opens_no_page() -> None:
    token = MADE.partition("+")[2].partition("@")[0]
    for door in (Door.LANDING, Door.ONE_CLICK):
        with pytest.raises(BadToken):
            Tokens(KEY).read(door, token)
