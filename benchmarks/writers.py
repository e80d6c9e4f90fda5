"""Sixty-four who mute at the same moment on SQLite, which has one writer, beside the same upsert without us."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa
from flask.ctx import AppContext

from flask_optout.addresses import parse
from flask_optout.state import current_state
from flask_optout.tables import upsert
from flask_optout.tokens import Door
from tests.hosts import dispose, make_host

from .harness import Row, say
from .served import OPPORTUNITY, PLAIN

WRITERS, ROUNDS = 64, 5
Write = Callable[[int], None]


def p99(write: Write, each: int, first: int) -> float:
    """Seconds within which 99 of a hundred writes were done, all writers starting together; any error is raised."""
    start = threading.Barrier(WRITERS)

    def work(writer: int) -> list[float]:
        start.wait()
        took = []
        for number in range(each):
            began = time.perf_counter()
            write(first + writer * each + number)
            took.append(time.perf_counter() - began)
        return took

    with ThreadPoolExecutor(WRITERS) as pool:
        seconds = [second for part in pool.map(work, range(WRITERS)) for second in part]
    return statistics.quantiles(seconds, n=100)[98]


def plain(engine: sa.Engine) -> Write:
    PLAIN.create(engine)

    def write(number: int) -> None:
        with engine.begin() as connection:
            upsert(connection, PLAIN, {"opportunity": OPPORTUNITY, "person": _person(number), "muted": True})

    return write


def ours(context: Callable[[], AppContext]) -> Write:
    state = current_state()

    def write(number: int) -> None:
        with context():
            tokens = state.tokens
            claim = tokens.read(Door.LANDING, tokens.mint(Door.LANDING, parse(_person(number)), OPPORTUNITY))
            state.choices.set(claim, claim.person[0], True, "page")

    return write


def _person(number: int) -> str:
    return f"candidate{number}@example.org"


def rows(full: bool) -> Iterator[Row]:
    say(f"{WRITERS} writers on sqlite")
    each = 20 if full else 5
    with ExitStack() as stack:
        host = make_host(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        stack.callback(dispose, host)
        stack.enter_context(host.app.app_context())
        bare, mute, times = plain(host.db.engine), ours(host.app.app_context), []
        for turn in range(ROUNDS + 1):
            times.append([p99(write, each, turn * WRITERS * each) for write in (bare, mute)])
    ratio = statistics.median(muting / without for without, muting in times[1:])
    slowest = statistics.median(muting for _, muting in times[1:]) * 1e3
    note = f"99 of 100 within {slowest:.0f} ms, no error in {WRITERS * each * ROUNDS:,}"
    yield Row(f"sqlite: {WRITERS} concurrent mutes, p99", "the same upsert without us", ratio, most=1.5, note=note)
