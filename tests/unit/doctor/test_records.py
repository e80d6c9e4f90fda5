"""How records are spoilt, and what is pasted for them."""

from __future__ import annotations

import dns.rdata
import pytest
from dns.rdtypes.ANY.TXT import TXT
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_optout.doctor.records import flawed, paste_of


def is_right(text: str) -> bool:
    return text.startswith("v=DKIM1; ") and text.endswith("p=AAAA")


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        ('"v=DKIM1; p=AAAA"', ["quotes"]),
        ("v=DKIM1\\; p=AAAA", ["backslash"]),
        (" v=DKIM1; p=AAAA ", ["blanks-around"]),
        ("v=dkim1; p=AAAA", ["letters"]),
        ("v=DKIM1 p=AAAA", ["semicolon"]),
        (' "v=dkim1\\; p=AAAA"', ["quotes", "backslash", "blanks-around", "letters"]),
    ],
)
def test_each_flaw_is_named_and_mended(text: str, flaws: list[str]) -> None:
    assert flawed(text, "DKIM1", is_right) == (flaws, "v=DKIM1; p=AAAA")


def test_what_nothing_mends_is_said_to_be_unreadable() -> None:
    assert flawed("v=DKIM1; q=AAAA", "DKIM1", is_right) == (["unreadable"], "")


@pytest.mark.parametrize("text", ["v=spf1 -all", "", "v=DKIM1; p=AAAA"])
def test_another_record_and_a_good_one_have_no_flaw(text: str) -> None:
    assert flawed(text, "DKIM1", is_right) is None


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=1_000))
def test_a_txt_record_is_pasted_in_strings_that_read_back_as_it(text: str) -> None:
    read = dns.rdata.from_text(
        "IN", "TXT", paste_of("x.example", text, lambda read: read == text).partition(" IN TXT ")[2]
    )
    assert isinstance(read, TXT)
    strings = read.strings
    assert b"".join(strings).decode() == text
    assert max(map(len, strings)) <= 255


def test_what_its_reader_does_not_take_is_not_offered() -> None:
    assert paste_of("x.example", "v=DKIM1; q=AAAA", is_right) == ""
