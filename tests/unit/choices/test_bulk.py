"""`invitable` gives the gate's answers for many addresses, by whichever way it looks for them."""

from __future__ import annotations

from itertools import count, islice

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from flask_optout import AddressError, StoreUnavailable
from flask_optout.addresses import Recipient, parse
from flask_optout.choices import bulk
from flask_optout.choices.bulk import _parsed
from tests.support.bulk import WAYS, take
from tests.support.hosts import Host, say


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    take(request.param, monkeypatch)
    return str(request.param)


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


def test_invitable_keeps_order_spelling_and_repetition(host: Host) -> None:
    say(host, True, to="jane@x.org")
    say(host, True, to="bob@x.org", everything=True)
    asked: list[Recipient] = ["Zoe <zoe@x.org>", "JANE@x.org", "ann@x.org", ("Bob", "bob@x.org"), "ann@x.org"]
    assert list(host.optout.invitable(asked, "beta-42")) == ["Zoe <zoe@x.org>", "ann@x.org", "ann@x.org"]


def test_invitable_is_lazy(host: Host) -> None:
    endless = (f"person{n}@x.org" for n in count())
    say(host, True, to="person1@x.org")
    assert list(islice(host.optout.invitable(endless, "beta-42"), 2)) == ["person0@x.org", "person2@x.org"]
    assert int(next(endless).removeprefix("person").removesuffix("@x.org")) == bulk.CHUNK


def test_invitable_yields_what_stands_before_a_malformed_address_and_says_which_it_was(host: Host) -> None:
    found = host.optout.invitable(["ann@x.org", "bob@x.org", "c@@x.org", "dan@x.org"], "beta-42")
    assert [next(found), next(found)] == ["ann@x.org", "bob@x.org"]
    with pytest.raises(AddressError, match="Address 3"):
        next(found)
