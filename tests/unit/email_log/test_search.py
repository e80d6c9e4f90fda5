"""Invitations are found by index or by words, page by page, in bounded work; searches are saved under a name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flask_optout.choices.store import Store
from flask_optout.email_log import search as searching
from flask_optout.email_log.records import EmailLog
from flask_optout.email_log.search import PAGE, Criteria, SavedFilter, SavedFilters, Search, Word
from flask_optout.email_log.tables import time_of
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
    entries = search.page(criteria).entries
    assert [entry.id for entry in entries] == [ids[number] for number in found]
    assert search.total(criteria) == len(found)


def test_pages_follow_one_another(log: EmailLog, search: Search) -> None:
    ids = [record(log) for _ in range(PAGE + 2)]
    first = search.page(Criteria())
    second = search.page(Criteria(), first.older)
    assert [entry.id for page in (first, second) for entry in page.entries] == ids[::-1]
    assert (second.older, second.searched_to) == (None, None)


def test_words_are_looked_for_in_a_window(log: EmailLog, search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "WINDOW", 2)
    ids = [record(log, subject=subject) for subject in ("needle", "hay", "needle", "hay")]
    wanted = Criteria(words=(Word("needle"),))
    first = search.page(wanted)
    assert ([entry.id for entry in first.entries], first.searched_to) == ([ids[2]], time_of(ids[1]))
    assert [entry.id for entry in search.page(wanted, first.older).entries] == [ids[0]]
    assert search.total(wanted) == 1


def test_counting_ends_where_it_would_take_long(
    log: EmailLog, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "COUNTED", 2)
    for _ in range(4):
        record(log)
    assert search.total(Criteria()) == 3


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
    assert search.starting(column, prefix, limit) == values


def test_a_name_is_given_once(filters: SavedFilters) -> None:
    one, two = SavedFilter("One", "q=1"), SavedFilter("Two", "q=2")
    assert filters.save(one) and filters.save(two)
    assert not filters.save(SavedFilter("One", "q=3"))
    assert not filters.rename("Two", "One")
    assert filters.all() == [one, two]
    assert filters.rename("Two", "Two") and filters.rename("Two", "Three") and filters.rename("Gone", "Four")
    assert filters.all() == [one, SavedFilter("Three", "q=2")]
    filters.delete("Three")
    filters.delete("Gone")
    assert filters.all() == [one]


def test_of_two_that_take_a_name_at_once_one_gets_it(filters: SavedFilters) -> None:
    names = [f"Filter {number}" for number in range(6)]
    for name in names:
        filters.save(SavedFilter(name, "q=1"))
    with ThreadPoolExecutor(6) as pool:
        renamed = list(pool.map(lambda name: filters.rename(name, "Mine"), names))
    assert sorted(renamed) == [False] * 5 + [True] and len(filters.all()) == 6
