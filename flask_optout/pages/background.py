"""Work that a response must not wait for, so that how long it takes tells nobody anything."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore

WORKERS = 2
#: What may wait; a flood is refused before it fills the memory.
LONGEST_QUEUE = 100


class Background:
    """A few threads of one app in one process."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="optout")
        self._places = BoundedSemaphore(LONGEST_QUEUE)

    def submit(self, work: Callable[[], None]) -> bool:
        """Have work done soon; say whether there was a place for it."""
        if not self._places.acquire(blocking=False):
            return False
        self._pool.submit(work).add_done_callback(lambda _: self._places.release())
        return True
