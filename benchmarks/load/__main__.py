"""Run it: ``python -m benchmarks.load [--people N] [--quick]``, some two minutes, or 45 seconds.

People press while operators invite them again and again, app servers and workers are killed and the database is
restarted. It prints figures, and ends with 1 when anybody who was muted got mail or anybody else none.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.harness import machine, say
from tests.support.walk import Web

from .asking import Operators
from .faults import FULL, QUICK, Planned, suffer
from .people import PROBER, THREADS, Crowd, Prober
from .report import Run, report
from .servers import Absent
from .stage import Stage, stage


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--people", type=int, help="how many are invited; 240, or 60 with --quick")
    parser.add_argument("--quick", action="store_true", help="a short run with one fault of each kind")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # each refusal is logged, as it should be
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server is left behind
    people, seconds, happenings = (60, 24.0, QUICK) if arguments.quick else (240, 85.0, FULL)
    try:
        with stage() as here:
            say("Everything answers; people press and servers die.")
            figures = report(run(here, arguments.people or people, seconds, happenings))
    except Absent as error:
        sys.exit(str(error))
    print(f"\n{machine()}\n\n{figures}")
    return int(not figures.good)


def run(here: Stage, people: int, seconds: float, happenings: Sequence[Planned]) -> Run:
    web = Web(here.port)
    crowd = Crowd(people - 1, web, here.sink, random.Random(7))
    operators = Operators(here.port, [PROBER, *crowd.people], here.waiting)
    prober = Prober(web, here.sink)
    with ThreadPoolExecutor(THREADS + 2) as pool:
        try:
            probing, asking = pool.submit(prober.run), pool.submit(operators.run)
            prober.wait()
            began = time.monotonic()
            pressing = crowd.start(pool, seconds)
            faults = suffer(here, happenings, seconds)
            for share in pressing:
                share.result()
            for ending in (operators, prober):
                ending.stop()
            for done in (asking, probing):
                done.result()
            stuck = here.drain()
            ended, before = time.monotonic(), here.processor_seconds()
            for _ in operators.round():
                pass
            stuck += here.drain()
            last, after = time.monotonic() - ended, here.processor_seconds()
        finally:
            for each in (crowd, operators, prober):
                each.stop()
    processor = {of: after[of] - before[of] for of in after}
    presses = {**crowd.presses, prober.pair: prober.first}
    with here.host.app.app_context():
        may_invite = {pair: here.host.optout.may_invite(*pair) for pair in presses}
    asked, mails, stored = operators.asked, here.sink.mails, prober.stored
    return Run(asked, mails, presses, stored, may_invite, faults, processor, began, ended, last, stuck)


if __name__ == "__main__":
    sys.exit(main())
