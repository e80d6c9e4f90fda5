"""A token proves one invitation at one door; every other string is a bad token, and nobody learns why."""

from __future__ import annotations

import base64
import hashlib
import re
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.addresses import parse
from flask_optout.errors import BadToken, OpportunityError
from flask_optout.links.tokens import (
    ALL,
    LONGEST_OPPORTUNITY,
    LONGEST_TOKEN,
    SHORTEST_TOKEN,
    TAG,
    DataKey,
    Door,
    Links,
    Mark,
    Tokens,
    join_path,
    normalize_tag,
    split_path,
)

KEY = DataKey(b"k" * 32)
JANE = parse("jane@x.org")
tokens = Tokens(KEY)
TOKEN = tokens.mint(Door.LANDING, JANE, "beta-42")


def test_a_digest_is_keyed_blake2b_over_the_length_prefixed_opportunity_and_the_address() -> None:
    expected = hashlib.blake2b(
        b"\0\0\0\x07beta-42jane@x.org", digest_size=16, key=KEY.derive("people"), person=b"optout.person"
    )
    assert KEY.digest("beta-42", "jane@x.org") == expected.digest()


@given(st.text(), st.text(min_size=1), st.text())
def test_an_opportunity_and_an_address_do_not_run_into_one_another(start: str, middle: str, end: str) -> None:
    assert KEY.digest(start + middle, end) != KEY.digest(start, middle + end)


@given(st.text(max_size=20), st.lists(st.text(max_size=40), max_size=9))
def test_many_digests_are_those_of_each(opportunity: str, people: list[str]) -> None:
    digests = [KEY.digest(opportunity, person) for person in people]
    assert KEY.digests(opportunity, [person.encode() for person in people]) == digests


def test_each_purpose_has_a_key_of_its_own() -> None:
    purposes = ("id", "people", "link.landing", "link.one-click", "journal")
    derived = [KEY.derive(purpose) for purpose in purposes]
    assert len({*derived, KEY.secret}) == 6 and all(len(key) == 32 for key in derived)
    about = "x.org"
    assert len({KEY.scope(about)[:4], KEY.domain_tag(about), KEY.digest(about, "")[:4]}) == 3


def test_another_data_key_gives_other_pseudonyms() -> None:
    other = DataKey(b"e" * 32)
    assert other.id != KEY.id
    assert other.scope("beta-42") != KEY.scope("beta-42")
    assert other.digest("beta-42", "jane@x.org") != KEY.digest("beta-42", "jane@x.org")


@pytest.mark.parametrize(
    ("address", "people"),
    [("jane@x.org", ["jane@x.org"]), ("jane+2@x.org", ["jane+2@x.org", "jane@x.org"])],
)
def test_marks_cover_the_address_without_its_tag_and_all_invitations(address: str, people: list[str]) -> None:
    expected = [Mark(KEY.scope(about), KEY.digest(about, who)) for who in people for about in ("beta-42", ALL)]
    assert KEY.marks(parse(address), "beta-42") == expected
    assert KEY.mark(parse(address), "beta-42") == expected[0]


def test_a_token_claims_what_it_was_minted_for() -> None:
    claim = tokens.read(Door.LANDING, TOKEN)
    assert claim.opportunity == "beta-42"
    assert claim.person == (
        (KEY.scope("beta-42"), KEY.digest("beta-42", "jane@x.org")),
        (KEY.scope(ALL), KEY.digest(ALL, "jane@x.org")),
    )
    assert claim.base is None
    assert claim.domain_tag == KEY.domain_tag(JANE.domain)


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
    ("opportunity", "why"),
    [
        ("", "has 0 bytes"),
        ("é" * 65, "has 130 bytes"),
        ("x" * 129, "has 129 bytes"),
        ("a\nb", "holds a control character"),
        ("a\0", "holds a control character"),
        ("\udc80", "holds a control character"),
        (42, "is of the type int"),
        (None, "is of the type NoneType"),
        (b"beta", "is of the type bytes"),
    ],
    ids=ascii,
)
def test_an_id_that_cannot_stand_in_a_link_is_refused(opportunity: str, why: str) -> None:
    with pytest.raises(OpportunityError, match=f"1 to 128 bytes. It {why}"):
        tokens.mint(Door.LANDING, JANE, opportunity)


