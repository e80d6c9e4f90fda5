"""Whoever presses at the same moment as somebody else gets an answer that is true, and no choice is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import dispose, make_host
from tests.support.races import RECIPES, crowd, race

pytestmark = pytest.mark.long

PAIRS = 2_000
FEWER_PAIRS = 100
WRITERS = 64


def test_pairs_of_presses_at_the_same_moment(database: Database, tmp_path: Path) -> None:
    host = make_host(tmp_path, SQLALCHEMY_DATABASE_URI=database.uri)
    outcome = race(host, PAIRS, seed=1)
    assert (outcome.pairs, outcome.refused, outcome.untold, outcome.wrong) == (PAIRS, 0, 0, 0)
    assert outcome.asked > 0
    dispose(host)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_a_host_that_asks_for_more_isolation_gets_the_same(database: Database, tmp_path: Path, level: str) -> None:
    options = {"isolation_level": level}
    host = make_host(tmp_path, SQLALCHEMY_DATABASE_URI=database.uri, SQLALCHEMY_ENGINE_OPTIONS=options)
    outcome = race(host, FEWER_PAIRS, seed=2)
    assert (outcome.refused, outcome.untold, outcome.wrong) == (0, 0, 0)
    dispose(host)


@pytest.mark.parametrize("recipe", RECIPES)
def test_64_writers_at_once_on_sqlite(make: MakeHost, recipe: str) -> None:
    host = make()
    with host.app.app_context():
        host.db.engine.dispose()
        RECIPES[recipe](host.db.engine)
    assert [*crowd(host, WRITERS, 2)] == [(200, True)] * (2 * WRITERS)
