"""A filter of the Email Log as it stands in the URL: read, checked, and written back."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlencode

from ...addresses import parse
from ...errors import AddressError, OpportunityError
from ...links.tokens import checked_opportunity
from ...pages.languages import translate
from ..ids import LARGEST_ID, id_at
from ..search import Criteria, Word
from .times import EARLIEST, LATEST, Times

FIELDS = ("q", "opportunity", "when", "from", "from_time", "to", "to_time", "failed")
#: First and last day of a period, counted back from today.
PERIODS = {"today": (0, 0), "yesterday": (1, 1), "week": (6, 0)}
#: No subject is longer (RFC 5322 section 2.1.1).
LONGEST_FIELD = 998
#: More words narrow no further.
MOST_WORDS = 8


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
        words = typed.casefold().split()[:MOST_WORDS]
        since, until = self._ids(times)
        folded = {id: title.casefold() for id, title in titles.items()}
        self.in_parts: Criteria = Criteria(
            opportunity=self._opportunity(),
            words=tuple(Word(word, tuple(id for id in folded if word in folded[id])) for word in words),
            failed=bool(self.values["failed"]),
            since=since,
            until=until,
        )
        self.criteria: Criteria = _exact(typed.strip(), self.in_parts)
        self.titled: list[str] = [
            id for id in titles if words and all(word in f"{id.casefold()} {folded[id]}" for word in words)
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
        """The first id in, and the first one out, of the period and of what is between the two ends."""
        start, end = self._bound("from", times), self._bound("to", times)
        if start is not None and end is not None and end <= start:
            self.errors["to"] = translate("The end is before the start.")
        since, until = id_at(start) if start else 0, id_at(end) if end else LARGEST_ID
        if self.values["when"] in PERIODS:
            first, last = (times.today() - datetime.timedelta(days) for days in PERIODS[self.values["when"]])
            since, until = max(since, id_at(times.start(first, None))), min(until, id_at(times.end(last, None)))
        return since, until

    def _bound(self, name: str, times: Times) -> datetime.datetime | None:
        day, time = self.values[name], self.values[f"{name}_time"]
        if not day:
            if time:
                self.errors[name] = translate("A time needs its date.")
            return None
        try:
            date = datetime.date.fromisoformat(day)
            if not EARLIEST <= date <= LATEST:
                raise ValueError
            minute = datetime.time.fromisoformat(time).replace(second=0, microsecond=0) if time else None
            if minute is not None and minute.tzinfo is not None:
                raise ValueError
        except ValueError:
            self.errors[name] = translate("This is not a date or time, such as 2031-12-24 and 18:30.")
            return None
        return times.start(date, minute) if name == "from" else times.end(date, minute)


def _exact(typed: str, in_parts: Criteria) -> Criteria:
    """By the whole address, or the domain behind an ``@``, where that was typed: both have an index."""
    with suppress(AddressError):
        if typed.startswith("@"):
            return replace(in_parts, domain=parse(f"anybody{typed}").canonical.rpartition("@")[2], words=())
        return replace(in_parts, mailbox=parse(typed).canonical, words=())
    return in_parts
