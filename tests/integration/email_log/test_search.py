"""Searching the Email Log: every filter alone and together, at any depth, and in bounded work that says how far."""

from __future__ import annotations

from typing import Any

import pytest

from flask_optout.addresses import Recipient
from flask_optout.choices.store import Store
from flask_optout.email_log import search as searching
from flask_optout.email_log.records import EmailLog, time_of
from flask_optout.email_log.search import PAGE, Criteria, Search, Word
from tests.support.email_log import TABLES, record


@pytest.fixture
def search(store: Store) -> Search:
    return Search(store, TABLES)


def words(*texts: str) -> dict[str, Any]:
    return {"words": tuple(map(Word, texts))}


def test_filters_narrow_alone_and_together(log: EmailLog, search: Search) -> None:
    rows: list[tuple[Recipient, str, str]] = [
        (("Jane Doe", "jane@x.org"), "beta-42", "Join us, Jane"),
        ("jane@x.org", "study-7", "Sleep well"),
        ("josé@sub.x.org", "beta-42", "ÄRGER und FREUDE"),
        (("José", "jose@x.org.uk"), "Beta-42", "100% of_it \\ yours"),
    ]
    ids = [record(log, to, opportunity, subject=subject) for to, opportunity, subject in rows]
    log.record_failure(ids[1], ConnectionRefusedError())
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [0, 1, 2, 3]),
        ({"mailbox": "jane@x.org"}, [0, 1]),
        ({"mailbox": "jane@x"}, []),
        ({"mailbox": "%"}, []),
        ({"domain": "x.org"}, [0, 1]),
        ({"domain": "x.org", "opportunity": "study-7"}, [1]),
        ({"opportunity": "beta-42"}, [0, 2]),
        ({"mailbox": "jane@x.org", "opportunity": "beta-42"}, [0]),
        (words("us", "jane"), [0]),
        (words("doe"), [0]),
        (words("ane@x"), [0, 1]),
        (words("@x.org"), [0, 1, 3]),
        (words("jose"), [2, 3]),
        (words("arger"), [2]),
        (words("study"), [1]),
        (words("100%", "of_it", "\\"), [3]),
        (words("%"), [3]),
        (words("_"), [3]),
        (words("\\"), [3]),
        (words("*"), []),
        (words("' or 1=1"), []),
        ({"words": (Word("sleep study", ("study-7", "gone")),)}, [1]),
        ({"words": (Word("jane"), Word("sleep study", ("study-7",)))}, [1]),
        ({"failed": True}, [1]),
        ({"failed": True, "opportunity": "beta-42"}, []),
        ({"since": ids[1]}, [1, 2, 3]),
        ({"until": ids[1]}, [0]),
        ({"since": ids[1], "until": ids[3], **words("e")}, [1, 2]),
    ]
    for wanted, expected in cases:
        found = [entry.id for entry in search.find(Criteria(**wanted)).entries]
        assert found == [ids[i] for i in reversed(expected)], wanted
        assert search.count(Criteria(**wanted)) == len(expected), wanted


def test_pages_stay_as_they_are_while_rows_arrive(log: EmailLog, search: Search) -> None:
    ids = [record(log, f"p{i}@x.org") for i in range(2 * PAGE + 3)]
    first = search.find(Criteria())
    record(log)
    second = search.find(Criteria(), first.older)
    record(log)
    third = search.find(Criteria(), second.older)
    assert [entry.id for page in (first, second, third) for entry in page.entries] == ids[::-1]
    assert third.older is None
    assert len(first.entries) == len(second.entries) == PAGE


@pytest.mark.parametrize("wanted", [Criteria(words=(Word("needle"),)), Criteria(failed=True)])
def test_what_has_no_index_is_looked_for_in_a_window_that_says_how_far_it_reached(
    log: EmailLog, search: Search, monkeypatch: pytest.MonkeyPatch, wanted: Criteria
) -> None:
    monkeypatch.setattr(searching, "WINDOW", 5)
    ids = [record(log, subject="needle" if i in (0, 7) else "hay") for i in range(9)]
    for id in (ids[0], ids[7]):
        log.record_failure(id, ConnectionRefusedError())
    first = search.find(wanted)
    assert [entry.id for entry in first.entries] == [ids[7]]
    assert (first.older, first.searched_to, search.count(wanted)) == (ids[3] + 1, time_of(ids[3]), 1)
    second = search.find(wanted, first.older)
    assert [entry.id for entry in second.entries] == [ids[0]]
    assert (second.older, second.searched_to) == (None, None)


def test_a_window_counts_only_what_the_other_filters_leave(
    log: EmailLog, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "WINDOW", 2)
    id = record(log, opportunity="study-7", subject="needle")
    for _ in range(5):
        record(log)
    for more in (words("needle"), {"domain": "example.org"}, {}):
        found = search.find(Criteria(opportunity="study-7", **more))
        assert ([entry.id for entry in found.entries], found.searched_to) == ([id], None)
    assert search.find(Criteria(opportunity="beta-42", domain="x.org")).searched_to is not None
    assert search.find(Criteria(domain="x.org")).searched_to is None


def test_counting_ends_where_it_would_take_long(
    log: EmailLog, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "COUNTED", 3)
    for _ in range(6):
        record(log)
    assert search.count(Criteria()) == 4


def test_values_of_a_column_are_listed_once_each_by_their_beginning(log: EmailLog, search: Search) -> None:
    assert search.find_starting("opportunity", "", 5) == []
    for to in ("ja.ne@x.org", "jane@y.org", "Jan@x.org", "jb@x.org", "j@x.org", "ja-x@xy.org", "jaß@z.org"):
        for opportunity in ("c", "a", "b"):
            record(log, to, opportunity)
    assert search.find_starting("opportunity", "", 5) == ["a", "b", "c"]
    assert search.find_starting("opportunity", "", 2) == ["a", "b"]
    begin_with_ja = ["ja-x@xy.org", "ja.ne@x.org", "jan@x.org", "jane@y.org", "jaß@z.org"]
    assert search.find_starting("mailbox", "ja", 9) == begin_with_ja
    assert search.find_starting("mailbox", "jan", 9) == ["jan@x.org", "jane@y.org"]
    assert search.find_starting("mailbox", "%", 9) == []
    assert search.find_starting("domain", "x", 9) == ["x.org", "xy.org"]
