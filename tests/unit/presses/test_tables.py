"""The tables of presses hold no address, no opportunity, and no time that outlives the hour."""

from __future__ import annotations

import sqlalchemy as sa

from flask_optout.presses.tables import PressTables

TABLES = PressTables(sa.MetaData())


def test_recent_presses_stand_in_one_row_a_link_with_when_it_expires() -> None:
    assert TABLES.recent.columns.keys() == ["scope", "digest", "version", "expires", "salt", "presses"]
    assert TABLES.recent.primary_key.columns.keys() == ["scope", "digest"]
    assert {tuple(index.columns.keys()) for index in TABLES.recent.indexes} == {("expires",)}


def test_an_alarm_holds_two_pseudonyms_and_a_day_and_no_order() -> None:
    assert TABLES.alarm.columns.keys() == ["domain", "day", "person"]
    assert TABLES.alarm.primary_key.columns.keys() == ["domain", "day", "person"]
    assert TABLES.alarm.dialect_options["sqlite"]["with_rowid"] is False
