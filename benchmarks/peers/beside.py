"""Every contender of `optout.invitable`, with what it is called and how many times faster ours should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa

from ..harness import Contender, Row, Times, say
from . import by_hand
from .elsewhere import NotRun, mailkick, python, running
from .task import Task


@dataclass(frozen=True)
class Entry:
    """What a contender is called, how many times faster ours should be, and how many addresses it is asked.

    Those that ask the database for each address are asked few.
    """

    name: str
    least: float | None = 1
    asks: int | None = None

    def task(self, whole: Task) -> Task:
        return whole if self.asks is None else whole.first(self.asks)

    def row(self, path: str, times: Times, note: str, addresses: int) -> Row:
        share = 1 if self.asks is None else self.asks / addresses
        notes = ["times faster", note, f"timed on {self.asks} of the addresses" if self.asks else ""]
        ratio = times.ratio(self.name, "ours") / share
        return Row(path, self.name, ratio, least=self.least, note="; ".join(filter(None, notes)))


BY_HAND: tuple[tuple[Entry, Callable[[sa.Engine, Task], list[str]]], ...] = (
    (Entry("one ORM query each", 60, 500), by_hand.one_by_one),
    (Entry("`.in_()` of 500, by hand", 1.4), by_hand.in_lists),
    # No bound: it makes none of the digests that the floor counts, so nothing that makes them can be as fast.
    (Entry("all muted addresses into a set, by hand", None), by_hand.all_in_a_set),
)
PEERS: tuple[tuple[Entry, Callable[[], list[str]]], ...] = (
    (Entry("django-ses `filter_blacklisted_recipients(all)`"), partial(python, "django_ses")),
    (Entry("django-newsletter `newsletter.get_subscriptions()`"), partial(python, "django_newsletter")),
    (Entry("GNU Mailman's handler `member-recipients`", asks=200), partial(python, "gnu_mailman")),
    (Entry("mailkick `User.subscribed(list).pluck(:email)`"), mailkick),
)


@dataclass
class Beside:
    """The contenders that are ready, by their names, and why others were not run."""

    addresses: int = 0
    contenders: dict[str, Contender] = field(default_factory=dict)
    ready: list[tuple[Entry, str]] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)

    def add(self, entry: Entry, contender: Contender, note: str = "") -> None:
        self.contenders[entry.name] = contender
        self.ready.append((entry, note))

    def rows(self, path: str, times: Times) -> Iterator[Row]:
        """How many times faster ours is than each of them."""
        yield from (entry.row(path, times, note, self.addresses) for entry, note in self.ready)
        yield from (Row(path, name, None, note=why) for name, why in self.not_run.items())


@contextmanager
def beside(engine: sa.Engine, whole: Task, ours: list[str]) -> Iterator[Beside]:
    """Every contender, its tables filled, once it named the same people as ours."""
    made = Beside(len(whole.asked))
    by_hand.fill(engine, whole)
    with ExitStack() as stack:
        ready = {}
        for entry, command in PEERS:
            say(f"filling {entry.name}")
            try:
                ready[entry] = stack.enter_context(running(command(), entry.task(whole)))
            except NotRun as error:
                made.not_run[entry.name] = str(error)
        settle(engine)
        for entry, filter_ in BY_HAND:
            task = entry.task(whole)
            _check(entry, filter_(engine, task), task, ours)
            made.add(entry, partial(filter_, engine, task))
        for entry, peer in ready.items():
            try:
                _check(entry, peer.people(), entry.task(whole), ours)
                made.add(entry, peer.rounds, peer.version)
            except NotRun as error:
                made.not_run[entry.name] = str(error)
        yield made


def settle(engine: sa.Engine) -> None:
    """What a database does by itself in time: it learns what was filled in."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE")


def _check(entry: Entry, theirs: list[str], task: Task, ours: list[str]) -> None:
    """Order is no part of the work: a database gives rows as it likes."""
    people = sorted(set(ours).intersection(task.asked))
    assert sorted(theirs) == people, f"{entry.name} lets other people pass than ours"
