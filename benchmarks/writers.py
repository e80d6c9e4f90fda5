"""Sixty-four concurrent mutes on SQLite, which has one writer, compared with the same upsert alone."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from flask.ctx import AppContext

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.presses.evidence import Command, Evidence
from flask_optout.presses.judge import Verdict
from flask_optout.wiring import current_state

from .harness import Elsewhere, Row, interleave, say
from .hosting import SQLITE, hosted
from .served import OPPORTUNITY, PLAIN, plain_upsert

WRITERS, ROUNDS = 64, 5
#: Each write is of another person.
FRESH = (f"candidate{number}@example.org" for number in itertools.count())
Write = Callable[[str], None]


def p99(write: Write, each: int) -> float:
    """Seconds within which 99 of a hundred writes were done, all writers starting together; any error is raised."""
    start, people = threading.Barrier(WRITERS), [next(FRESH) for _ in range(WRITERS * each)]

    def work(writer: int) -> list[float]:
        start.wait()
        took = []
        for person in people[writer::WRITERS]:
            began = time.perf_counter()
            write(person)
            took.append(time.perf_counter() - began)
        return took

    with ThreadPoolExecutor(WRITERS) as pool:
        seconds = [second for part in pool.map(work, range(WRITERS)) for second in part]
    return statistics.quantiles(seconds, n=100)[98]


def plain(engine: sa.Engine) -> Write:
    PLAIN.create(engine)

    def write(person: str) -> None:
        with engine.begin() as connection:
            plain_upsert(connection, person)

    return write


def ours(context: Callable[[], AppContext]) -> Write:
    """The press of somebody who has read their page for a minute."""
    state = current_state()

    def write(person: str) -> None:
        with context():
            tokens, now = state.tokens, state.clock()
            claim = tokens.read(Door.LANDING, tokens.mint(Door.LANDING, parse(person), OPPORTUNITY))
            evidence = Evidence(Command.MUTE, visitor=person, at=now, issued=now - 60)
            assert state.presses.press(claim, evidence).verdict is Verdict.ACCEPT

    return write


def rows(full: bool) -> Iterator[Row]:
    say(f"{WRITERS} writers on sqlite")
    each = 20 if full else 5
    with hosted(SQLITE, SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 60}}) as host:
        bare, mute = plain(host.db.engine), ours(host.app.app_context)
        contenders = {"bare": Elsewhere(lambda: p99(bare, each)), "mute": Elsewhere(lambda: p99(mute, each))}
        times = interleave(contenders, ROUNDS)
    note = (
        f"99 of 100 mutes are stored within {times.seconds('mute') * 1e3:.0f} ms, {times.seconds('bare') * 1e3:.0f} "
        f"without us; no error in {WRITERS * each * ROUNDS:,}."
    )
    path, against = f"{SQLITE}: {WRITERS} concurrent mutes, p99", "the same upsert without us"
    yield Row(path, against, times.ratio("mute", "bare"), most=1, note=note)
