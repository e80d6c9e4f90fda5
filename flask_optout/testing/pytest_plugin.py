"""What ``flask_optout.testing`` offers, as pytest fixtures for a host that has a fixture named ``app``.

pytest loads this module in every run, so it loads the rest only when a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import pytest

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient

    from ..addresses import Recipient
    from ..testing import Candidate
    from .scanners import Finding

P = ParamSpec("P")
T = TypeVar("T")


@pytest.fixture
def optout_client(app: Flask) -> Iterator[Candidate]:
    """A candidate: ``open``, ``mute`` and ``undo`` take a link. The app's clock is put back after the test."""
    from ..testing import Candidate

    state = app.extensions["optout"]
    clock = state.clock
    yield Candidate(app)
    state.clock = clock


@pytest.fixture
def optout_mute(app: Flask) -> Callable[[Recipient, str], None]:
    """``optout_mute(address, opportunity)``, see :func:`flask_optout.testing.mute`."""
    from .. import testing

    return _in_context(app, testing.mute)


@pytest.fixture
def optout_assert_not_sent(app: Flask) -> Callable[..., None]:
    """``optout_assert_not_sent(outbox, address)``, see :func:`flask_optout.testing.assert_not_sent`."""
    from .. import testing

    return _in_context(app, testing.assert_not_sent)


@pytest.fixture
def optout_assert_sent_with_link(app: Flask) -> Callable[..., str]:
    """``optout_assert_sent_with_link(outbox, address, opportunity)`` gives the link."""
    from .. import testing

    return _in_context(app, testing.assert_sent_with_link)


@pytest.fixture
def optout_broken_store(app: Flask) -> Callable[[], AbstractContextManager[None]]:
    """``with optout_broken_store():``, see :func:`flask_optout.testing.broken_store`."""
    from .. import testing

    return _in_context(app, testing.broken_store)


@pytest.fixture
def optout_forget_data_key(app: Flask) -> Callable[[], None]:
    """``optout_forget_data_key()``, see :func:`flask_optout.testing.forget_data_key`."""
    from .. import testing

    return _in_context(app, testing.forget_data_key)


@pytest.fixture
def optout_scanner_visits() -> Callable[[FlaskClient, str], list[Finding]]:
    """``optout_scanner_visits(client, url)``, see :func:`flask_optout.testing.scanner_visits`."""
    from .. import testing

    return testing.scanner_visits


def _in_context(app: Flask, function: Callable[P, T]) -> Callable[P, T]:
    @wraps(function)
    def in_context(*args: P.args, **kwargs: P.kwargs) -> T:
        with app.app_context():
            return function(*args, **kwargs)

    return in_context
