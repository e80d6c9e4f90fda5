"""A filter of the Email Log as it stands in the URL: read, checked, and written back. Days are those of one zone."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import current_app

from ...addresses import parse
from ...errors import AddressError, OpportunityError
from ...links.tokens import checked_opportunity
from ...pages.words import translate
from ..records import folded
from ..search import Criteria, Word
from ..tables import LARGEST_ID, id_at, now

FIELDS = ("q", "opportunity", "when", "from", "to", "failed")
#: First and last day of a period, counted back from today.
PERIODS = {"today": (0, 0), "yesterday": (1, 1), "week": (6, 0)}
#: No subject is longer (RFC 5322 section 2.1.1).
LONGEST_FIELD = 998
#: More words narrow no further.
MOST_WORDS = 8
#: Beyond these years a shift to another zone leaves the calendar.
EARLIEST, LATEST = datetime.date(1970, 1, 2), datetime.date(9998, 12, 31)
#: What stands around a word where it was copied from.
AROUND = ",;\"'\u201c\u201d\u201e\u2018\u2019*\u2026<>()"
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Times:
    """One zone's wall clock."""

    zone: ZoneInfo

    @classmethod
    def of_app(cls) -> Times:
        """The zone that the setting names."""
        return cls(ZoneInfo(current_app.config["OPTOUT_TIMEZONE"]))

    def text(self, moment: datetime.datetime) -> str:
        """A moment as the wall clock shows it, to the minute."""
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")

    def today(self) -> datetime.date:
        return now().astimezone(self.zone).date()

    def start(self, day: datetime.date) -> datetime.datetime:
        """The first moment of a day, in UTC; also of one on which the clock is put forward over midnight."""
        return datetime.datetime.combine(day, datetime.time(), self.zone).astimezone(datetime.UTC)


class FilterForm:
    """What an operator looks for.

    ``values`` are the fields as they were typed, ``errors`` says for a field what is wrong with it. ``criteria``
    takes what was typed for a whole address or domain where it can be one, and ``in_parts`` for words; both are
    meaningful only without errors. ``titled`` are the opportunities whose title or id has all the words.

    :param titles: what the host calls its opportunities, by their ids.
    """

    def __init__(self, values: Mapping[str, str], times: Times, titles: Mapping[str, str]) -> None:
        self.values: dict[str, str] = {name: values.get(name, "").strip()[:LONGEST_FIELD] for name in FIELDS}
        if self.values["when"] not in PERIODS:
            self.values["when"] = ""
        self.titles: Mapping[str, str] = titles
        self.errors: dict[str, str] = {}
        typed = "".join(each if each.isprintable() else " " for each in self.values["q"])
        typed = " ".join(typed.split())
        bare = [bare for word in typed.split(" ") if (bare := word.removeprefix("mailto:").strip(AROUND))]
        words = [folded(word) for word in bare][:MOST_WORDS]
        since, until = self._ids(times)
        known = {id: folded(title) for id, title in titles.items()}
        self.in_parts: Criteria = Criteria(
            opportunity=self._opportunity(),
            words=tuple(Word(word, tuple(id for id in known if word in known[id])) for word in words),
            failed=bool(self.values["failed"]),
            since=since,
            until=until,
        )
        self.criteria: Criteria = _exact((typed, " ".join(bare)), self.in_parts)
        self.titled: list[str] = [
            id for id in titles if words and all(word in f"{folded(id)} {known[id]}" for word in words)
        ]

    @property
    def query(self) -> dict[str, str]:
        """The fields that narrow, as URL parameters."""
        return {name: value for name, value in self.values.items() if value}

    @property
    def query_string(self) -> str:
        return urlencode(self.query)

    def without(self, *names: str) -> dict[str, str]:
        """The URL parameters but for some."""
        return {name: value for name, value in self.query.items() if name not in names}

    def _opportunity(self) -> str | None:
        typed = self.values["opportunity"]
        try:
            return checked_opportunity(typed) if typed else None
        except OpportunityError:
            self.errors["opportunity"] = translate("No opportunity can have this name.")
            return None

    def _ids(self, times: Times) -> tuple[int, int]:
        """The first id in, and the first one out, of the period and of the days from the first to the last."""
        first, last = self._day("from"), self._day("to")
        if first is not None and last is not None and last < first:
            self.errors["to"] = translate("The end is before the start.")
        since = id_at(times.start(first)) if first else 0
        until = id_at(times.start(last + DAY)) if last else LARGEST_ID
        if self.values["when"] in PERIODS:
            first, last = (times.today() - days * DAY for days in PERIODS[self.values["when"]])
            since, until = max(since, id_at(times.start(first))), min(until, id_at(times.start(last + DAY)))
        return since, until

    def _day(self, name: str) -> datetime.date | None:
        if not self.values[name]:
            return None
        with suppress(ValueError):
            return min(max(datetime.date.fromisoformat(self.values[name]), EARLIEST), LATEST)
        self.errors[name] = translate("This is not a date, such as 2031-12-24.")
        return None


def _exact(spellings: Iterable[str], in_parts: Criteria) -> Criteria:
    """By the whole address, or the domain behind an ``@``, where that was typed: both have an index."""
    for typed in spellings:
        with suppress(AddressError):
            if typed.startswith("@"):
                return replace(in_parts, domain=parse(f"anybody{typed}").domain, words=())
            return replace(in_parts, mailbox=parse(typed).canonical, words=())
    return in_parts
