"""What goes wrong during a run, and when."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .servers import Program
from .stage import VISIBILITY, Stage

#: Seconds for which a killed app server, and once the database, stays away.
AWAY = 3.0
#: Seconds within which a worker that is busy has done a task.
LONGEST_TASK = 0.7
#: Seconds within which a worker is caught holding a task.
CATCHING = 10.0

#: Does it, waits until it is mended, and gives how many tasks a killed worker held.
Happening = Callable[[Stage], int]


class Fault(NamedTuple):
    """What went wrong, from when until when, and how many tasks a killed worker held."""

    what: str
    began: float
    ended: float
    held: int = 0


def server_killed(number: int) -> Happening:
    def happen(stage: Stage) -> int:
        stage.servers[number].kill()
        time.sleep(AWAY)
        stage.servers[number].start()
        return 0

    return happen


def worker_killed(number: int) -> Happening:
    def happen(stage: Stage) -> int:
        held = _stopped_with_a_task(stage, stage.workers[number])
        stage.workers[number].kill()
        time.sleep(VISIBILITY + 1)  # then the new one finds what this one held
        stage.workers[number].start()
        return held

    return happen


def _stopped_with_a_task(stage: Stage, worker: Program) -> int:
    """Stop a worker in its tracks while it holds tasks, gives how many: what it alone has not done after a while."""
    deadline = time.monotonic() + CATCHING
    while time.monotonic() < deadline:
        worker.signal(signal.SIGSTOP)
        taken = stage.taken()
        time.sleep(LONGEST_TASK)
        if held := len(taken & stage.taken()):
            return held
        worker.signal(signal.SIGCONT)
        time.sleep(0.05)
    return 0


def database_restarted(stage: Stage) -> int:
    stage.cluster.stop()
    stage.cluster.start()
    return 0


def database_down(stage: Stage) -> int:
    stage.cluster.stop()
    time.sleep(AWAY)
    stage.cluster.start()
    return 0


Planned = tuple[float, str, Happening]
#: At which part of the run what happens.
QUICK: Sequence[Planned] = (
    (0.10, "app server 1 killed", server_killed(0)),
    (0.40, "worker 1 killed", worker_killed(0)),
    (0.75, "database restarted", database_restarted),
)
FULL: Sequence[Planned] = (
    (0.10, "app server 1 killed", server_killed(0)),
    (0.25, "worker 1 killed", worker_killed(0)),
    (0.40, "database restarted", database_restarted),
    (0.50, "app server 2 killed", server_killed(1)),
    (0.65, "worker 2 killed", worker_killed(1)),
    (0.80, "database down for three seconds", database_down),
)


def suffer(stage: Stage, happenings: Sequence[Planned], seconds: float) -> list[Fault]:
    """Let them happen, spread over so many seconds."""
    start, faults = time.monotonic(), []
    for part, what, happen in happenings:
        time.sleep(max(0.0, start + part * seconds - time.monotonic()))
        stage.check()
        began = time.monotonic()
        held = happen(stage)
        faults.append(Fault(what, began, time.monotonic(), held))
    time.sleep(max(0.0, start + seconds - time.monotonic()))
    return faults
