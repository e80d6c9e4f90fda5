"""Counts by opportunity: how many were invited and opted out, so coarse that no number points at anybody."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from flask import abort, current_app, request

from ...wiring import current_state
from ..log_store import now
from .base import blueprint, page

#: Opportunities on one page.
PAGE = 20


class Count(NamedTuple):
    """``muted`` is a lower bound, or ``None`` where it would tell too much."""

    opportunity: str
    invited: int
    muted: int | None


@blueprint.get("/counts")
def counts() -> str:
    """Count by opportunity; what was said this week is counted from next week on."""
    floor = current_app.config["OPTOUT_COUNT_FLOOR"]
    if floor is None:
        abort(404)
    state = current_state()
    names = state.email_log.opportunities(PAGE + 1, request.args.get("after", "").replace("\0", ""))
    week = _this_week()
    rows = []
    for name in names[:PAGE]:
        invited = state.email_log.invited(name)
        rows.append(Count(name, invited, coarse(invited, state.choices.muted_before(name, week), *floor)))
    return page(
        "counts.html", rows=rows, week=week, floor=floor, after=names[PAGE - 1] if len(names) > PAGE else None
    )


def coarse(invited: int, muted: int, fewest_invited: int, step: int) -> int | None:
    """A count rounded down to steps, where a crowd hides those who opted out, and another one the others.

    Nothing here depends on more than the rounded count: an operator can move ``invited`` one by one.
    """
    shown = muted // step * step
    most = shown + step - 1
    return shown if shown and invited >= fewest_invited and invited - most >= step else None


def _this_week() -> datetime.date:
    today = now().date()
    return today - datetime.timedelta(days=today.weekday())
