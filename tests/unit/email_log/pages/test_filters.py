"""A filter of the Email Log: what is typed, and days, inclusive, in one named zone, also where clocks change."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from flask_optout.email_log.pages.filters import FilterForm, Times
from flask_optout.email_log.search import Criteria, Word
from flask_optout.email_log.tables import id_at, time_of


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
    criteria = FilterForm({"from": day, "to": day}, Times(ZoneInfo(zone)), {}).criteria
    assert [time_of(id).strftime("%m-%dT%H:%M") for id in (criteria.since, criteria.until)] == [first, beyond]


@pytest.fixture
def app_context() -> Iterator[None]:
    with Flask("texts").app_context():
        yield


TITLES = {"beta-42": "Pixel Beta", "study-7": "Sleep Study"}


def filtered(**values: str) -> FilterForm:
    return FilterForm(
        {name.removesuffix("_"): value for name, value in values.items()}, Times(ZoneInfo("UTC")), TITLES
    )


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
@pytest.mark.usefixtures("app_context")
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
    assert filtered(q=typed).criteria == criteria


def test_a_whole_address_can_be_looked_for_in_parts_as_well() -> None:
    wanted = filtered(q="Jane@X.org", opportunity="beta-42", failed="yes")
    assert wanted.criteria == Criteria("jane@x.org", None, "beta-42", failed=True)
    assert wanted.in_parts == Criteria(None, None, "beta-42", (Word("jane@x.org"),), failed=True)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
@pytest.mark.usefixtures("app_context")
def test_a_day_far_away_is_taken_for_the_last_or_the_first(day: str) -> None:
    assert filtered(from_=day, to=day).errors == {}


@pytest.mark.parametrize(
    ("typed", "titled"),
    [("pixel", ["beta-42"]), ("STUDY", ["study-7"]), ("beta 42", ["beta-42"]), ("pixel sleep", []), ("", [])],
)
def test_opportunities_are_known_by_their_titles_and_ids(typed: str, titled: list[str]) -> None:
    assert filtered(q=typed).titled == titled


@pytest.mark.parametrize(
    ("fields", "first", "beyond"),
    [
        ({"when": "today"}, "12-23T23:00", "12-24T23:00"),
        ({"when": "yesterday"}, "12-22T23:00", "12-23T23:00"),
        ({"when": "week"}, "12-17T23:00", "12-24T23:00"),
        ({"when": "week", "from": "2031-12-20"}, "12-19T23:00", "12-24T23:00"),
        ({"when": "week", "from": "2031-12-01", "to": "2031-12-20"}, "12-17T23:00", "12-20T23:00"),
    ],
)
def test_a_period_is_counted_in_days_of_the_zone(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], first: str, beyond: str
) -> None:
    late = datetime.datetime(2031, 12, 23, 23, 30, tzinfo=datetime.UTC)  # the 24th in Berlin
    monkeypatch.setattr("flask_optout.email_log.pages.filters.now", lambda: late)
    criteria = FilterForm(fields, Times(ZoneInfo("Europe/Berlin")), {}).criteria
    bounds = [time_of(id).strftime("%m-%dT%H:%M") for id in (criteria.since, criteria.until)]
    assert bounds == [first, beyond]


def test_a_moment_is_shown_by_the_wall_clock_to_the_minute() -> None:
    moment = datetime.datetime(2031, 12, 23, 23, 30, 59, tzinfo=datetime.UTC)
    assert Times(ZoneInfo("Europe/Berlin")).text(moment) == "2031-12-24 00:30"


def test_a_filter_writes_back_what_was_typed() -> None:
    wanted = filtered(q="a&b=c", from_="2031-12-24", to="", when="nonsense")
    assert wanted.query_string == "q=a%26b%3Dc&from=2031-12-24"
    assert wanted.without("from") == {"q": "a&b=c"}
    assert wanted.criteria.since == id_at(datetime.datetime(2031, 12, 24, tzinfo=datetime.UTC))
    assert filtered().query_string == ""
