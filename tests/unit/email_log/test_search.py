"""Invitations are found by index or by words, page by page, in bounded work; searches are saved under a name.

What is typed is read as it is meant, and days, inclusive, in one named zone, also where clocks change.
"""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flask_optout.choices.store import Store
from flask_optout.email_log import search as searching
from flask_optout.email_log.records import EmailLog, Times, id_at, time_of
from flask_optout.email_log.search import PAGE, Criteria, Filter, SavedFilters, Search, Word
from tests.support.email_log import TABLES, record


@pytest.fixture
def search(store: Store) -> Search:
    return Search(store, TABLES)


@pytest.fixture
def filters(store: Store) -> SavedFilters:
    return SavedFilters(store, TABLES)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [2, 1, 0]),
        ({"mailbox": "jane@x.org"}, [1, 0]),
        ({"domain": "y.org"}, [2]),
        ({"opportunity": "study-7"}, [1]),
        ({"mailbox": "jane@x.org", "opportunity": "study-7"}, [1]),
        ({"domain": "x.org", "opportunity": "beta-42"}, [0]),
        ({"words": (Word("ane"), Word("us"))}, [0]),
        ({"words": (Word("study", ("beta-42",)),)}, [2, 1, 0]),
        ({"words": (Word("study", ("gone",)),)}, [1]),
        ({"words": (Word("%"),)}, []),
        ({"failed": True}, [2]),
    ],
    ids=str,
)
def test_every_criterion_narrows(log: EmailLog, search: Search, wanted: dict[str, Any], found: list[int]) -> None:
    people = (("jane@x.org", "beta-42", "Join us"), ("jane@x.org", "study-7", "Sleep"), ("bob@y.org", "beta-42", ""))
    ids = [record(log, to, opportunity, subject=subject) for to, opportunity, subject in people]
    log.record_failure(ids[2], OSError())
    criteria = Criteria(**wanted)
    entries = search.find(criteria).entries
    assert [entry.id for entry in entries] == [ids[number] for number in found]
    assert search.count(criteria) == len(found)


def test_pages_follow_one_another(log: EmailLog, search: Search) -> None:
    ids = [record(log) for _ in range(PAGE + 2)]
    first = search.find(Criteria())
    second = search.find(Criteria(), first.older)
    assert [entry.id for page in (first, second) for entry in page.entries] == ids[::-1]
    assert (second.older, second.searched_to) == (None, None)


def test_words_are_looked_for_in_a_window(log: EmailLog, search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "WINDOW", 2)
    ids = [record(log, subject=subject) for subject in ("needle", "hay", "needle", "hay")]
    wanted = Criteria(words=(Word("needle"),))
    first = search.find(wanted)
    assert ([entry.id for entry in first.entries], first.searched_to) == ([ids[2]], time_of(ids[1]))
    assert [entry.id for entry in search.find(wanted, first.older).entries] == [ids[0]]
    assert search.count(wanted) == 1


def test_counting_ends_where_it_would_take_long(
    log: EmailLog, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "COUNTED", 2)
    for _ in range(4):
        record(log)
    assert search.count(Criteria()) == 3


@pytest.mark.parametrize(
    ("column", "prefix", "limit", "values"),
    [
        ("opportunity", "", 9, ["beta-42", "study-7"]),
        ("opportunity", "", 1, ["beta-42"]),
        ("mailbox", "ja", 9, ["jan@y.org", "jane@x.org"]),
        ("domain", "x", 9, ["x.org"]),
        ("domain", "%", 9, []),
    ],
)
def test_values_of_a_column_are_listed_by_their_beginning(
    log: EmailLog, search: Search, column: str, prefix: str, limit: int, values: list[str]
) -> None:
    for to, opportunity in (("jane@x.org", "beta-42"), ("jane@x.org", "study-7"), ("jan@y.org", "beta-42")):
        record(log, to, opportunity)
    assert search.find_starting(column, prefix, limit) == values


