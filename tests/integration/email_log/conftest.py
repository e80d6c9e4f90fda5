"""Fixtures: the tables of an Email Log in each kind of database, and what is written to them in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flask_optout.choices.store import Store
from flask_optout.email_log.records import EmailLog
from tests.support.databases import Database
from tests.support.email_log import in_order, store_at


@pytest.fixture(autouse=True)
def everything_is_read(minutes_over: None) -> None:
    """Operators read what was just written."""


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with store_at(database.url) as store:
        yield store


@pytest.fixture
def log(store: Store, monkeypatch: pytest.MonkeyPatch) -> EmailLog:
    return in_order(store, monkeypatch)
