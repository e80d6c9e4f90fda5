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

#: The contenders by hand: which, what they are called, how many times faster ours should be, and how many they ask.
BY_HAND: tuple[tuple[Callable[[sa.Engine, Task], list[str]], str, float | None, int | None], ...] = (
    (by_hand.one_by_one, "one ORM query each", 60, by_hand.ONE_BY_ONE),
    (by_hand.in_lists, "`.in_()` of 500, by hand", 1.4, None),
    # No bound: it makes none of the digests that the floor counts, so nothing that makes them can be as fast.
    (by_hand.all_in_a_set, "all muted addresses into a set, by hand", None, None),
)
#: The peers: how they are started, and their own idiom.
PEERS: tuple[tuple[Callable[[], list[str]], str], ...] = (
    (partial(python, "django_ses"), "django-ses `filter_blacklisted_recipients(all)`"),
    (partial(python, "django_newsletter"), "django-newsletter `newsletter.get_subscriptions()`"),
    (mailkick, "mailkick `User.subscribed(list).pluck(:email)`"),
)


@dataclass
class Beside:
    """The contenders that are ready, and the row that each is to fill; those not run have theirs already."""

    contenders: dict[str, Contender] = field(default_factory=dict)
    bounds: dict[str, tuple[float | None, float, str]] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)

    def rows(self, path: str, times: Times) -> Iterator[Row]:
        """How many times faster ours is than each of them."""
        for name, (least, share, note) in self.bounds.items():
            ratio = times.ratio(name, "ours") / share
            yield Row(path, name, ratio, least=least, note=f"times faster{note}")
        for name, why in self.not_run.items():
            yield Row(path, name, None, note=why)


@contextmanager
def beside(engine: sa.Engine, task: Task, ours: list[str]) -> Iterator[Beside]:
    """Every contender, its tables filled, once it named the same people as ours."""
    made = Beside()
    by_hand.fill(engine, task)
    for work, name, least, asks in BY_HAND:
        asked = task.asked[:asks]
        _check(name, work(engine, task), [address for address in ours if asks is None or address in set(asked)])
        made.contenders[name] = partial(work, engine, task)
        note = f"; timed on {asks} of the addresses" if asks else ""
        made.bounds[name] = (least, len(asked) / len(task.asked), note)
    with ExitStack() as stack:
        for command, name in PEERS:
            say(f"filling {name}")
            try:
                peer = stack.enter_context(running(command(), task))
                _check(name, peer.people(), ours)
            except NotRun as error:
                made.not_run[name] = str(error)
            else:
                made.contenders[name] = peer.rounds
                made.bounds[name] = (1, 1, f"; {peer.version}")
        yield made


def _check(name: str, theirs: list[str], ours: list[str]) -> None:
    """Order is no part of the work: a database gives rows as it likes."""
    assert sorted(theirs) == sorted(ours), f"{name} lets other people pass than ours"
