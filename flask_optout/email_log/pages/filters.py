"""A filter of the Email Log as it stands in the URL: read, checked, and written back."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from urllib.parse import urlencode

from ...addresses import parse
from ...errors import AddressError, OpportunityError
from ...links.tokens import checked_opportunity
from ...pages.languages import translate
from ..ids import LARGEST_ID, id_at
from ..records import Criteria
from .times import EARLIEST, LATEST, Times

FIELDS = ("recipient", "opportunity", "subject", "from", "from_time", "to", "to_time")
#: No subject is longer (RFC 5322 section 2.1.1).
LONGEST_FIELD = 998


class FilterForm:
    """What an operator looks for.

    ``values`` are the fields as they were typed, ``errors`` says for a field what is wrong with it; ``criteria`` is
    meaningful only without errors.
    """

    def __init__(self, values: Mapping[str, str], times: Times) -> None:
        self.values: dict[str, str] = {name: values.get(name, "").strip()[:LONGEST_FIELD] for name in FIELDS}
        self.errors: dict[str, str] = {}
        since, until = self._bound("from", times), self._bound("to", times)
        if since is not None and until is not None and until <= since:
            self.errors["to"] = translate("The end is before the start.")
        self.criteria: Criteria = Criteria(
            mailbox=self._mailbox(),
            opportunity=self._opportunity(),
            words=tuple(self.values["subject"].casefold().split()),
            since=0 if since is None else id_at(since),
            until=LARGEST_ID if until is None else id_at(until),
        )

    @property
    def query(self) -> dict[str, str]:
        """The fields that narrow, as URL parameters."""
        return {name: value for name, value in self.values.items() if value}

    @property
    def query_string(self) -> str:
        return urlencode(self.query)

    def _mailbox(self) -> str | None:
        typed = self.values["recipient"]
        try:
            return parse(typed).canonical if typed else None
        except AddressError:
            self.errors["recipient"] = translate("This is not a whole email address, such as jane@example.org.")
            return None

    def _opportunity(self) -> str | None:
        typed = self.values["opportunity"]
        try:
            return checked_opportunity(typed) if typed else None
        except OpportunityError:
            self.errors["opportunity"] = translate("No opportunity can have this name.")
            return None

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
