"""Dates and times of the Email Log's filter: inclusive, in one named zone, right on the days that clocks change."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from flask_optout.email_log.ids import LARGEST_ID, id_at
from flask_optout.email_log.pages.filters import FilterForm
from flask_optout.email_log.pages.times import Times
from flask_optout.email_log.search import Criteria


def bounds(zone: str, **fields: str) -> tuple[str, str]:
    """The first moment in, and the first one out, in UTC."""
    times = Times(ZoneInfo(zone))

    def moment(name: str) -> datetime.datetime:
        time = fields.get(f"{name}_time")
        arguments = datetime.date.fromisoformat(fields[name]), datetime.time.fromisoformat(time) if time else None
        return times.start(*arguments) if name == "from_" else times.end(*arguments)

    return tuple(moment(name).strftime("%m-%dT%H:%M") for name in ("from_", "to"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("zone", "fields", "first", "beyond"),
    [
        ("UTC", {"from_": "2031-12-24", "to": "2031-12-24"}, "12-24T00:00", "12-25T00:00"),
        (
            "UTC",
            {"from_": "2031-12-24", "from__time": "18:30", "to": "2031-12-24", "to_time": "18:30"},
            "12-24T18:30",
            "12-24T18:31",
        ),
        ("Europe/Berlin", {"from_": "2031-12-24", "to": "2031-12-24"}, "12-23T23:00", "12-24T23:00"),
        ("Pacific/Kiritimati", {"from_": "2031-12-24", "to": "2031-12-24"}, "12-23T10:00", "12-24T10:00"),
        ("Pacific/Pago_Pago", {"from_": "2031-12-24", "to": "2031-12-24"}, "12-24T11:00", "12-25T11:00"),
        # Put forward: the day has 23 hours, and an hour that is not there ends where the clock goes on.
        ("Europe/Berlin", {"from_": "2025-03-30", "to": "2025-03-30"}, "03-29T23:00", "03-30T22:00"),
        (
            "Europe/Berlin",
            {"from_": "2025-03-30", "from__time": "02:15", "to": "2025-03-30", "to_time": "02:45"},
            "03-30T01:00",
            "03-30T01:00",
        ),
        # Put back: the day has 25 hours, and the hour that comes twice is included twice.
        ("Europe/Berlin", {"from_": "2025-10-26", "to": "2025-10-26"}, "10-25T22:00", "10-26T23:00"),
        (
            "Europe/Berlin",
            {"from_": "2025-10-26", "from__time": "02:30", "to": "2025-10-26", "to_time": "02:30"},
            "10-26T00:30",
            "10-26T01:31",
        ),
        # Midnight itself is not there, or comes twice.
        ("America/Havana", {"from_": "2025-03-09", "to": "2025-03-09"}, "03-09T05:00", "03-10T04:00"),
        ("America/Havana", {"from_": "2025-11-02", "to": "2025-11-02"}, "11-02T04:00", "11-03T05:00"),
        # A whole day was skipped.
        ("Pacific/Apia", {"from_": "2011-12-30", "to": "2011-12-30"}, "12-30T10:00", "12-30T10:00"),
    ],
)
def test_days_and_minutes_are_included_whole(zone: str, fields: dict[str, str], first: str, beyond: str) -> None:
    assert bounds(zone, **fields) == (first, beyond)


@pytest.fixture
def app_context() -> Iterator[None]:
    with Flask("texts").app_context():
        yield


def filtered(**values: str) -> FilterForm:
    return FilterForm({name.removesuffix("_"): value for name, value in values.items()}, Times(ZoneInfo("UTC")))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"from_": "2031-12-25", "to": "2031-12-24"}, "to"),
        ({"from_": "2031-12-24", "from_time": "12:01", "to": "2031-12-24", "to_time": "12:00"}, "to"),
        ({"from_": "9999-12-31"}, "from"),
        ({"to": "9999-12-31"}, "to"),
        ({"from_": "0001-01-01"}, "from"),
        ({"from_": "2031-02-30"}, "from"),
        ({"from_": "yesterday"}, "from"),
        ({"from_": "2031-12-24", "from_time": "25:00"}, "from"),
        ({"from_": "2031-12-24", "from_time": "18:30+02:00"}, "from"),
        ({"from_time": "12:00"}, "from"),
        ({"recipient": "jane"}, "recipient"),
        ({"recipient": "%"}, "recipient"),
        ({"recipient": "a@x.org, b@x.org"}, "recipient"),
        ({"recipient": "jane\0@x.org"}, "recipient"),
        ({"opportunity": "o" * 129}, "opportunity"),
        ({"opportunity": "a\0b"}, "opportunity"),
    ],
)
@pytest.mark.usefixtures("app_context")
def test_what_cannot_be_meant_is_said_at_its_field(values: dict[str, str], field: str) -> None:
    assert list(filtered(**values).errors) == [field]


def test_a_filter_reads_every_spelling_of_an_address_and_words_in_any_case() -> None:
    wanted = filtered(recipient=" Jane <JANE@X.org> ", subject="  ÜBER  us ", opportunity="beta-42")
    assert wanted.errors == {}
    assert wanted.criteria == Criteria("jane@x.org", "beta-42", ("über", "us"), 0, LARGEST_ID)


def test_a_filter_writes_back_what_was_typed() -> None:
    wanted = filtered(recipient="jane@x.org", from_="2031-12-24", to="", subject="a&b=c")
    assert wanted.query_string == "recipient=jane%40x.org&subject=a%26b%3Dc&from=2031-12-24"
    assert wanted.criteria.since == id_at(datetime.datetime(2031, 12, 24, tzinfo=datetime.UTC))
    assert filtered().query_string == ""
