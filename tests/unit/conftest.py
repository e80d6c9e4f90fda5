"""A host of unit tests: no server, and its mails go nowhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import MakeHost
from tests.support.hosts import Host


@pytest.fixture
def host(make: MakeHost) -> Iterator[Host]:
    """A host app with its context pushed."""
    host = make(MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        yield host
