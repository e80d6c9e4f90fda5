"""`invitable` gives the gate's answers for many addresses, by whichever way it looks for them."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from flask_optout import AddressError, StoreUnavailable
from flask_optout.addresses import Recipient, parse
from flask_optout.choices import bulk
from flask_optout.choices.bulk import _parsed
from flask_optout.links.keys import ALL
from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import Host, dispose, say

pytestmark = pytest.mark.long

#: The bounds that make a run of thirty addresses in chunks of five look in each place.
WAYS = {
    "all in a set": {"WORTH": 1_000},
    "in a set, once it is worth it": {"WORTH": 1},
    "in the table": {"WORTH": 0, "BATCH": 2},
    "in the table, as they are too many": {"LARGEST_SET": 2},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(bulk, "CHUNK", 5)
    monkeypatch.setattr(bulk, "MAX_AGE", 0.0)
    for name, value in WAYS[request.param].items():
        monkeypatch.setattr(bulk, name, value)
    return str(request.param)


def spelling(draw: random.Random, number: int) -> Recipient:
    """One of the ways to write one of twenty people."""
    local, domain = f"person{number % 20}", f"x{number % 3}.org"
    plain = f"{local}@{domain}"
    spellings: list[Recipient] = [plain, plain, plain.upper(), f"{local}+{number % 2}@{domain}", f"P <{plain}>"]
    spellings += [
        ("P", plain),
        f"{local}@büro{number % 3}.example",
        f"ü{number % 20}@{domain}",
        f'"{local}"@{domain}',
    ]
    return draw.choice(spellings)


def choose(host: Host, draw: random.Random, times: int) -> None:
    for _ in range(times):
        to = parse(spelling(draw, draw.randrange(60))).deliverable
        say(host, draw.random() < 0.7, to, draw.choice(["beta-42", "study-7"]), draw.random() < 0.2)


@pytest.mark.parametrize("opportunity", ["beta-42", ALL])
def test_it_answers_as_the_gate_does(database: Database, way: str, make: MakeHost, opportunity: str) -> None:
    draw = random.Random(7)
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        assert list(host.optout.invitable(["ann@x.org"], opportunity)) == ["ann@x.org"]
        for _ in range(3):
            choose(host, draw, 15)
            asked = [spelling(draw, draw.randrange(60)) for _ in range(30)]
            expected = [recipient for recipient in asked if host.optout.may_invite(recipient, opportunity)]
            assert list(host.optout.invitable(asked, opportunity)) == expected
            assert list(host.optout.invitable(iter(asked), opportunity)) == expected
        assert 0 < len(expected) < len(asked)
    dispose(host)


def test_a_choice_made_during_a_run_is_found_from_the_next_chunk_on(host: Host, way: str) -> None:
    people = [f"person{number}@x.org" for number in range(15)]
    for person in people[3], people[8]:
        say(host, True, person)
    run = host.optout.invitable(people, "beta-42")
    found = [next(run)]
    say(host, True, people[9])
    say(host, False, people[8])
    assert [*found, *run] == [person for person in people if person not in (people[3], people[9])]


def test_a_set_may_be_a_minute_old_and_no_older(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("flask_optout.choices.bulk.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(bulk, "CHUNK", 5)
    people = [f"person{number}@x.org" for number in range(20)]
    say(host, True, people[0])
    run = host.optout.invitable(people, "beta-42")
    found = [next(run) for _ in range(4)]
    for person in people[5], people[10]:
        say(host, True, person)
    clock[0] += 59
    found += [next(run) for _ in range(5)]
    clock[0] += 2
    assert [*found, *run] == [person for person in people if person not in (people[0], people[10])]


def test_a_run_ends_when_the_store_is_gone(host: Host, way: str) -> None:
    say(host, True)
    run = host.optout.invitable((f"person{number}@x.org" for number in range(15)), "beta-42")
    next(run)
    host.db.drop_all()
    with pytest.raises(StoreUnavailable):
        list(run)


def test_a_run_whose_length_is_unknown_seldom_tries_to_read_all_mutes(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 1)
    monkeypatch.setattr(bulk, "WORTH", 1)
    for number in range(60):
        say(host, True, f"stranger{number}@x.org")
    tried: list[int] = []

    def note(
        connection: object, cursor: object, statement: str, parameters: tuple[object, ...], *more: object
    ) -> None:
        if "LIMIT" in statement and len(parameters) == 3 and parameters[1] not in (0, 1):
            tried.append(int(str(parameters[1])) - 1)

    sa.event.listen(host.db.engine, "before_cursor_execute", note)
    people = [f"person{number}@x.org" for number in range(40)]
    assert list(host.optout.invitable((person for person in people), "beta-42")) == people
    assert sorted({*tried}) == [1, 2, 4, 8, 16, 32] and tried.count(32) == 1


@pytest.mark.parametrize("tag", ["", "+tag"])
@pytest.mark.parametrize("size", [1, 7, 40])
def test_a_malformed_address_is_told_by_its_place_after_everything_before_it(
    host: Host, way: str, size: int, tag: str
) -> None:
    people = [f"person{number}{tag}@x.org" for number in range(size)]
    say(host, True, people[0])
    run = host.optout.invitable([*people, "c@@x.org", "dan@x.org"], "beta-42")
    found: list[Recipient] = []
    with pytest.raises(AddressError, match=f"Address {size + 1}:"):
        found.extend(run)
    assert found == people[1:]


def recipients() -> st.SearchStrategy[list[Recipient]]:
    parts = st.text("aB1+.@-\n ü\"'=?", max_size=6)
    odd = st.builds(
        lambda local, domain: f"{local}@{domain}", parts, st.sampled_from(["x.org", "X.org.", "-x", "ü.de"])
    )
    plain = st.builds(lambda number: f"person{number}@x.org", st.integers(0, 99))
    return st.lists(st.one_of(plain, plain, plain, odd, parts, st.tuples(parts, plain)), max_size=90)


@given(recipients())
@example(["ann@x.org", ""])
def test_many_are_read_as_each_of_them_is(asked: list[Recipient]) -> None:
    names, bases, malformed = _parsed(asked)
    expected = []
    for recipient in asked:
        try:
            address = parse(recipient)
        except AddressError:
            assert malformed is not None
            break
        expected.append((address.canonical.encode(), None if address.base is None else address.base.encode()))
    assert [(name, bases.get(place)) for place, name in enumerate(names)] == expected
    assert len(names) == len(asked) or malformed is not None


ODD = ["example.org", "a@@x.org", "a@b@x.org", "@x.org", "a@", ".a@x.org", "a.@x.org", "a..b@x.org", "a@x..org"]
ODD += ["a\nb@x.org", "a@x.org\n", "\na@x.org", "a@x.org\nb@x.org", "", "a@-x.org", "a@x_y.org", "a b@x.org"]
ODD += [f"{'a' * 260}@x.org", "=?utf-8?q?jane?=@x.org"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("neighbours", [(), ("ann@x.org",)], ids=["alone", "among others"])
def test_an_odd_address_is_never_taken_for_a_plain_one(odd: str, neighbours: tuple[str, ...]) -> None:
    names, _, malformed = _parsed([*neighbours, odd, *neighbours])
    assert malformed is not None and len(names) == len(neighbours)
