"""The settings of the Email Log, checked at start-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from ..errors import ConfigurationError

LOG_DEFAULTS: dict[str, Any] = {"OPTOUT_LOG_DAYS": 90, "OPTOUT_TIMEZONE": "UTC", "OPTOUT_COUNT_FLOOR": (20, 5)}
#: No calendar reaches further back.
LONGEST = 36_500


def check_log_settings(config: Mapping[str, Any]) -> None:
    """Refuse settings that cannot work.

    :raises ConfigurationError: when one is wrong.
    """
    days, floor = config["OPTOUT_LOG_DAYS"], config["OPTOUT_COUNT_FLOOR"]
    if not (_is_count(days) and days <= LONGEST):
        raise ConfigurationError(
            "OPTOUT_LOG_DAYS is not a whole number of days, 1 or more.",
            "It says how long the Email Log keeps an invitation.",
            "Set it to such as 90.",
        )
    if floor is not None and not (isinstance(floor, tuple | list) and len(floor) == 2 and all(map(_is_count, floor))):
        raise ConfigurationError(
            "OPTOUT_COUNT_FLOOR is not a pair of whole numbers, 1 or more, nor None.",
            "It keeps a count of people who opted out from pointing at one of them.",
            "Set it to such as (20, 5): from 20 invited and 5 muted; or to None to show no such count.",
        )
    try:
        ZoneInfo(config["OPTOUT_TIMEZONE"])
    except (OSError, ValueError, TypeError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ConfigurationError(
            "OPTOUT_TIMEZONE is not the name of a time zone that this machine knows.",
            "The Email Log shows and filters times in it.",
            "Set it to such as 'Europe/Berlin' or 'UTC', and install tzdata where the system has no zones.",
        ) from None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
