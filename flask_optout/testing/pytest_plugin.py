"""What ``flask_optout.testing`` offers, as pytest fixtures for a host with a fixture named ``app``.

pytest imports this module in every run, so it imports the rest only when a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

    from ..testing import Candidate
    from ..testing.scanners import Finding


@pytest.fixture
def optout_client(app: Flask) -> Iterator[Candidate]:
    """A candidate: ``open``, ``mute`` and ``undo`` take a link. The app's clock is reset after the test."""
    from ..testing import Candidate

    state = app.extensions["optout"]
    clock = state.clock
    yield Candidate(app)
    state.clock = clock


@pytest.fixture
def optout_scanner_visits() -> Callable[[FlaskClient, str], list[Finding]]:
    """``flask_optout.testing.scanner_visits``, without a context, so that each request of a scanner has its own."""
    from ..testing import scanner_visits

    return scanner_visits


def _fixture(name: str) -> Any:
    def fixture(app: Flask) -> Callable[..., Any]:
        from .. import testing

        function = getattr(testing, name)

        @wraps(function)
        def in_context(*args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return function(*args, **kwargs)

        return in_context

    fixture.__doc__ = f"``optout_{name}(...)`` is ``flask_optout.testing.{name}`` for this app."
    return pytest.fixture(fixture, name=f"optout_{name}")


optout_mute: Any = _fixture("mute")
optout_assert_not_sent: Any = _fixture("assert_not_sent")
optout_assert_sent_with_link: Any = _fixture("assert_sent_with_link")
optout_broken_store: Any = _fixture("broken_store")
optout_forget_data_key: Any = _fixture("forget_data_key")
