"""An id is made of a minute, and tells no more; nothing in the tables is finer or says who opted out."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from flask_optout import StoreUnavailable
from flask_optout.choices.store import Store
from flask_optout.email_log import tables as log_tables
from flask_optout.email_log.tables import EPOCH, LARGEST_ID, PER_MINUTE, LogPart, Times, id_at, new_id, now, time_of
from tests.support.email_log import TABLES


def whole(moment: datetime.datetime) -> datetime.datetime:
    """The minute of a moment."""
    return moment.replace(second=0, microsecond=0)


@given(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.just(datetime.UTC)))
def test_ids_and_moments_are_the_same_thing(moment: datetime.datetime) -> None:
    assert time_of(id_at(moment)) == time_of(id_at(moment) + PER_MINUTE - 1) == whole(moment)
    assert id_at(moment) < LARGEST_ID


def test_an_id_fits_its_column_for_ever() -> None:
    assert id_at(EPOCH) == 0
    assert id_at(datetime.datetime.max.replace(tzinfo=datetime.UTC)) == LARGEST_ID < 2**63


def test_ids_of_one_minute_have_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    monkeypatch.setattr(log_tables, "now", lambda: moment)
    ids = [new_id() for _ in range(50)]
    assert ids != sorted(ids) and len({*ids}) == 50 and {time_of(id) for id in ids} == {whole(moment)}


def test_the_tables_hold_what_the_manual_says_and_no_more() -> None:
    columns = {table.name: {column.name for column in table.columns} for table in TABLES.all()}
    assert columns == {
        "optout_email_log": {
            *("id", "opportunity", "recipient", "mailbox", "subject", "message_id", "failure", "name", "domain"),
            *("words", "attachments", "headers", "text", "html"),
        },
        "optout_saved_filter": {"name", "query"},
        "optout_resend": {"opportunity", "mailbox", "number", "moment", "operator", "failure"},
        "optout_asked": {"day", "slot", "number"},
    }


def test_a_part_reads_writes_and_says_when_it_cannot(store: Store) -> None:
    part, filters = LogPart(store, TABLES), TABLES.saved_filter
    part.change(filters.insert().values(name="One", query="q=1"))
    assert part.rows(sa.select(filters.c.query)) == [("q=1",)]
    engine = sa.create_engine("sqlite://")
    with pytest.raises(StoreUnavailable):
        LogPart(Store(lambda: engine, lambda: None), TABLES).rows(sa.select(filters))
    engine.dispose()


def test_a_moment_is_shown_by_the_wall_clock_to_the_minute() -> None:
    moment = datetime.datetime(2031, 12, 23, 23, 30, 59, tzinfo=datetime.UTC)
    assert Times(ZoneInfo("Europe/Berlin")).text(moment) == "2031-12-24 00:30"