def test_a_name_is_given_once(filters: SavedFilters) -> None:
    assert filters.save("Two", "q=2") and filters.save("One", "q=1")
    assert not filters.save("One", "q=3")
    assert not filters.rename("Two", "One")
    assert list(filters.all().items()) == [("One", "q=1"), ("Two", "q=2")]
    assert filters.rename("Two", "Two") and filters.rename("Two", "Three") and filters.rename("Gone", "Four")
    assert filters.all() == {"One": "q=1", "Three": "q=2"}
    filters.delete("Three")
    filters.delete("Gone")
    assert filters.all() == {"One": "q=1"}


def test_of_two_that_take_a_name_at_once_one_gets_it(filters: SavedFilters) -> None:
    names = [f"Filter {number}" for number in range(6)]
    for name in names:
        filters.save(name, "q=1")
    with ThreadPoolExecutor(6) as pool:
        renamed = list(pool.map(lambda name: filters.rename(name, "Mine"), names))
    assert sorted(renamed) == [False] * 5 + [True] and len(filters.all()) == 6


@pytest.mark.parametrize(
    ("zone", "day", "first", "beyond"),
    [
        ("UTC", "2031-12-24", "12-24T00:00", "12-25T00:00"),
        ("Europe/Berlin", "2031-12-24", "12-23T23:00", "12-24T23:00"),
        ("Pacific/Kiritimati", "2031-12-24", "12-23T10:00", "12-24T10:00"),
        ("Pacific/Pago_Pago", "2031-12-24", "12-24T11:00", "12-25T11:00"),
        # Put forward: the day has 23 hours. Put back: it has 25.
        ("Europe/Berlin", "2025-03-30", "03-29T23:00", "03-30T22:00"),
        ("Europe/Berlin", "2025-10-26", "10-25T22:00", "10-26T23:00"),
        # Midnight itself is not there, or comes twice.
        ("America/Havana", "2025-03-09", "03-09T05:00", "03-10T04:00"),
        ("America/Havana", "2025-11-02", "11-02T04:00", "11-03T05:00"),
        # A whole day was skipped.
        ("Pacific/Apia", "2011-12-30", "12-30T10:00", "12-30T10:00"),
    ],
)
def test_a_day_is_included_whole(zone: str, day: str, first: str, beyond: str) -> None:
    criteria = Filter({"from": day, "to": day}, Times(ZoneInfo(zone)), {}).criteria
    assert [time_of(id).strftime("%m-%dT%H:%M") for id in (criteria.since, criteria.until)] == [first, beyond]


TITLES = {"beta-42": "Pixel Beta", "study-7": "Sleep Study"}


def filtered(**values: str) -> Filter:
    return Filter({name.removesuffix("_"): value for name, value in values.items()}, Times(ZoneInfo("UTC")), TITLES)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"from_": "2031-12-25", "to": "2031-12-24"}, "to"),
        ({"from_": "2031-02-30"}, "from"),
        ({"from_": "yesterday"}, "from"),
        ({"opportunity": "o" * 129}, "opportunity"),
        ({"opportunity": "a\0b"}, "opportunity"),
    ],
)
def test_what_cannot_be_meant_is_said_at_its_field(values: dict[str, str], field: str) -> None:
    assert list(filtered(**values).errors) == [field]


