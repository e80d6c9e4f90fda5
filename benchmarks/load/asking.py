"""The operators: they invite everybody to everything, round after round, muted or not."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from .host import OPPORTUNITIES
from .judge import Asked, Pair

#: Addresses in one request, and invitations that may wait for a worker before the next is made.
BATCH = 20
BACKLOG = 60
#: Seconds after which something that does not come about never will.
PATIENCE = 60.0


class Operators:
    """Ask through the one address, again where no answer came: then a few are invited twice.

    :param waiting: how many invitations wait for a worker.
    """

    def __init__(self, port: int, people: Sequence[str], waiting: Callable[[], int]) -> None:
        #: When each invitation was first asked for.
        self.asked: dict[Asked, float] = {}
        self._port = port
        self._batches = [people[start : start + BATCH] for start in range(0, len(people), BATCH)]
        self._waiting = waiting
        self._over = threading.Event()
        self._round = 0

    def run(self) -> None:
        while not self._over.is_set():
            for _ in self.round():
                if self._over.is_set():
                    break

    def stop(self) -> None:
        self._over.set()

    def round(self) -> Iterator[None]:
        """One invitation for everybody to everything, step by step."""
        self._round += 1
        for addresses in self._batches:
            for opportunity in OPPORTUNITIES:
                _until(lambda: self._waiting() <= BACKLOG)
                began = time.monotonic()
                _until(partial(self._ask, addresses, opportunity))
                for address in addresses:
                    self.asked[Asked(Pair(address, opportunity), self._round)] = began
                yield

    def _ask(self, addresses: Sequence[str], opportunity: str) -> bool:
        body = json.dumps({"addresses": addresses, "opportunity": opportunity, "round": self._round})
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request("POST", "/invitations", body, {"Content-Type": "application/json"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"Invitations could not be asked for within {PATIENCE:g} s.")
        time.sleep(0.1)
