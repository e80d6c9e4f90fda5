"""Candidates who take the links out of their mail and press, and who try again where an answer did not come."""

from __future__ import annotations

import heapq
import http.client
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlencode, urljoin

from tests.support.story import NO, UNDO
from tests.support.walk import A_GLANCE, SIGNAL, Form, Web

from .host import OPPORTUNITIES
from .judge import Pair, Press
from .sink import Letter, Sink

#: What people come to say about one opportunity, with weights: most say nothing.
FATES = {(): 4, (True,): 3, (True, False): 2, (True, False, True): 1}
THREADS = 12
#: Seconds after which somebody whose press is not confirmed gives up, which no run may come to.
PATIENCE = 60.0
BETWEEN_PROBES = 0.1
PROBER = "prober@example.org"


class Crowd:
    """Everybody who is invited, and what they said."""

    def __init__(self, people: int, web: Web, sink: Sink, dice: random.Random) -> None:
        self.people = [f"person{number}@company{number}.example" for number in range(people)]
        self.pairs = [Pair(person, opportunity) for person in self.people for opportunity in OPPORTUNITIES]
        self.presses: dict[Pair, list[Press]] = {}
        self._web = web
        self._sink = sink
        self._dice = dice
        self._over = threading.Event()

    def start(self, pool: ThreadPoolExecutor, seconds: float) -> list[Future[None]]:
        """Let them press within so many seconds, each thread for its share of them."""
        fates = self._dice.choices([*FATES], [*FATES.values()], k=len(self.pairs))
        decided = [(pair, fate) for pair, fate in zip(self.pairs, fates, strict=True) if fate]
        return [
            pool.submit(self._live, decided[share::THREADS], random.Random(self._dice.random()), seconds)
            for share in range(THREADS)
        ]

    def stop(self) -> None:
        """Let nobody press any more."""
        self._over.set()

    def _live(self, decided: Sequence[tuple[Pair, Sequence[bool]]], dice: random.Random, seconds: float) -> None:
        began = time.monotonic()
        end = began + seconds
        due = [(began + dice.uniform(0, seconds * 0.8), pair, [*fate]) for pair, fate in decided]
        heapq.heapify(due)
        while due:
            at, pair, fate = heapq.heappop(due)
            if self._over.wait(max(0.0, at - time.monotonic())):
                break
            letter = self._sink.letters.get(pair)
            if letter is None:
                if time.monotonic() > end + PATIENCE:
                    raise RuntimeError("Somebody got no invitation to press in.")
                heapq.heappush(due, (time.monotonic() + 0.5, pair, fate))
                continue
            mutes, *later = fate
            by_hand = not mutes or dice.random() < 0.5
            self.presses.setdefault(pair, []).append(self._say(letter, mutes, by_hand))
            if later:
                now = time.monotonic()
                heapq.heappush(due, (now + dice.uniform(0, max(0.0, end - now)), pair, later))

    def _say(self, letter: Letter, mutes: bool, by_hand: bool) -> Press:
        """Press until an answer confirms it."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE and not self._over.is_set():
            try:
                confirmed = by_page(self._web, letter, mutes) if by_hand else by_one_click(self._web, letter)
            except (OSError, http.client.HTTPException):
                confirmed = None
            if confirmed is not None:
                return Press(mutes, began, confirmed)
            time.sleep(0.2)
        return Press(mutes, began, float("inf"))


def by_one_click(web: Web, letter: Letter) -> float | None:
    """Mute as a mail program does; gives the moment of the answer that confirms it, if one does."""
    status = web.open(letter.one_click, SIGNAL).status
    return time.monotonic() if status == 200 else None


def by_page(web: Web, letter: Letter, mutes: bool) -> float | None:
    """Press the button of the page, without scripts; gives the moment of the answer that confirms it, if one does."""
    label, opposite = (NO, UNDO) if mutes else (UNDO, NO)
    page = web.open(letter.link)
    for _ in range(2):  # the page may ask for the press once more
        form = Form(page.text)
        if page.status != 200 or label not in form.buttons:
            break
        button = form.buttons[label]
        time.sleep(A_GLANCE)
        data = urlencode({**form.fields, button["name"]: button["value"]})
        page = web.open(urljoin(letter.link, button.get("formaction") or form.action), data)
        at = time.monotonic()
        if page.status == 303:
            result = web.open(urljoin(letter.link, page.headers["Location"]))
            return at if result.status == 200 and opposite in Form(result.text).buttons else None
    # An earlier press may have been stored although its answer was lost.
    return time.monotonic() if page.status == 200 and opposite in Form(page.text).buttons else None


class Prober:
    """Opts out again and again, so that it is known when choices could be stored."""

    def __init__(self, web: Web, sink: Sink) -> None:
        self.pair = Pair(PROBER, next(iter(OPPORTUNITIES)))
        self.stored: list[float] = []
        self.first: list[Press] = []
        self._web = web
        self._sink = sink
        self._flowing = threading.Event()
        self._over = threading.Event()

    def run(self) -> None:
        for letter in self._letters():
            began = time.monotonic()
            try:
                confirmed = by_one_click(self._web, letter)
            except (OSError, http.client.HTTPException):
                continue
            if confirmed is not None:
                self.stored.append(confirmed)
                self.first = self.first or [Press(True, began, confirmed)]
                self._flowing.set()

    def wait(self) -> None:
        """Until invitations arrive and choices are stored."""
        if not self._flowing.wait(PATIENCE):
            raise RuntimeError(f"No invitation arrived, or no choice was stored, within {PATIENCE:g} s.")

    def stop(self) -> None:
        self._over.set()

    def _letters(self) -> Iterator[Letter]:
        while not self._over.wait(BETWEEN_PROBES):
            if self.pair in self._sink.letters:
                yield self._sink.letters[self.pair]
