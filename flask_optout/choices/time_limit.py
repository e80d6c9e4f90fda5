"""Work that is given up when its time is over, whatever it waits for."""

from __future__ import annotations

import contextvars
import os
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: Helpers that may hang at once, each with a connection of the host's pool; then calls are refused without waiting.
MOST_STUCK = 8
MOST_IDLE = 16


class Late(Exception):
    """The time is over."""


class TooManyHang(Exception):
    """Earlier calls still hang, so this one would but join them."""


class Call(Generic[T]):
    """One call, which its caller may give up."""

    def __init__(self, work: Callable[[Call[T]], T]) -> None:
        self._work = work
        self._done = threading.Lock()
        self._done.acquire()
        self._result: T
        self._error: BaseException | None = None
        self.given_up: bool = False

    def __call__(self) -> None:
        try:
            self._result = self._work(self)
        except BaseException as error:
            self._error = error
        finally:
            self._done.release()

    def result(self, seconds: float) -> T:
        try:
            if not self._done.acquire(timeout=seconds):
                raise Late
            if self._error is not None:
                raise self._error
            return self._result
        finally:
            self.given_up = True
            self._error = None


class _Helper(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="optout-store", daemon=True)
        self.jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.start()

    def run(self) -> None:
        while (job := self.jobs.get()) is not None:
            job()
            del job


class Helpers:
    """Threads that wait in their caller's stead.

    Drivers have no common way to bound the wait for a free connection, a name server, a handshake or a peer that is
    gone; a thread that can be left behind bounds them all.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._idle: list[_Helper] = []
        self._stuck: list[_Helper] = []

    def run(self, work: Callable[[Call[T]], T], seconds: float) -> T:
        """What the work gives.

        :param seconds: how long to wait for it; then the work goes on, and is told that it was given up.
        :raises Late: when they are over.
        :raises TooManyHang: without waiting.
        """
        helper, call, context = self._take(), Call(work), contextvars.copy_context()
        helper.jobs.put(lambda: context.run(call))
        free = False
        try:
            result = call.result(seconds)
            free = True
            return result
        except Late:
            raise
        except Exception:
            free = True
            raise
        finally:
            self._give_back(helper, free)

    def _take(self) -> _Helper:
        with self._lock:
            if self._process != os.getpid():  # threads do not survive a fork
                self._process, self._idle, self._stuck = os.getpid(), [], []
            if len(self._stuck) >= MOST_STUCK:
                self._stuck = [helper for helper in self._stuck if helper.is_alive()]
                if len(self._stuck) >= MOST_STUCK:
                    raise TooManyHang
            return self._idle.pop() if self._idle else _Helper()

    def _give_back(self, helper: _Helper, free: bool) -> None:
        with self._lock:
            if free and len(self._idle) < MOST_IDLE:
                self._idle.append(helper)
                return
            helper.jobs.put(None)
            if not free:
                self._stuck.append(helper)
