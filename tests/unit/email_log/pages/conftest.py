"""Fixtures: a host whose operators show a header, and the client of one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import request
from flask.testing import FlaskClient

from tests.conftest import MakeHost
from tests.support.email_log import operator_of
from tests.support.hosts import Host


@pytest.fixture
def host(make: MakeHost) -> Iterator[Host]:
    host = make(operator=lambda: request.headers.get("X-Operator"), MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return operator_of(host)
