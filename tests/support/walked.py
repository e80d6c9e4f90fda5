"""A pytest plugin that writes down what was walked: ``pytest -p tests.support.walked --walked-to FILE -m walked``.

The file holds the versions and, for each ``walked`` mark, its two names and ``passed``, ``failed`` or why it was
skipped.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Generator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

PACKAGES = [
    "Flask",
    "Werkzeug",
    "Flask-SQLAlchemy",
    "Flask-SQLAlchemy-Lite",
    "SQLAlchemy",
    "Flask-Mail",
    "Flask-Mailman",
]
PACKAGES += [
    "Flask-WTF",
    "Flask-Talisman",
    "Flask-Login",
    "Flask-Migrate",
    "celery",
    "rq",
    "redis",
    "gunicorn",
    "gevent",
]
Rows = dict[tuple[str, str], str]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--walked-to", type=Path, required=True, help="the file to write")


class Notes:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows: Rows = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for what, where in _marks(item):
                self.rows.setdefault((what, where), "passed")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        for row in _marks(item):
            if report.failed:
                self.rows[row] = "failed"
            elif report.skipped and self.rows[row] != "failed":
                assert isinstance(report.longrepr, tuple)
                self.rows[row] = report.longrepr[2].removeprefix("Skipped: ")
        return report

    def pytest_sessionfinish(self) -> None:
        versions = {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
        rows = [[*row, outcome] for row, outcome in self.rows.items()]
        self.file.write_text(json.dumps({"versions": versions, "rows": rows}, indent=1))


def _marks(item: pytest.Item) -> list[tuple[str, str]]:
    return [(str(mark.args[0]), str(mark.args[1])) for mark in item.iter_markers("walked")]


def pytest_configure(config: Any) -> None:
    config.pluginmanager.register(Notes(config.getoption("--walked-to")), "notes")
