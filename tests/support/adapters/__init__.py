"""Every adapter, and every way out that its library offers, behind one interface.

To hold a new adapter to what every adapter promises, add a ``Library`` for it to ``LIBRARIES``: each test that one of
these decorators marks runs with it then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from tests.support.adapters.flask_mail import FlaskMail
from tests.support.adapters.flask_mailman import FlaskMailman
from tests.support.adapters.postbox import Postbox
from tests.support.adapters.stdlib import StandardLibrary
from tests.support.library import Library

LIBRARIES: list[Library] = [FlaskMail(), FlaskMailman(), StandardLibrary(), Postbox()]
WAYS = [(library, name) for library in LIBRARIES for name in library.ways]

Test = TypeVar("Test", bound=Callable[..., object])


def each_library(test: Test) -> Test:
    """Run a test with each library, as ``library``."""
    return _each(test, "library", [pytest.param(library, id=library.name) for library in LIBRARIES])


def each_way(test: Test) -> Test:
    """Run a test with each way out of each library, as ``library`` and ``way``."""
    return _each(test, "library, way", [_row(library, name, name, walked=True) for library, name in WAYS])


def each_way_to_send_many(test: Test) -> Test:
    """Run a test with each way to send many of each library, as ``library`` and ``way``."""
    rows = [
        _row(library, name, f"{name}, in bulk", walked=number == 0)
        for library in LIBRARIES
        for number, name in enumerate(library.many)
    ]
    return _each(test, "library, way", rows)


def each_part(test: Test) -> Test:
    """Run a test with each kind of parts of each library, as ``library`` and ``part``."""
    rows = [_row(library, name, name) for library in LIBRARIES for name in library.parts]
    return _each(test, "library, part", rows)


def _row(library: Library, value: str, where: str, walked: bool = False) -> Any:
    """A row of parameters; if ``walked``, one of docs/compatibility.md."""
    marks = [pytest.mark.walked(library.name, where)] if walked else []
    return pytest.param(library, value, id=f"{library.name}-{where}", marks=marks)


def _each(test: Test, names: str, rows: list[Any]) -> Test:
    marked: Test = pytest.mark.adapter(pytest.mark.parametrize(names, rows)(test))
    return marked
