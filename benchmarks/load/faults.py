"""What goes wrong during a run, and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .stage import VISIBILITY, Stage

#: Seconds for which a killed app server stays away.
AWAY = 3.0

Happening = tuple[float, str, Callable[[Stage], None]]


class Fault(NamedTuple):
    """What went wrong, from when until when."""

    what: str
    began: float
    ended: float


def server_killed(number: int) -> Callable[[Stage], None]:
    def happen(stage: Stage) -> None:
        stage.servers[number].kill()
        time.sleep(AWAY)
        stage.servers[number].start()

    return happen


def worker_killed(number: int) -> Callable[[Stage], None]:
    def happen(stage: Stage) -> None:
        stage.workers[number].kill()
        time.sleep(VISIBILITY + 1)  # then the new one finds what this one held
        stage.workers[number].start()

    return happen


def database_restarted(stage: Stage) -> None:
    stage.cluster.restart()


#: At which part of the run what happens.
QUICK: Sequence[Happening] = (
    (0.10, "app server 1 killed", server_killed(0)),
    (0.40, "worker 1 killed", worker_killed(0)),
    (0.75, "database restarted", database_restarted),
)
FULL: Sequence[Happening] = (
    (0.10, "app server 1 killed", server_killed(0)),
    (0.25, "worker 1 killed", worker_killed(0)),
    (0.40, "database restarted", database_restarted),
    (0.50, "app server 2 killed", server_killed(1)),
    (0.65, "worker 2 killed", worker_killed(1)),
    (0.80, "database restarted", database_restarted),
)


def suffer(stage: Stage, happenings: Sequence[Happening], seconds: float) -> list[Fault]:
    """Let them happen, spread over so many seconds."""
    start, faults = time.monotonic(), []
    for part, what, happen in happenings:
        time.sleep(max(0.0, start + part * seconds - time.monotonic()))
        stage.check()
        began = time.monotonic()
        happen(stage)
        faults.append(Fault(what, began, time.monotonic()))
    time.sleep(max(0.0, start + seconds - time.monotonic()))
    return faults
