"""Fixtures: the tables of an Email Log in each kind of database, and what is written to them in order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
import sqlalchemy as sa

from flask_optout.choices.store import Store
from flask_optout.email_log import records
from flask_optout.email_log.records import EmailLog
from flask_optout.email_log.tables import id_at, now
from tests.support.databases import Database
from tests.support.email_log import TABLES


@pytest.fixture(autouse=True)
def everything_is_read(minutes_over: None) -> None:
    """Operators read what was just written."""


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    engine = sa.create_engine(database.url)
    for table in TABLES.all():
        table.create(engine)
    yield Store(lambda: engine, lambda: None)
    engine.dispose()


@pytest.fixture
def log(store: Store, monkeypatch: pytest.MonkeyPatch) -> EmailLog:
    """Rows of one minute have no order; those of these tests have the one in which they were written."""
    numbers = count()
    monkeypatch.setattr(records, "new_id", lambda: id_at(now()) + next(numbers))
    return EmailLog(store, TABLES)
