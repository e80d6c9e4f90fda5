"""One person, one canonical spelling; what is not one well-formed address is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_optout.addresses import Address, Recipient, parse, parse_plain, unfold
from flask_optout.errors import AddressError, InvitationError


def canonical(recipient: Recipient) -> str:
    return parse(recipient).canonical


SPELLINGS = [
    ("jane@x.org", "JANE@X.ORG"),
    ("jane@x.org", "jane@x.org."),
    ("jane@x.org", "  jane@x.org "),
    ("jane@x.org", "\N{NO-BREAK SPACE}jane@x.org\t"),
    ("jane@x.org", '"jane"@x.org'),
    ("jane@x.org", '"ja\\ne"@x.org'),
    ("jane@x.org", "jane(at work)@x.org"),
    ("jane@x.org", "jane@(a (nested) comment)x.org"),
    ("jane@x.org", '(a "quote)jane@x.org'),
    ("jane@x.org", "Jane <jane@x.org>"),
    ("jane@x.org", '"Doe, Jane" <jane@x.org>'),
    ("jane@x.org", '"jane@y.org" <jane@x.org>'),
    ("jane@x.org", ("Jane", "jane@x.org")),
    ("kate@x.org", "\N{KELVIN SIGN}ate@x.org"),
    ("sam@x.org", "\N{LATIN SMALL LETTER LONG S}am@x.org"),
    ("fish@x.org", "\N{LATIN SMALL LIGATURE FI}sh@x.org"),
    ("1@x.org", "\N{CIRCLED DIGIT ONE}@x.org"),
    ("josé@x.org", "jose\N{COMBINING ACUTE ACCENT}@x.org"),
    ("σοφοσ@x.org", "ΣΟΦΟΣ@x.org"),
    ("σοφοσ@x.org", "σοφος@x.org"),
    ("a@xn--strae-oqa.de", "a@straße.de"),
    ("a@xn--fa-hia.de", "a@faß.de"),
    ("a@xn--mgba3gch31f060k.com", "a@نامه\u200cای.com"),
    ("a@xn--mgba3gch31f060k.com", "a@XN--MGBA3GCH31F060K.com"),
    ("a@example.com", "a@ｅxample.com"),
    ("a@x.org", "a@x。org"),
    ("a@example.com", "a@exam\N{SOFT HYPHEN}ple.com"),
    ('"jane doe"@x.org', '"jane doe"@x.org'),
    ('"a@b"@x.org', '"a\\@b"@x.org'),
    ("a%b@x.org", "a%b@x.org"),
    ("*@x.org", "*@x.org"),
    ("_ane@x.org", "_ane@x.org"),
]

REFUSED: list[Any] = [
    "",
    "jane",
    "jane@",
    "@x.org",
    "<jane@x.org",
    "jane@x.org>",
    "Doe, Jane <jane@x.org>",
    "a@x.org, b@y.org",
    "a@x.org; b@y.org",
    "Team: a@x.org, b@y.org;",
    "a@x.org <b@y.org>",
    "<a@x.org> <b@y.org>",
    "<a@x.org> b",
    "alice@x.org)bob@y.org",
    "a@x.org(<b@y.org>",
    'a"b@x.org',
    "a..b@x.org",
    ".a@x.org",
    "a.@x.org",
    "@relay:a@x.org",
    "a@[127.0.0.1]",
    "a@[IPv6:::1]",
    "a@localhost",
    "a@xn--a",
    "a@x.org..",
    "a@exam_ple.com",
    "a@☃.net",
    "a@b\u200dc.net",
    "a@" + "x" * 64 + ".org",
    "a@" + "x." * 150 + "org",
    "a" * 250 + "@x.org",
    "é" * 130 + "@x.org",
    "a" * 1000 + "@x.org",
    "a\N{ZERO WIDTH SPACE}@x.org",
    "a\N{RIGHT-TO-LEFT OVERRIDE}@x.org",
    "a\N{SOFT HYPHEN}@x.org",
    "a\0@x.org",
    "a\x7f@x.org",
    "a\r@x.org",
    "a\n@x.org",
    "a@x.org\r\nBcc: b@y.org",
    "a@x.org\n",
    None,
    5,
    b"a@x.org",
    ["a@x.org"],
    ("a@x.org",),
    ("a", "a@x.org", "b"),
    ("a\nb", "a@x.org"),
    ("a", "b <a@x.org>"),
    (None, "a@x.org"),
    "\udc80@x.org",
]


@pytest.mark.parametrize(("expected", "spelling"), SPELLINGS)
def test_every_spelling_is_one_person(expected: str, spelling: Any) -> None:
    assert canonical(spelling) == expected


@pytest.mark.parametrize("recipient", REFUSED, ids=ascii)
def test_what_is_not_one_address_is_refused_without_repeating_it(recipient: Any) -> None:
    with pytest.raises(AddressError) as refused:
        parse(recipient)
    assert "@x.org" not in str(refused.value) and "@y.org" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("domain", ["x.test", "X.TEST.", "localhost", "printer.local", "x.invalid"])
def test_a_reserved_domain_is_told_so(domain: str) -> None:
    with pytest.raises(AddressError, match=r"reserved and takes no mail, as \.test"):
        parse(f"jane@{domain}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mıke@x.org", "mike@x.org"),
        ("MİKE@x.org", "mike@x.org"),
        ("mike@gıthub.com", "mike@github.com"),
        ("a@straße.de", "a@strasse.de"),
        ("j.ane@x.org", "jane@x.org"),
        ("а@x.org", "a@x.org"),
    ],
)
def test_people_who_look_alike_stay_apart(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("Jane <Jane.Doe@Example.ORG>", Address("Jane.Doe@example.org", "jane.doe@example.org", None, "Jane")),
        ('"jane"@straße.de', Address("jane@xn--strae-oqa.de", "jane@xn--strae-oqa.de")),
        ("jane+2@x.org", Address("jane+2@x.org", "jane+2@x.org", "jane@x.org")),
        ("jane+2+3@x.org", Address("jane+2+3@x.org", "jane+2+3@x.org", "jane@x.org")),
        ("+2@x.org", Address("+2@x.org", "+2@x.org", None)),
        ('"jane d+2"@x.org', Address('"jane d+2"@x.org', '"jane d+2"@x.org', '"jane d"@x.org')),
        ('"Doe, \\"J\\"" <j@x.org>', Address("j@x.org", "j@x.org", None, 'Doe, "J"')),
    ],
)
def test_an_address_knows_where_mail_goes_and_who_is_meant(recipient: str, expected: Address) -> None:
    assert parse(recipient) == expected


def test_only_an_ascii_local_part_needs_no_smtputf8() -> None:
    assert parse("jose@straße.de").deliverable.isascii()
    assert not parse("josé@x.org").deliverable.isascii()


locals_ = st.one_of(
    st.from_regex(r"[A-Za-z0-9.+_\-]{1,20}", fullmatch=True),
    st.text(min_size=1, max_size=20),
    st.text(min_size=1, max_size=20).map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
)
domains = st.sampled_from(["x.org", "X.Org.", "straße.de", "ｅxample.com", "日本.jp", "a-b.example.co.uk"])


@given(locals_, domains)
def test_the_address_sent_to_is_the_address_checked(local: str, domain: str) -> None:
    try:
        address = parse(f"{local}@{domain}")
    except AddressError:
        return
    assert parse(address.deliverable).canonical == address.canonical


@given(locals_, domains)
def test_a_canonical_spelling_is_its_own(local: str, domain: str) -> None:
    try:
        spelled = canonical(f"{local}@{domain}")
    except AddressError:
        return
    assert canonical(spelled) == spelled


@given(st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,20}", fullmatch=True), domains)
def test_the_fast_path_agrees_with_the_slow_one(local: str, domain: str) -> None:
    try:
        fast = parse(f"{local}@{domain}")
    except AddressError:
        with pytest.raises(AddressError):
            parse(f"({domain}){local}@{domain}")
    else:
        assert parse(f"(comment){local}@{domain}") == fast


plain = st.builds(lambda number: f"person{number}@x.org", st.integers(0, 99))
parts = st.text("aB1+.@-\n ü\"'=?", max_size=6)
odd = st.builds(lambda local, domain: f"{local}@{domain}", parts, st.sampled_from(["x.org", "X.org.", "-x", "ü.de"]))


@given(st.lists(plain | plain | plain | odd | parts | st.tuples(parts, plain), max_size=90))
@example(["ann@x.org", "Bob@X.org"])
def test_many_are_read_as_each_of_them_is(asked: list[Recipient]) -> None:
    people = parse_plain(asked)
    assert people is None or people == [canonical(recipient).encode() for recipient in asked]


ODD = ["example.org", "a@@x.org", "a@b@x.org", "@x.org", "a@", ".a@x.org", "a.@x.org", "a..b@x.org", "a@x..org"]
ODD += ["a\nb@x.org", "a@x.org\n", "\na@x.org", "a@x.org\nb@x.org", "", "a@-x.org", "a@x_y.org", "a b@x.org"]
ODD += [f"{'a' * 260}@x.org", "=?utf-8?q?jane?=@x.org", "jane+2@x.org", "Jane <jane@x.org>", '"jane"@x.org']


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("neighbours", [(), ("ann@x.org",)], ids=["alone", "among others"])
def test_an_odd_address_is_never_taken_for_a_plain_one(odd: str, neighbours: tuple[str, ...]) -> None:
    assert parse_plain([*neighbours, odd, *neighbours]) is None


@pytest.mark.parametrize("recipient", ["jane@x.org", ("Jane", "jane@x.org")])
def test_it_is_named_as_it_was(recipient: Recipient) -> None:
    assert parse(recipient).named == recipient


@pytest.mark.parametrize(
    ("value", "line"),
    [("Join us", "Join us"), ("Join\r\n us", "Join us"), ("a\n\tb", "a\tb"), ("a\tb", "a\tb"), ("", "")],
)
def test_a_folded_value_is_one_line(value: str, line: str) -> None:
    assert unfold(value) == line


@pytest.mark.parametrize(
    "value",
    [
        *("Join\nBcc: e@y.org", "Join\r\n\r\nus", "Join\rus", "Join\0us", "a\n\nb", "a\r\nBcc: e@y.org", "a\n \n b"),
        *("=?utf-8?q?x=0d=0aBcc:_e?=", "=?utf-8?b?DQo=?=", None, b"Join us", 5),
    ],
    ids=repr,
)
def test_a_value_of_two_lines_is_refused(value: Any) -> None:
    with pytest.raises(InvitationError) as refused:
        unfold(value)
    assert "@" not in str(refused.value)
