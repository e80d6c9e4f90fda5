"""The time-outs of database servers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from flask_optout.doctor.setup import check_time_outs
from tests.conftest import missing
from tests.support.databases import SERVERS
from tests.support.findings import ids, the

#: MariaDB by SQLAlchemy's own dialect for it.
URLS = {**SERVERS, "mariadb": SERVERS["mariadb"].replace("mysql+", "mariadb+")}


@pytest.fixture
def engine_of() -> Iterator[Callable[..., sa.Engine]]:
    engines: list[sa.Engine] = []

    def engine_of(server: str, **options: Any) -> sa.Engine:
        engines.append(sa.create_engine(URLS[server], **options))
        return engines[-1]

    yield engine_of
    for engine in engines:
        engine.dispose()


WAITS = {"connect_timeout": 5, "options": "-c statement_timeout=10000"}
READS = {"connect_timeout": 5, "read_timeout": 10, "write_timeout": 10}


@pytest.mark.parametrize(
    ("server", "options", "missing_ones"),
    [
        ("postgresql", {}, "connect_timeout, statement_timeout"),
        ("postgresql", {"connect_args": {"connect_timeout": 5}}, "statement_timeout"),
        ("postgresql", {"connect_args": WAITS}, None),
        ("postgresql", {"connect_args": WAITS, "pool_timeout": 600}, "pool_timeout"),
        ("postgresql", {"connect_args": WAITS, "pool_timeout": None}, "pool_timeout"),
        ("mariadb", {}, "read_timeout, write_timeout"),
        ("mariadb", {"connect_args": READS}, None),
        ("mariadb", {"connect_args": READS, "pool_timeout": 600}, "pool_timeout"),
    ],
)
def test_time_outs_that_are_missing_on_a_server_are_named(
    engine_of: Callable[..., sa.Engine], server: str, options: dict[str, Any], missing_ones: str | None
) -> None:
    try:
        found = list(check_time_outs(engine_of(server, **options)))
    except sa.exc.OperationalError:
        missing(server, f"start it, or set OPTOUT_TEST_{server.upper()} to its URL")
    [finding] = found
    assert finding.facts.get("missing") == missing_ones
    assert finding.id == ("setup.time-outs.missing" if missing_ones else "setup.time-outs")


@pytest.mark.parametrize("server", SERVERS)
def test_the_line_to_paste_sets_them(engine_of: Callable[..., sa.Engine], server: str) -> None:
    try:
        paste = the(check_time_outs(engine_of(server)), "setup.time-outs.missing").paste
    except sa.exc.OperationalError:
        missing(server, f"start it, or set OPTOUT_TEST_{server.upper()} to its URL")
    options = ast.literal_eval(paste.removeprefix("SQLALCHEMY_ENGINE_OPTIONS = "))
    assert ids(check_time_outs(engine_of(server, **options))) == {"setup.time-outs"}