#: What stands behind a link in real mails, in any script and in any encoding on the way.
BEHIND = [
    "",
    *".,;:!?)>]}'\"*_/|~^`+-\\&#@$0189",
    *"。、，！？」』】）”’»›…‥·–—„“«،؟۔।๏°²¹½™®Жяéßñアあ字한\N{KELVIN SIGN}\N{LATIN SMALL LETTER LONG S}",
    *"\N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NO-BREAK SPACE}\N{SOFT HYPHEN}",
    *"\N{RIGHT-TO-LEFT MARK}\N{IDEOGRAPHIC SPACE}\N{LINE SEPARATOR}\t\r\n\0 ",
    *("&gt;", "&gt", "&#62;", "&#x3E;", "&nbsp;", "&quot;", "&rdquo;", "&amp;gt;", "&lt;/a&gt;"),
    *("%20", "%3E", "%E2%80%9D", "%E2%80%8B", "%C2%A0", "%ff", "%00", "%", "%2520", "%253E", "%25E2%2580%259D"),
    *("=3D", "=3d", "=20", "=E2=80=9D", "=", "==", "=\r\n"),
    *("</a>", ").", "!?>", "?utm_source=x", "#top", ".html", "/index.html"),
    *("a", "Sincerely", "7Please", "aaaaaaaa", TOKEN),  # the next line of a text without its line breaks
]
#: The same before the token.
BEFORE = [
    *"<([{«“„'\"*_.。、（「【é字\N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE}\N{SOFT HYPHEN} =",
    *(
        "/",
        "//",
        "/<",
        "%2F",
        "&lt;",
        "&lt",
        "&#60;",
        "&quot;",
        "&nbsp;",
        "%3C",
        "%20",
        "%E2%80%9C",
        "%253C",
        "=3D",
        "=3d",
        "=20",
        "=3D=20",
    ),
]


@pytest.mark.parametrize("case", [str, str.upper, str.title, str.swapcase])
@pytest.mark.parametrize("behind", BEHIND, ids=ascii)
def test_what_mail_programs_put_behind_a_link_is_dropped(behind: str, case: Callable[[str], str]) -> None:
    assert tokens.read(Door.LANDING, case(TOKEN) + behind) == tokens.read(Door.LANDING, TOKEN)


@pytest.mark.parametrize("case", [str, str.upper, str.title, str.swapcase])
@pytest.mark.parametrize("before", BEFORE, ids=ascii)
def test_what_they_put_before_it_is_dropped_too(before: str, case: Callable[[str], str]) -> None:
    assert tokens.read(Door.LANDING, before + case(TOKEN)) == tokens.read(Door.LANDING, TOKEN)
    assert tokens.read(Door.LANDING, before + case(TOKEN) + before) == tokens.read(Door.LANDING, TOKEN)


@given(st.text(st.characters(exclude_characters="=&%")))
def test_nothing_behind_a_token_does_harm(text: str) -> None:
    assert tokens.read(Door.LANDING, TOKEN + text) == tokens.read(Door.LANDING, TOKEN)


@given(st.text(st.characters(exclude_characters=string.ascii_letters + "234567=&%/"), max_size=2_000))
def test_nothing_before_it_that_cannot_belong_to_it_does_harm(text: str) -> None:
    assert tokens.read(Door.LANDING, text + TOKEN) == tokens.read(Door.LANDING, TOKEN)


def test_a_token_is_the_first_segment_of_the_path() -> None:
    with pytest.raises(BadToken):
        tokens.read(Door.LANDING, f"elsewhere/{TOKEN}")


def test_no_other_letter_passes_for_one_of_the_alphabet() -> None:
    """The Kelvin sign and the long s are k and s in another case, but nobody's mail program makes them."""
    token = next(token for token in map(token_of, range(99)) if "k" in token and "s" in token)
    for own, other in (("k", "\N{KELVIN SIGN}"), ("s", "\N{LATIN SMALL LETTER LONG S}"), ("a", "ａ"), ("2", "２")):
        with pytest.raises(BadToken):
            tokens.read(Door.LANDING, token.replace(own, other, 1))