@pytest.mark.parametrize(
    ("typed", "criteria"),
    [
        (" Jane <JANE@X.org> ", Criteria(mailbox="jane@x.org")),
        ("jane@münchen.de", Criteria(mailbox="jane@xn--mnchen-3ya.de")),
        ("@X.org", Criteria(domain="x.org")),
        ("@münchen.de", Criteria(domain="xn--mnchen-3ya.de")),
        ("@exam", Criteria(words=(Word("@exam"),))),
        ("jane@exam", Criteria(words=(Word("jane@exam"),))),
        ("a@x.org, b@x.org", Criteria(words=(Word("a@x.org"), Word("b@x.org")))),
        ("  ÜBER\0us ", Criteria(words=(Word("uber"), Word("us")))),
        ("mailto:jane@x.org", Criteria(mailbox="jane@x.org")),
        ("<MAILTO:jane@x.org?subject=x>", Criteria(mailbox="jane@x.org")),
        ("a?b@x.org", Criteria(mailbox="a?b@x.org")),
        ("To: Doe, Jane <jane@X.org>", Criteria(mailbox="jane@x.org")),
        ("to:jane@x.org", Criteria(mailbox="jane@x.org")),
        ("[jane@x.org]", Criteria(mailbox="jane@x.org")),
        ("Re: beta", Criteria(words=(Word("re:"), Word("beta", ("beta-42",))))),
        ("<jane@x.org>,", Criteria(mailbox="jane@x.org")),
        ("„@x.org“", Criteria(domain="x.org")),
        ('Doe, Jane "Zoë" (QA)…', Criteria(words=tuple(map(Word, ("doe", "jane", "zoe", "qa"))))),
        ("O’Brien*", Criteria(words=(Word("o'brien"),))),
        ("Beta e", Criteria(words=(Word("beta", ("beta-42",)), Word("e", ("beta-42", "study-7"))))),
        ("\0", Criteria()),
        ("y " * 99, Criteria(words=(Word("y", ("study-7",)),) * 8)),
    ],
)
def test_what_is_typed_is_an_address_a_domain_or_words(typed: str, criteria: Criteria) -> None:
    assert replace(filtered(q=typed).criteria, since=0) == criteria


def test_a_whole_address_can_be_looked_for_in_parts_as_well() -> None:
    wanted = filtered(q="Jane@X.org", opportunity="beta-42", failed="yes")
    exact, in_parts = (replace(criteria, since=0) for criteria in (wanted.criteria, wanted.in_parts))
    assert exact == Criteria("jane@x.org", None, "beta-42", failed=True)
    assert in_parts == Criteria(None, None, "beta-42", (Word("jane@x.org"),), failed=True)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_day_far_away_is_taken_for_the_last_or_the_first(day: str) -> None:
    assert filtered(from_=day, to=day).errors == {}


@pytest.mark.parametrize(
    ("fields", "first", "beyond"),
    [
        ({"when": "today"}, "12-23T23:00", "12-24T23:00"),
        ({"when": "yesterday"}, "12-22T23:00", "12-23T23:00"),
        ({"when": "week"}, "12-17T23:00", "12-24T23:00"),
        ({"when": "month"}, "11-24T23:00", "12-24T23:00"),
        ({"when": "week", "from": "2031-12-20"}, "12-19T23:00", "12-24T23:00"),
        ({"when": "week", "from": "2031-12-01", "to": "2031-12-20"}, "12-17T23:00", "12-20T23:00"),
    ],
)
def test_a_period_is_counted_in_days_of_the_zone(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], first: str, beyond: str
) -> None:
    late = datetime.datetime(2031, 12, 23, 23, 30, tzinfo=datetime.UTC)  # the 24th in Berlin
    monkeypatch.setattr("flask_optout.email_log.records.now", lambda: late)
    criteria = Filter(fields, Times(ZoneInfo("Europe/Berlin")), {}).criteria
    bounds = [time_of(id).strftime("%m-%dT%H:%M") for id in (criteria.since, criteria.until)]
    assert bounds == [first, beyond]


def test_a_filter_writes_back_what_was_typed() -> None:
    wanted = filtered(q="a&b=c", from_="2031-12-24", to="", when="nonsense")
    assert wanted.query_string == "q=a%26b%3Dc&from=2031-12-24"
    assert wanted.without("from") == {"q": "a&b=c"}
    assert wanted.criteria.since == id_at(datetime.datetime(2031, 12, 24, tzinfo=datetime.UTC))
    assert filtered().query_string == ""
