"""Two presses at the same moment, and many writers at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import sqlalchemy as sa

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.support.faults import MUTED_WORDS
from tests.support.hosts import Host

#: What two hands may do at the same moment: two commands, or one twice, by the page or by the mail program's button.
PAIRS = [
    ("mute", "undo"),
    ("undo", "mute"),
    ("mute", "mute"),
    ("undo", "undo"),
    ("one-click", "undo"),
    ("one-click",) * 2,
]


@dataclass
class Outcome:
    """What came of the pairs."""

    pairs: int = 0
    #: Answers other than 200.
    refused: int = 0
    #: People with another number of rows than one.
    rows: int = 0
    #: States that no hand asked for, or that the page of the hand that came last did not show.
    wrong: int = 0
    statuses: list[int] = field(default_factory=list)


def race(host: Host, pairs: int, seed: int) -> Outcome:
    """Let two threads press at the same moment, over connections of their own, again and again."""
    outcome, dice = Outcome(), random.Random(seed)
    with ThreadPoolExecutor(2) as hands:
        for number in range(pairs):
            who = f"racer{number}@example.org"
            commands = dice.choice(PAIRS)
            barrier = threading.Barrier(2)
            answers = list(
                hands.map(lambda command, who=who, barrier=barrier: press(host, who, command, barrier), commands)
            )
            judge(host, who, commands, answers, outcome)
    return outcome


def press(host: Host, who: str, command: str, barrier: threading.Barrier) -> tuple[int, str]:
    with host.app.app_context():
        path = host.path(who)
        one_click = urlsplit(current_state().links.url(Door.ONE_CLICK, parse(who), "beta-42")).path
    barrier.wait()
    if command != "one-click":
        return host.press(path, command)
    answer = host.app.test_client().post(one_click, data={"List-Unsubscribe": "One-Click"})
    return answer.status_code, answer.get_data(as_text=True)


def judge(host: Host, who: str, commands: tuple[str, ...], answers: list[tuple[int, str]], outcome: Outcome) -> None:
    outcome.pairs += 1
    outcome.refused += sum(status != 200 for status, _ in answers)
    outcome.statuses += [status for status, _ in answers]
    with host.app.app_context():
        state = current_state()
        mark = state.key.mark(parse(who), "beta-42")
        with host.db.engine.connect() as connection:
            query = sa.text("SELECT muted FROM optout_choice WHERE digest = :digest")
            rows = [bool(row.muted) for row in connection.execute(query, {"digest": mark.digest})]
    if len(rows) != 1:
        outcome.rows += 1
        return
    [muted] = rows
    asked = {command != "undo" for command in commands}
    shown = {MUTED_WORDS in text or "You will get no more of these" in text for _, text in answers}
    outcome.wrong += muted not in asked or muted not in shown or not shown <= asked


def crowd(host: Host, writers: int, rounds: int) -> Iterator[tuple[int, bool]]:
    """Many writers at once; gives each one's status and whether their mute is stored."""
    barrier = threading.Barrier(writers)

    def write(who: str) -> int:
        return press(host, who, "mute", barrier)[0]

    with ThreadPoolExecutor(writers) as pool:
        for round in range(rounds):
            people = [f"writer{round}.{number}@example.org" for number in range(writers)]
            statuses = list(pool.map(write, people))
            with host.app.app_context():
                for who, status in zip(people, statuses, strict=True):
                    yield status, not host.optout.may_invite(who, "beta-42")


def emit_begin(engine: sa.Engine) -> None:
    """The recipe of SQLAlchemy's manual for SQLite's transactions, which many hosts have installed."""

    def on_connect(connection: object, record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))


RECIPES: dict[str, Callable[[sa.Engine], None]] = {"plain": lambda engine: None, "emits BEGIN": emit_begin}
