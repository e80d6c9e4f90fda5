"""The resolver's limits, and what it says where there is no answer."""

from __future__ import annotations

import time

import dns.rdata
import dns.resolver
import pytest
from dns.rdtypes.ANY.TXT import TXT
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.doctor import resolver as module
from flask_optout.doctor.finding import Unsure
from flask_optout.doctor.resolver import MOST_TIMEOUTS, Resolver, find_flawed, format_record
from tests.support.dns_server import SERVFAIL, SILENCE, Nameserver
from tests.support.zones import Ask


def test_strings_are_joined_without_a_space(ask: Ask) -> None:
    assert ask({"a.example TXT": [[b"v=spf1 ip4:", b"192.0.2.1"]]}).texts("A.Example.") == ["v=spf1 ip4:192.0.2.1"]


@pytest.mark.parametrize("name", ["gone.example", "here.example", "", "..", "x" * 64 + ".example", "é" * 70, "a\\"])
def test_a_name_without_records_has_none_and_so_has_one_that_cannot_be(ask: Ask, name: str) -> None:
    assert ask({"here.example A": ["192.0.2.1"]}).texts(name) == []


@pytest.mark.parametrize("trouble", [SILENCE, SERVFAIL])
def test_whoever_asks_again_is_told_again(ask: Ask, trouble: str) -> None:
    """Several checks ask for one name, and no server is asked for it twice."""
    resolver = ask({"a.example TXT": [trouble]})
    for _ in range(2):
        with pytest.raises(Unsure, match=r"a\.example TXT"):
            resolver.texts("a.example")


def test_an_answer_is_asked_for_once(ask: Ask, nameserver: Nameserver) -> None:
    resolver = ask({"a.example TXT": ["x"]})
    nameserver.asked.clear()
    assert [resolver.texts("a.example"), resolver.texts("A.example.")] == [["x"], ["x"]]
    assert nameserver.asked == ["a.example TXT"]


def test_the_wait_has_an_end_for_a_server_that_says_nothing(
    ask: Ask, nameserver: Nameserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = ask({"* TXT": [SILENCE]})
    monkeypatch.setattr(module, "SECONDS_PER_QUESTION", 0.05)
    for number in range(MOST_TIMEOUTS):
        with pytest.raises(Unsure, match="in time"):
            resolver.texts(f"n{number}.example")
    nameserver.asked.clear()
    with pytest.raises(Unsure, match="too long"):
        resolver.texts("one.more.example")
    assert nameserver.asked == []


def test_after_the_deadline_nothing_is_asked(nameserver: Nameserver) -> None:
    nameserver.zone = {"a.example TXT": ["x"]}
    with pytest.raises(Unsure, match="too long"):
        Resolver(time.monotonic() - 1, nameserver.address).texts("a.example")


def test_a_machine_without_nameservers_is_could_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_configuration(*_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(Resolver, "read_resolv_conf", no_configuration)
    with pytest.raises(Unsure):
        Resolver(time.monotonic() + 5).texts("a.example")


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
    assert find_flawed([text], "DKIM1", is_right) == ([text], flaws, ["v=DKIM1; p=AAAA"])


def test_what_nothing_mends_is_said_to_be_unreadable() -> None:
    text = "v=DKIM1; q=AAAA"
    assert find_flawed([text], "DKIM1", is_right) == ([text], ["unreadable"], [""])


@pytest.mark.parametrize("text", ["v=spf1 -all", "", "v=DKIM1; p=AAAA"])
def test_another_record_and_a_good_one_have_no_flaw(text: str) -> None:
    assert find_flawed([text], "DKIM1", is_right) == ([], [], [])


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=1_000))
def test_a_txt_record_is_pasted_in_strings_that_read_back_as_it(text: str) -> None:
    paste = format_record("x.example", text, lambda read: read == text)
    read = dns.rdata.from_text("IN", "TXT", paste.partition(" IN TXT ")[2])
    assert isinstance(read, TXT) and b"".join(read.strings).decode() == text
    assert max(map(len, read.strings)) <= 255


def test_what_its_reader_does_not_take_is_not_offered() -> None:
    assert format_record("x.example", "v=DKIM1; q=AAAA", is_right) == ""
