"""Run it: ``python -m benchmarks.scanners [--seed N] [--quick]``."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.conftest import CHROMIUM_ARGUMENTS, find_chromium

from .report import Report, ablate, beside, people, residue, scanners
from .world import world


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scanners", description=__doc__)
    any_seed = [int(time.time()) % 100_000]
    parser.add_argument(
        "--seed",
        type=int,
        nargs="+",
        default=any_seed,
        help="one run each; in the first, rules are turned off in turn",
    )
    parser.add_argument("--quick", action="store_true", help="one visit of each kind, and nothing that is slow")
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("host").setLevel(logging.ERROR)
    with chromium() as browser:
        if browser is None:
            print("No Chromium: the profiles and people with a browser are left out. Install it, or set CHROMIUM.")
        good = [run(seed, browser, arguments.quick, ablation=not n) for n, seed in enumerate(arguments.seed)]
    sys.exit(0 if all(good) else 1)


def run(seed: int, browser: Browser | None, quick: bool, ablation: bool) -> bool:
    """One run with one seed; says whether it met its targets."""
    print(f"\nSeed {seed}")
    report = Report()
    with world(seed, browser) as here:
        scanners(here, report, quick)
        beside(here, report, quick)
        people(here, report, quick)
        residue(here, report)
        print(report, flush=True)
        if ablation:
            ablate(here, quick)
    return report.good


@contextmanager
def chromium() -> Iterator[Browser | None]:
    if (path := find_chromium()) is None:
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


main()
