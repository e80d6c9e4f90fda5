"""Fixtures: a served host whose every page is there in every state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hosts import Mailbox, smtp_server
from tests.support.stage import Stage, stage


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """What ``tests/support/page_states.py`` leads through."""
    with smtp_server(Mailbox) as smtp, stage(tmp_path_factory.mktemp("stage"), smtp) as made:
        yield made


@pytest.fixture
def pushed(ready: Stage) -> Iterator[None]:
    """Its app's context."""
    with ready.host.app.app_context():
        yield
