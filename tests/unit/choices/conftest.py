"""A fixture: an engine that a host and our store share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.host_engines import Shared, engine_of


@pytest.fixture
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    name = getattr(request, "param", "a file")
    shared = Shared(name, engine_of(name, tmp_path))
    yield shared
    shared.session.close()
    shared.engine.dispose()
