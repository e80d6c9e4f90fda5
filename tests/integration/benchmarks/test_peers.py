"""Whoever is measured beside `optout.invitable` does the same work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks.harness import Times
from benchmarks.peers import beside
from benchmarks.peers.task import Task

pytestmark = pytest.mark.long

ASKED = [f"candidate{number}@example.org" for number in range(700)]
MUTED = [*ASKED[100:300], "stranger@example.org"]
INVITABLE = ASKED[:100] + ASKED[300:]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'host.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def task(engine: sa.Engine) -> Task:
    return Task.on(engine, "beta-42", ASKED, MUTED, 2_000)


def test_every_peer_is_ready_or_says_why_not(engine: sa.Engine, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILKICK", raising=False)

    with beside.beside(engine, task, INVITABLE) as others:
        times = Times({name: [1.0] for name in ("ours", *others.contenders)})
        rows = {row.against: row for row in others.rows("filtering", times)}

    entries = [entry for entry, _ in (*beside.BY_HAND, *beside.PEERS)]
    assert set(rows) == {entry.name for entry in entries}
    assert rows["one ORM query each"].ratio == 700 / 500
    assert all(row.ratio is not None or row.note.startswith("needs ") for row in rows.values())
    assert "MAILKICK" in rows[beside.PEERS[-1][0].name].note


def test_a_peer_that_names_other_people_is_not_measured(engine: sa.Engine, task: Task) -> None:
    with pytest.raises(AssertionError, match="one ORM query each"), beside.beside(engine, task, ASKED):
        pass


def test_a_task_has_as_many_rows_as_it_says(task: Task) -> None:
    people = dict(task.people())

    assert len(people) == 701 and sum(people.values()) == 201
    assert len(people) + len(list(task.others(len(people)))) == 2_000


def test_the_first_few_are_asked_with_no_rows_but_theirs(task: Task) -> None:
    few = task.first(150)

    assert few.asked == ASKED[:150] and few.muted == ASKED[100:150]
    assert list(few.others(len(few.asked))) == []
