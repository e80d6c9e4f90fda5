"""Two presses at the same moment, and many writers at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import sqlalchemy as sa

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.support.fault_tally import MUTED_WORDS
from tests.support.host_engines import emit_begin
from tests.support.hosts import Host, say
from tests.support.pressing import AGAIN

#: What two visitors press at the same moment, and whether the choice mutes before.
PAIRS = [
    (False, "mute", "keep"),
    (False, "mute", "mute"),
    (False, "mute", "mute-all"),
    (False, "mute-all", "keep"),
    (True, "undo", "undo"),
    (True, "undo", "mute-all"),
    (False, "one-click", "one-click"),
    (False, "one-click", "mute"),
]
#: What an answer says, and whether it says that no invitation comes any more.
WORDS = {
    MUTED_WORDS: True,
    "You will get no more of these": True,
    "You stay invited.": False,
    "You can be invited to": False,
}


@dataclass
class Outcome:
    """What came of the pairs."""

    pairs: int = 0
    #: Answers other than 200.
    refused: int = 0
    #: People who were asked about both presses, or told nothing.
    untold: int = 0
    #: Answers that say what does not stand, and were not asked about.
    wrong: int = 0
    #: Presses that were asked about.
    asked: int = 0


def race(host: Host, pairs: int, seed: int) -> Outcome:
    """Let two visitors press at the same moment, over connections of their own, again and again."""
    outcome, dice = Outcome(), random.Random(seed)
    with ThreadPoolExecutor(2) as visitors:
        for number in range(pairs):
            who = f"racer{number}@example.org"
            muted, *commands = dice.choice(PAIRS)
            dice.shuffle(commands)
            if muted:
                with host.app.app_context():
                    say(host, True, who)
            barrier = threading.Barrier(2)
            answers = list(visitors.map(partial(press, host, who, barrier=barrier), commands, ("one", "another")))
            _judge(host, who, answers, outcome)
    return outcome


def press(host: Host, who: str, command: str, visitor: str = "one", *, barrier: threading.Barrier) -> tuple[int, str]:
    """Press a button of a page that was opened before; gives the status and what the answer says."""
    with host.app.app_context():
        path, visit = host.path(who), visitor.encode().hex()[:6].ljust(12, "0")
        one_click = urlsplit(current_state().links.url(Door.ONE_CLICK, parse(who), "beta-42")).path
        form = {**host.form(command, who, visit=visit), "scripts": "trusted"} if command != "one-click" else {}
    barrier.wait()
    client = host.app.test_client()
    if command == "one-click":
        answer = client.post(one_click, data={"List-Unsubscribe": "One-Click"})
    else:
        answer = client.post(path, data=form, headers={"HX-Request": "true", "User-Agent": visitor})
    return answer.status_code, answer.get_data(as_text=True)


def _judge(host: Host, who: str, answers: list[tuple[int, str]], outcome: Outcome) -> None:
    outcome.pairs += 1
    outcome.refused += sum(status != 200 for status, _ in answers)
    with host.app.app_context():
        muted = not host.optout.may_invite(who, "beta-42")
    asked = [AGAIN in text for _, text in answers]
    told = [
        {says for words, says in WORDS.items() if words in text}
        for (_, text), was_asked in zip(answers, asked, strict=True)
        if not was_asked
    ]
    outcome.asked += sum(asked)
    outcome.untold += all(asked) or not all(told)
    outcome.wrong += sum(says != {muted} for says in told)


def crowd(host: Host, writers: int, rounds: int) -> Iterator[tuple[int, bool]]:
    """Many writers at once; gives each one's status and whether their mute is stored."""
    barrier = threading.Barrier(writers)

    def write(who: str) -> int:
        return press(host, who, "mute", barrier=barrier)[0]

    with ThreadPoolExecutor(writers) as pool:
        for round in range(rounds):
            people = [f"writer{round}.{number}@example.org" for number in range(writers)]
            statuses = list(pool.map(write, people))
            with host.app.app_context():
                for who, status in zip(people, statuses, strict=True):
                    yield status, not host.optout.may_invite(who, "beta-42")


RECIPES: dict[str, Callable[[sa.Engine], None]] = {"plain": lambda engine: None, "emits BEGIN": emit_begin}
