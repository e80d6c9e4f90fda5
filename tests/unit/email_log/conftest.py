"""Fixtures: the tables of an Email Log in SQLite, what is written to them in order, and a host with its operator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import request
from flask.testing import FlaskClient

from flask_optout.choices.store import Store
from flask_optout.email_log.records import EmailLog
from tests.conftest import MakeHost
from tests.support.email_log import in_order, operator_of, store_at
from tests.support.hosts import Host


@pytest.fixture(autouse=True)
def everything_is_read(minutes_over: None) -> None:
    """Operators read what was just written."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with store_at(f"sqlite:///{tmp_path / 'log.db'}") as store:
        yield store


@pytest.fixture
def log(store: Store, monkeypatch: pytest.MonkeyPatch) -> EmailLog:
    return in_order(store, monkeypatch)


@pytest.fixture
def host(make: MakeHost) -> Iterator[Host]:
    host = make(operator=lambda: request.headers.get("X-Operator"), MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return operator_of(host)
