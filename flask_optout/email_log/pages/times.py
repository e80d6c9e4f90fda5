"""Local dates and times of the Email Log, in the one zone that its pages name."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import current_app

from ..ids import now

MINUTE = datetime.timedelta(minutes=1)
FIRST, LAST = datetime.time(0, 0), datetime.time(23, 59)
#: Beyond these years a shift to another zone leaves the calendar.
EARLIEST, LATEST = datetime.date(1970, 1, 2), datetime.date(9998, 12, 31)


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

    def start(self, day: datetime.date, time: datetime.time | None) -> datetime.datetime:
        """The first moment, in UTC, at or after a minute of a day, or of the day."""
        local = datetime.datetime.combine(day, time or FIRST)
        while not (moments := self._moments(local)):  # the clock was put forward over it
            local += MINUTE
        return min(moments)

    def end(self, day: datetime.date, time: datetime.time | None) -> datetime.datetime:
        """The first moment, in UTC, after a minute of a day, or after the day: both are included whole."""
        local = datetime.datetime.combine(day, time or LAST)
        while not (moments := self._moments(local)):
            local -= MINUTE
        return max(moments) + MINUTE

    def _moments(self, local: datetime.datetime) -> list[datetime.datetime]:
        """When the wall clock shows this: once, twice where it was put back, never where it was put forward."""
        folds = (local.replace(tzinfo=self.zone, fold=fold).astimezone(datetime.UTC) for fold in (0, 1))
        return [moment for moment in folds if moment.astimezone(self.zone).replace(tzinfo=None) == local]