def token_of(number: int) -> str:
    return tokens.mint(Door.LANDING, parse(f"person{number}@x.org"), "beta-42")


BAD = [
    "",
    ".",
    TOKEN[:-1],
    TOKEN[:-3],
    TOKEN[: len(TOKEN) // 2],
    TOKEN[1:],
    "3D" + TOKEN,
    TOKEN[:20] + "=\n" + TOKEN[20:],
    TOKEN.replace("a", "\N{LATIN SMALL LETTER A WITH ACUTE}", 1),
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
        for other in (string.ascii_lowercase + string.digits + ".").replace(own, ""):
            with pytest.raises(BadToken):
                tokens.read(Door.LANDING, TOKEN[:place] + other + TOKEN[place + 1 :])


def test_no_door_opens_another() -> None:
    for minted in Door:
        for other in set(Door) - {minted}:
            with pytest.raises(BadToken):
                tokens.read(other, tokens.mint(minted, JANE, "beta-42"))


def test_no_token_with_the_pseudonyms_of_choices_is_made_for_operators() -> None:
    claims = [tokens.read(door, tokens.mint(door, JANE, "beta-42")) for door in (Door.ASK, Door.LANDING)]
    asked, chosen = ({part for mark in claim.person for part in mark} for claim in claims)
    assert not asked & chosen and claims[0].domain_tag != claims[1].domain_tag


def test_a_claim_is_reissued_for_another_door() -> None:
    claim = tokens.read(Door.ONE_CLICK, tokens.mint(Door.ONE_CLICK, JANE, "beta-42"))
    assert tokens.reissue(Door.LANDING, claim) == TOKEN


def test_another_data_key_opens_nothing() -> None:
    with pytest.raises(BadToken):
        Tokens(DataKey(b"o" * 32)).read(Door.LANDING, TOKEN)


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
    other = claim._replace(payload=bytes((version,)) + claim.payload[1:])
    with pytest.raises(BadToken):
        tokens.read(Door.LANDING, tokens.reissue(Door.LANDING, other))


LINKS = Links(lambda: tokens, "https://x.example:8443/{}/".format, "de".__eq__)


def test_a_link_is_the_doors_prefix_and_a_token() -> None:
    assert LINKS.url(Door.LANDING, JANE, "beta-42") == (
        f"https://x.example:8443/landing/{tokens.mint(Door.LANDING, JANE, 'beta-42')}"
    )


@pytest.mark.parametrize(("language", "written"), [("de", "de/"), ("fr", ""), ("", "")])
def test_the_language_stands_before_the_token_where_there_are_words_for_it(language: str, written: str) -> None:
    token = tokens.mint(Door.LANDING, JANE, "beta-42")
    assert LINKS.url(Door.LANDING, JANE, "beta-42", language).endswith(f"/landing/{written}{token}")


@pytest.mark.parametrize(
    ("language", "tag"),
    [
        *(("de", "de"), ("pt_BR", "pt-br"), ("zh-Hant", "zh-hant"), ("zh-Hant-TW", "zh-hant-tw")),
        *((None, ""), ("", ""), ("x", ""), ("*", ""), ("german!", ""), ("deutsch", "")),
    ],
)
def test_a_language_tag_has_one_spelling(language: str | None, tag: str) -> None:
    assert normalize_tag(language) == tag and (not tag or re.fullmatch(TAG, tag))


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        *(("x", ("", "x")), ("de/x", ("de", "x")), ("pt-br/x", ("pt-br", "x")), ("de/a/b", ("de", "a/b"))),
        *(("", ("", "")), ("/", ("", "/")), ("/x", ("", "/x")), ("de/", ("", "de/")), ("a\nb", ("", "a\nb"))),
        ("toolong/x", ("", "toolong/x")),
    ],
)
def test_a_path_is_split_behind_its_language(path: str, parts: tuple[str, str]) -> None:
    assert split_path(path) == parts and join_path(*parts) == path


def test_a_language_is_read_in_any_case() -> None:
    assert split_path("DE/x") == ("de", "x")
