"""`invitable` gives the gate's answers for many addresses, by whichever way it looks for them."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path

import pytest

from flask_optout import AddressError, StoreUnavailable
from flask_optout.addresses import Recipient
from flask_optout.choices import bulk
from tests.conftest import MakeHost
from tests.support.bulk import WAYS, take
from tests.support.email_log import statements
from tests.support.hosts import Host, dispose, make_host, say


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


def test_a_run_stays_with_its_app_whichever_context_it_is_read_in(make: MakeHost, tmp_path: Path) -> None:
    """As in a streamed answer, which is written when the request is over."""
    host, other = make(), make_host(tmp_path, SQLALCHEMY_DATABASE_URI="sqlite://")
    with host.app.app_context():
        say(host, True, "jane@x.org")
        runs = [host.optout.invitable(["jane@x.org", "bob@x.org"], "beta-42") for _ in range(2)]
    assert list(runs[0]) == ["bob@x.org"]
    with other.app.app_context():
        say(other, True, "bob@x.org")
        assert list(runs[1]) == ["bob@x.org"]
    dispose(other)


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
    people = [f"person{number}@x.org" for number in range(40)]
    with statements(host) as seen:
        assert list(host.optout.invitable((person for person in people), "beta-42")) == people
    tried = [statement for statement in seen if "LIMIT" in statement]
    assert 0 < len(tried) < 10


def test_a_tagged_address_is_barred_by_the_choice_of_the_one_without_the_tag(host: Host, way: str) -> None:
    people = ["ann@x.org", "bob+one@x.org", "cy@x.org", "dan+two@x.org", "eve+three@x.org"]
    for person in ("bob@x.org", "eve@x.org"):
        say(host, True, person)
    assert list(host.optout.invitable(people, "beta-42")) == ["ann@x.org", "cy@x.org", "dan+two@x.org"]


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


def test_order_spelling_and_repetition_are_kept(host: Host, way: str) -> None:
    say(host, True, to="jane@x.org")
    say(host, True, to="bob@x.org", everything=True)
    bob = ("Bob", "bob@x.org")
    asked: list[Recipient] = ["Zoe <zoe@x.org>", "JANE@x.org", "ann@x.org", "jane+2@x.org", bob, "ann@x.org"]
    assert list(host.optout.invitable(asked, "beta-42")) == ["Zoe <zoe@x.org>", "ann@x.org", "ann@x.org"]


def test_a_run_takes_no_more_addresses_than_it_needs(host: Host) -> None:
    taken = count()
    say(host, True, to="person1@x.org")
    run = host.optout.invitable((f"person{number}@x.org" for number in taken), "beta-42")
    assert list(islice(run, 2)) == ["person0@x.org", "person2@x.org"]
    assert next(taken) <= bulk.CHUNK
