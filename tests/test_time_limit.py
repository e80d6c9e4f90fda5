"""Work that is given up when its time is over, in threads that are used again."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest

from flask_optout.choices.time_limit import MOST_STUCK, Call, Helpers, Late, TooManyHang


def test_it_gives_what_the_work_gives_and_raises_what_it_raises() -> None:
    helpers = Helpers()
    assert helpers.run(lambda call: 7, 1) == 7
    with pytest.raises(ZeroDivisionError):
        helpers.run(lambda call: 1 // 0, 1)
    assert helpers.run(lambda call: threading.get_ident(), 1) != threading.get_ident()


def test_work_whose_time_is_over_is_told_that_nobody_waits_for_it() -> None:
    helpers, release, told = Helpers(), threading.Event(), threading.Event()

    def work(call: Call[None]) -> None:
        release.wait()
        if call.given_up:
            told.set()

    with pytest.raises(Late):
        helpers.run(work, 0.05)
    assert not told.is_set()
    release.set()
    assert told.wait(5)


def test_when_too_many_hang_work_is_refused_until_one_ends() -> None:
    helpers, release, ends = Helpers(), threading.Event(), [threading.Event() for _ in range(MOST_STUCK)]

    def hang(end: threading.Event, call: Call[bool]) -> bool:
        try:
            return release.wait()
        finally:
            end.set()

    for end in ends:
        with pytest.raises(Late):
            helpers.run(lambda call, end=end: hang(end, call), 0.05)  # type: ignore[misc]
    with pytest.raises(TooManyHang):
        helpers.run(lambda call: None, 1)
    release.set()
    assert all(end.wait(5) for end in ends)
    deadline, answer = time.monotonic() + 5, None
    while answer is None and time.monotonic() < deadline:
        with suppress(TooManyHang):  # until the thread itself has ended
            answer = helpers.run(lambda call: 7, 1)
    assert answer == 7
