"""A token proves one invitation at one door; every other string is a bad token, and nobody learns why."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.addresses import parse
from flask_optout.errors import BadToken, OpportunityError
from flask_optout.keys import ALL, KeyRing
from flask_optout.tokens import LONGEST_OPPORTUNITY, LONGEST_TOKEN, SHORTEST_TOKEN, TRAILING, Door, Tokens

KEY, OTHER = b"k" * 32, b"o" * 32
JANE = parse("jane@x.org")
tokens = Tokens(KeyRing.of([KEY]))
TOKEN = tokens.mint(Door.LANDING, JANE, "beta-42")


def test_a_token_claims_what_it_was_minted_for() -> None:
    claim = tokens.read(Door.LANDING, TOKEN)
    key = tokens.ring.current
    assert claim.opportunity == "beta-42"
    assert claim.person == (
        (key.scope("beta-42"), key.digest("beta-42", "jane@x.org")),
        (key.scope(ALL), key.digest(ALL, "jane@x.org")),
    )
    assert claim.base is None
    assert claim.domain_tag == key.domain_tag(JANE)


def test_a_tagged_address_carries_the_marks_of_the_address_without_its_tag() -> None:
    claim = tokens.read(Door.LANDING, tokens.mint(Door.LANDING, parse("jane+2@x.org"), "beta-42"))
    assert claim.base == tokens.read(Door.LANDING, TOKEN).person
    assert claim.person != claim.base


def test_a_token_is_short_lower_case_base32_and_names_nobody() -> None:
    assert set(TOKEN) <= set(string.ascii_lowercase + "234567")
    assert len(TOKEN) <= 110
    raw = base64.b32decode(TOKEN.upper() + "=" * (-len(TOKEN) % 8))
    assert b"jane" not in raw and b"x.org" not in raw


@given(
    st.text(min_size=1, max_size=40).filter(lambda id: id.isprintable() and len(id.encode()) <= LONGEST_OPPORTUNITY)
)
def test_every_printable_id_makes_the_round_trip(opportunity: str) -> None:
    token = tokens.mint(Door.ONE_CLICK, JANE, opportunity)
    assert SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN
    assert tokens.read(Door.ONE_CLICK, token).opportunity == opportunity


@pytest.mark.parametrize(
    "opportunity", ["", "a\nb", "a\0", "é" * 65, "x" * 129, 42, None, b"beta", "\udc80"], ids=ascii
)
def test_an_id_that_cannot_stand_in_a_link_is_refused(opportunity: str) -> None:
    with pytest.raises(OpportunityError, match="1 to 128"):
        tokens.mint(Door.LANDING, JANE, opportunity)


@pytest.mark.parametrize("damage", [*TRAILING, "'\"", ").", "!?>", ""])
def test_what_mail_programs_append_is_dropped(damage: str) -> None:
    assert tokens.read(Door.LANDING, TOKEN + damage) == tokens.read(Door.LANDING, TOKEN)


@pytest.mark.parametrize("case", [str.upper, str.title, str.swapcase])
def test_case_folding_does_no_harm(case: object) -> None:
    assert callable(case)
    assert tokens.read(Door.LANDING, case(TOKEN)) == tokens.read(Door.LANDING, TOKEN)


BAD = [
    "",
    ".",
    TOKEN[:-1],
    TOKEN[:-3],
    TOKEN[: len(TOKEN) // 2],
    TOKEN[1:],
    TOKEN + "=",
    TOKEN + "==",
    TOKEN + "\N{ZERO WIDTH SPACE}",
    TOKEN + "\0",
    TOKEN + " ",
    TOKEN + "%",
    "3D" + TOKEN,
    TOKEN[:20] + "=\n" + TOKEN[20:],
    TOKEN.replace("a", "\N{LATIN SMALL LETTER A WITH ACUTE}", 1),
    TOKEN.replace("k", "\N{KELVIN SIGN}", 1) if "k" in TOKEN else "\N{KELVIN SIGN}" + TOKEN[1:],
    TOKEN + TOKEN,
    "a" * 8_000,
    "a" * 2_000_000,
    "<script>alert(1)</script>",
    "{{7*7}}",
    "../../etc/passwd",
    "eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo",
]


@pytest.mark.parametrize("token", BAD, ids=lambda token: ascii(token)[:40])
def test_a_damaged_token_is_bad(token: str) -> None:
    with pytest.raises(BadToken):
        tokens.read(Door.LANDING, token)


def test_no_other_character_fits_in_any_place() -> None:
    """Of every character but its own in every place, none opens the link: there is one canonical spelling."""
    for place, own in enumerate(TOKEN):
        for other in (string.ascii_lowercase + string.digits).replace(own, ""):
            with pytest.raises(BadToken):
                tokens.read(Door.LANDING, TOKEN[:place] + other + TOKEN[place + 1 :])


def test_no_door_opens_another() -> None:
    every_door = Tokens(KeyRing.of([KEY]), tuple(Door))
    for minted in Door:
        for other in set(Door) - {minted}:
            with pytest.raises(BadToken):
                every_door.read(other, every_door.mint(minted, JANE, "beta-42"))


def test_no_token_with_the_pseudonyms_of_choices_is_made_for_operators() -> None:
    with pytest.raises(KeyError):
        tokens.mint(Door.ASK, JANE, "beta-42")


def test_a_claim_is_reissued_for_another_door() -> None:
    claim = tokens.read(Door.ONE_CLICK, tokens.mint(Door.ONE_CLICK, JANE, "beta-42"))
    assert tokens.reissue(Door.LANDING, claim) == TOKEN


@pytest.mark.parametrize(
    ("ring", "opens"),
    [([OTHER, KEY], True), ([KEY, OTHER], True), ([OTHER], False)],
    ids=["old", "newest", "removed"],
)
def test_links_survive_key_rotation_as_long_as_the_key_stays_in_the_ring(ring: list[bytes], opens: bool) -> None:
    rotated = Tokens(KeyRing.of(ring))
    if opens:
        assert rotated.read(Door.LANDING, TOKEN).opportunity == "beta-42"
    else:
        with pytest.raises(BadToken):
            rotated.read(Door.LANDING, TOKEN)


def test_the_parts_of_two_tokens_do_not_mix() -> None:
    other = tokens.mint(Door.LANDING, parse("bob@x.org"), "beta-42")
    for cut in range(1, len(TOKEN)):
        if TOKEN[:cut] + other[cut:] in (TOKEN, other):
            continue
        with pytest.raises(BadToken):
            tokens.read(Door.LANDING, TOKEN[:cut] + other[cut:])


@pytest.mark.parametrize("version", [0, 2, 99])
def test_a_signed_token_of_another_version_is_bad(version: int) -> None:
    claim = tokens.read(Door.LANDING, TOKEN)
    payload = bytes((version,)) + claim.payload[1:]
    with pytest.raises(BadToken):
        tokens.read(Door.LANDING, tokens._sign(claim.key, Door.LANDING, payload))
