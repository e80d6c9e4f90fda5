"""A token proves one invitation at one door; every other string is a bad token, and nobody learns why."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.addresses import parse
from flask_optout.errors import BadToken, OpportunityError
from flask_optout.links.keys import ALL, KeyRing
from flask_optout.links.tokens import LONGEST_OPPORTUNITY, LONGEST_TOKEN, SHORTEST_TOKEN, TRAILING, Door, Tokens

KEY, OTHER, THIRD = b"k" * 32, b"o" * 32, b"t" * 32
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
    assert claim.domain_tag == key.domain_tag(JANE.domain)


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
    [([OTHER, KEY], True), ([THIRD, OTHER, KEY], True), ([KEY, OTHER], False), ([OTHER], False)],
    ids=["old", "oldest", "built on another key", "removed"],
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


#: Tokens of release 0.1, as they stand in mails that were sent; they open for ever and mean the same person.
FROZEN_KEYS = ["the frozen key of release 0.1, 32+ bytes", "an older frozen key of release 0.1, 32+"]
FROZEN = [
    (
        1,
        "landing",
        "jane@example.org",
        "beta-42",
        "aea7wdyobfu77qm4yu3uuygrei7njp6i6ufh24g2bvuhfpsjpcsn2e6ekdbk4b3cmv2gcljugkbn2w7wx3nu2ohwkpq2u6gq73ba",
        "fb0f0e0969ffc19cc5374a60d1223ed4",
    ),
    (
        1,
        "landing",
        "jane+news@example.org",
        "beta-42",
        "aebimxtllfpyseyseuzysordah26anaguhzr77swbpd6ubduvwk2yfh3b4has2p7ygomkn2kmdisepwux7epkct5od"
        "na22dsxzexrjg5cpcfbqvoa5rgk5dbfu2df3zfck4matpfhw37hf7miilrtga",
        "865e6b595f8913122533893a2301f5e0",
    ),
    (
        1,
        "landing",
        "josé@straße.de",
        "Studie für Ärzte №7",
        "aeavjzeb7uq6rsu7acztei5tk6ekereuf6hifcsvpzyabgus6rlzafujgjcdwf2tor2wi2lfebtmhpdsedbyi4t2or"
        "ssbyuesy3wievr52ottzzyuicooblco4enu",
        "54e481fd21e8ca9f00b33223b35788a2",
    ),
    (
        1,
        "landing",
        "jane@example.org",
        "*",
        "aea37shvbj6xbwqnnbzl4slyutorhp6i6ufh24g2bvuhfpsjpcsn2e6ekdbk4ajkdkx4drfvxyv5suxlbkfoz4vq4m",
        "bfc8f50a7d70da0d6872be4978a4dd13",
    ),
    (
        1,
        "one-click",
        "jane@example.org",
        "beta-42",
        "aea7wdyobfu77qm4yu3uuygrei7njp6i6ufh24g2bvuhfpsjpcsn2e6ekdbk4b3cmv2gcljugjthshvex6mzllw4esxawpnsdoga",
        "fb0f0e0969ffc19cc5374a60d1223ed4",
    ),
    (
        1,
        "one-click",
        "jane+news@example.org",
        "beta-42",
        "aebimxtllfpyseyseuzysordah26anaguhzr77swbpd6ubduvwk2yfh3b4has2p7ygomkn2kmdisepwux7epkct5od"
        "na22dsxzexrjg5cpcfbqvoa5rgk5dbfu2dfq5bpvzv464ijazebuvzzs32qoi",
        "865e6b595f8913122533893a2301f5e0",
    ),
    (
        1,
        "one-click",
        "josé@straße.de",
        "Studie für Ärzte №7",
        "aeavjzeb7uq6rsu7acztei5tk6ekereuf6hifcsvpzyabgus6rlzafujgjcdwf2tor2wi2lfebtmhpdsedbyi4t2or"
        "ssbyuesy3we4zkhnegnh2wzhsmhgk7lclfy",
        "54e481fd21e8ca9f00b33223b35788a2",
    ),
    (
        1,
        "one-click",
        "jane@example.org",
        "*",
        "aea37shvbj6xbwqnnbzl4slyutorhp6i6ufh24g2bvuhfpsjpcsn2e6ekdbk4ajk5o6ckwdtlmfj5ows4amhslkzde",
        "bfc8f50a7d70da0d6872be4978a4dd13",
    ),
    (
        2,
        "landing",
        "jane@example.org",
        "beta-42",
        "aeau5qqnncyt3nv55ca7ygrwwvq4dmt2crkhfq7mnzbf4w6idcrbydrgwrfjub3cmv2gcljugjzhcyqednvuodjxzdmfnkxqrgla",
        "4ec20d68b13db6bde881fc1a36b561c1",
    ),
    (
        2,
        "landing",
        "jane+news@example.org",
        "beta-42",
        "aeblwn4ydhl4upfsbtrbb5ecywplndwe6dmiqlymzxk6lgueyaiutpkoyigwrmj5w266rap4di3lkyobwj5bivdsyp"
        "wg4qs6lpebriq4bytlisu2a5rgk5dbfu2df7ha7d5zgkat5nmvrlgdmfyg5iy",
        "bb379819d7ca3cb20ce210f482c59eb6",
    ),
    (
        2,
        "landing",
        "josé@straße.de",
        "Studie für Ärzte №7",
        "aea523lihe2kbaxdtr3aapfrwu44vkxlgnjawaith2hdnf4527eiuxggkoat6f2tor2wi2lfebtmhpdsedbyi4t2or"
        "ssbyuesy3wscd5f4ugp3htw46np3gcxwlj2",
        "dd6d683934a082e39c76003cb1b539ca",
    ),
    (
        2,
        "landing",
        "jane@example.org",
        "*",
        "aea3e6qukrzmh3doijpfxsayuioa5mt2crkhfq7mnzbf4w6idcrbydrgwrfjuajk6pbiki6xladtecbyg6conrcdeu",
        "b27a145472c3ec6e425e5bc818a21c0e",
    ),
    (
        2,
        "one-click",
        "jane@example.org",
        "beta-42",
        "aeau5qqnncyt3nv55ca7ygrwwvq4dmt2crkhfq7mnzbf4w6idcrbydrgwrfjub3cmv2gcljugllqhqpmgzseaiqrhp7rzb4f2eqq",
        "4ec20d68b13db6bde881fc1a36b561c1",
    ),
    (
        2,
        "one-click",
        "jane+news@example.org",
        "beta-42",
        "aeblwn4ydhl4upfsbtrbb5ecywplndwe6dmiqlymzxk6lgueyaiutpkoyigwrmj5w266rap4di3lkyobwj5bivdsyp"
        "wg4qs6lpebriq4bytlisu2a5rgk5dbfu2dfozehyspo5s3w3l4pspltqt3qjy",
        "bb379819d7ca3cb20ce210f482c59eb6",
    ),
    (
        2,
        "one-click",
        "josé@straße.de",
        "Studie für Ärzte №7",
        "aea523lihe2kbaxdtr3aapfrwu44vkxlgnjawaith2hdnf4527eiuxggkoat6f2tor2wi2lfebtmhpdsedbyi4t2or"
        "ssbyuesy3yd3vbrvsn23fkoaw63yfjjxdde",
        "dd6d683934a082e39c76003cb1b539ca",
    ),
    (
        2,
        "one-click",
        "jane@example.org",
        "*",
        "aea3e6qukrzmh3doijpfxsayuioa5mt2crkhfq7mnzbf4w6idcrbydrgwrfjuajk4g5k4ljrg2bx6r37rn4krz7x4u",
        "b27a145472c3ec6e425e5bc818a21c0e",
    ),
]


@pytest.mark.parametrize(("keys", "door", "who", "opportunity", "token", "digest"), FROZEN)
def test_the_links_of_release_0_1_open_for_ever(
    keys: int, door: str, who: str, opportunity: str, token: str, digest: str
) -> None:
    ring = KeyRing.of(FROZEN_KEYS[:keys])
    claim = Tokens(ring).read(Door(door), token)
    assert claim.opportunity == opportunity
    assert claim.person[0].digest.hex() == digest
    assert claim.person == (ring.mark(parse(who), opportunity), ring.mark(parse(who), ALL))
    newer = KeyRing.of(["a key of a later release, 32 bytes or more", *FROZEN_KEYS[:keys]])
    assert Tokens(newer).read(Door(door), token).person[0] == newer.mark(parse(who), opportunity)
