"""`invitable`: the same answers as the gate's, for a crowd, by whichever way it looks for them."""

from __future__ import annotations

import random
import sqlite3

import pytest
import sqlalchemy as sa
from flask_optout.choices.crowd import Crowd
from flask_optout.choices.shelf import Pile, Shelf
from hypothesis import given
from hypothesis import strategies as st

from flask_optout import AddressError, StoreUnavailable
from flask_optout.addresses import Recipient, parse
from flask_optout.choices import bulk as filtering
from flask_optout.choices import shelf
from flask_optout.links.keys import ALL
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import Host, say

#: The bounds that make a run of thirty addresses in chunks of five look in each place.
WAYS = {
    "set": {"WORTH": 1_000},
    "pile": {"WORTH": 1_000, "SMALL": 0},
    "set, once it is worth it": {"WORTH": 1},
    "table": {"WORTH": 0, "BATCH": 2},
}
OLD_KEY, NEW_KEY = "the old key of this host, 32 bytes.", "the new key of this host, 32 bytes."


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(filtering, "CHUNK", 5)
    monkeypatch.setattr(filtering, "FRESH", 0.0)
    monkeypatch.setattr(shelf, "PAGE", 3)
    for name, value in WAYS[request.param].items():
        monkeypatch.setattr(shelf, name, value)
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


def naive(host: Host, asked: list[Recipient], opportunity: str = "beta-42") -> list[Recipient]:
    return [recipient for recipient in asked if host.optout.may_invite(recipient, opportunity)]


@pytest.mark.parametrize("opportunity", ["beta-42", ALL])
def test_it_answers_as_the_gate_does(database: Database, way: str, make: MakeHost, opportunity: str) -> None:
    draw = random.Random(7)
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        for _ in range(3):
            choose(host, draw, 15)
            asked = [spelling(draw, draw.randrange(60)) for _ in range(30)]
            expected = naive(host, asked, opportunity)
            assert list(host.optout.invitable(asked, opportunity)) == expected
            assert list(host.optout.invitable(iter(asked), opportunity)) == expected
        assert 0 < len(expected) < len(asked)
        host.db.drop_all()


def test_it_answers_as_the_gate_does_while_two_keys_are_in_use(database: Database, way: str, make: MakeHost) -> None:
    draw = random.Random(7)
    for keys in ([OLD_KEY], [NEW_KEY, OLD_KEY]):
        host = make(SQLALCHEMY_DATABASE_URI=database.uri, OPTOUT_KEYS=keys)
        with host.app.app_context():
            choose(host, draw, 30)
            asked = [spelling(draw, draw.randrange(60)) for _ in range(30)]
            expected = naive(host, asked)
            assert list(host.optout.invitable(asked, "beta-42")) == expected
            assert 0 < len(expected) < len(asked)
    with host.app.app_context():
        host.db.drop_all()


def test_a_choice_made_during_a_run_is_found_from_the_next_chunk_on(host: Host, way: str) -> None:
    people = [f"person{number}@x.org" for number in range(15)]
    for person in people[3], people[8]:
        say(host, True, person)
    run = host.optout.invitable(people, "beta-42")
    found = [next(run)]
    say(host, True, people[9])
    say(host, False, people[8])
    assert [*found, *run] == [person for person in people if person not in (people[3], people[9])]


def test_a_run_ends_when_the_store_is_gone(host: Host, way: str) -> None:
    run = host.optout.invitable((f"person{number}@x.org" for number in range(15)), "beta-42")
    next(run)
    host.db.drop_all()
    with pytest.raises(StoreUnavailable):
        list(run)


@pytest.mark.parametrize("most", [0, 10_000])
def test_a_hold_bars_however_many_there_are(host: Host, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtering, "MOST_HELD", most)
    state = current_state()
    mark = state.ring.mark(parse("jane@x.org"), "beta-42")
    held = {"scope": mark.scope, "digest": mark.digest, "at": 1, "command": "mute", "before": 0, "confirmed": False}
    with host.db.engine.begin() as connection:
        connection.execute(sa.insert(state.tables.press).values(**held, held_until=1 << 50))
    assert list(host.optout.invitable(["jane@x.org", "bob@x.org"], "beta-42")) == ["bob@x.org"]


def test_what_is_no_longer_worth_its_memory_is_looked_for_in_the_table(
    host: Host, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtering, "MOST", 2)
    people = [f"person{number}@x.org" for number in range(15)]
    for person in people[:12:2]:
        say(host, True, person)
    assert list(host.optout.invitable(people, "beta-42")) == naive(host, [*people])


def test_nobody_is_missed_while_a_rotation_moves_the_mutes(
    make: MakeHost, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtering, "SLACK", 0)
    muted = [f"person{number}@x.org" for number in range(20)]
    old = make(OPTOUT_KEYS=[OLD_KEY])
    with old.app.app_context():
        for person in muted:
            say(old, True, person)
    strangers = [f"stranger{number}@x.org" for number in range(40)]
    host = make(OPTOUT_KEYS=[NEW_KEY, OLD_KEY])
    with host.app.app_context():
        asked = (person for person in [*strangers[:20], *muted, *strangers[20:]])
        run = host.optout.invitable(asked, "beta-42")
        passed = [next(run)]
        assert sum(current_state().rotation.run()) == len(muted)
        assert [*passed, *run] == strangers


def test_a_look_that_is_tried_again_misses_no_choice(host: Host, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtering, "SLACK", 0)
    people = [f"person{number}@x.org" for number in range(20)]
    run = host.optout.invitable(people, "beta-42")
    passed = [next(run)]
    say(host, True, people[12])
    changes, conflicts = filtering._Run._changes, iter([sqlite3.OperationalError("database is locked")])

    def once_in_vain(self: filtering._Run, connection: sa.Connection) -> object:
        found = changes(self, connection)
        for conflict in conflicts:
            conflict.sqlite_errorname = "SQLITE_BUSY"
            raise sa.exc.OperationalError("SELECT", {}, conflict)
        return found

    monkeypatch.setattr(filtering._Run, "_changes", once_in_vain)
    assert [*passed, *run] == [person for person in people if person != people[12]]


def test_a_run_whose_length_is_unknown_seldom_tries_to_read_all_mutes(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtering, "CHUNK", 1)
    monkeypatch.setattr(filtering, "FRESH", 0.0)
    monkeypatch.setattr(shelf, "WORTH", 1)
    for number in range(20):
        say(host, True, f"stranger{number}@x.org")
    tried: list[int] = []
    load = Shelf._load

    def noted(self: Shelf, connection: sa.Connection, limit: int, few: int) -> None:
        load(self, connection, limit, few)
        if self.scope == current_state().ring.scope("beta-42"):
            tried.append(limit)

    monkeypatch.setattr(Shelf, "_load", noted)
    people = [f"person{number}@x.org" for number in range(40)]
    assert list(host.optout.invitable((person for person in people), "beta-42")) == people
    assert tried == [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize("bound", ["shelf.MOST_AGE", "shelf.MOST_CHANGES", "filtering.MOST_CHANGES"])
def test_a_shelf_that_is_old_or_has_changed_much_is_read_anew(
    host: Host, way: str, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"flask_optout.{bound}", 0)
    test_a_choice_made_during_a_run_is_found_from_the_next_chunk_on(host, way)


def recipients() -> st.SearchStrategy[list[Recipient]]:
    parts = st.text("aB1+.@-\n ü\"'", max_size=6)
    odd = st.builds(
        lambda local, domain: f"{local}@{domain}", parts, st.sampled_from(["x.org", "X.org.", "-x", "ü.de"])
    )
    plain = st.builds(lambda number: f"person{number}@x.org", st.integers(0, 99))
    return st.lists(st.one_of(plain, plain, plain, odd, parts, st.tuples(parts, plain)), max_size=90)


@given(recipients())
def test_a_crowd_is_read_as_each_of_its_people_is(asked: list[Recipient]) -> None:
    crowd = Crowd()
    crowd.add(asked)
    people, bases = [], {}
    for place, recipient in enumerate(asked):
        try:
            address = parse(recipient)
        except AddressError:
            assert crowd.malformed is not None
            break
        people.append(address.canonical.encode())
        if address.base is not None:
            bases[place] = address.base.encode()
    assert (crowd.people, crowd.bases) == (people, bases)
    assert len(people) == len(asked) or crowd.malformed is not None


ODD = ["example.org", "a@@x.org", "a@b@x.org", "@x.org", "a@", ".a@x.org", "a.@x.org", "a..b@x.org", "a@x..org"]
ODD += ["a\nb@x.org", "a@x.org\n", "\na@x.org", "a@x.org\nb@x.org", "", "a@-x.org", "a@x_y.org", "a b@x.org"]
ODD += [f"{'a' * 260}@x.org"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("neighbours", [(), ("ann@x.org",)], ids=["alone", "among others"])
def test_an_odd_address_is_never_taken_for_a_plain_one(odd: str, neighbours: tuple[str, ...]) -> None:
    crowd = Crowd()
    crowd.add([*neighbours, odd, *neighbours])
    assert crowd.malformed is not None and len(crowd.people) == len(neighbours)


@given(st.sets(st.binary(min_size=16, max_size=16)), st.sets(st.binary(min_size=16, max_size=16)))
def test_a_pile_holds_what_was_put_in_it_and_nothing_else(inside: set[bytes], others: set[bytes]) -> None:
    pile = Pile()
    pages = [sorted(inside)[start : start + 3] for start in range(0, len(inside), 3)]
    for page in pages:
        pile.add(b"".join(page))
    asked = [*inside, *others]
    assert list(pile.has(asked)) == [digest in inside for digest in asked]
