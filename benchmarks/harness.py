"""Interleaved rounds, medians of their ratios, and the table that they are printed in."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

Work = Callable[[], object]


@dataclass(frozen=True)
class Elsewhere:
    """Work that says itself how many seconds it took, so that the start of another process does not count."""

    seconds: Callable[[], float]


Contender = Work | Elsewhere
PACKAGES = ("Flask", "Flask-SQLAlchemy", "SQLAlchemy", "Flask-Mail", "itsdangerous", "psycopg", "gunicorn")


@dataclass(frozen=True)
class Row:
    """One figure: a path of ours, what it was measured against, the ratio, and what was asked of it.

    ``most`` or ``least`` bounds the ratio. ``note`` says in a sentence what the figure means. What could not be run
    here has no ratio, and a note that says why.
    """

    path: str
    against: str
    ratio: float | None
    most: float | None = None
    least: float | None = None
    unit: str = "×"
    note: str = ""

    @property
    def asked(self) -> str:
        if self.most is not None:
            return f"≤ {self.most:g}{self.unit}"
        return f"≥ {self.least:g}{self.unit}" if self.least is not None else ""

    def meets(self, slack: float = 1.0) -> bool:
        """Whether the bound holds; ``slack`` is how many times worse it may be. What was not run breaks none."""
        if self.ratio is None:
            return True
        if self.most is not None:
            return self.ratio <= self.most * slack
        return self.least is None or self.ratio >= self.least / slack


@dataclass(frozen=True)
class Times:
    """Seconds of each contender in each round."""

    rounds: Mapping[str, list[float]]

    def ratio(self, name: str, base: str) -> float:
        """The median over the rounds of the ratio within a round, so that a slow minute slows both."""
        pairs = zip(self.rounds[name], self.rounds[base], strict=True)
        return statistics.median(one / other for one, other in pairs)

    def seconds(self, name: str) -> float:
        return statistics.median(self.rounds[name])


def interleave(contenders: Mapping[str, Contender], rounds: int = 5) -> Times:
    """Time every contender once in each round, after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, work in contenders.items():
            took = work.seconds() if isinstance(work, Elsewhere) else seconds_of(work)
            if turn:
                times[name].append(took)
    return Times(times)


def seconds_of(work: Work) -> float:
    """What one round takes, without what earlier ones left to collect."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def repeated(work: Callable[[int], object], items: int) -> Work:
    """Work that does ``work(0)`` to ``work(items - 1)``."""

    def run() -> None:
        for item in range(items):
            work(item)

    return run


def machine() -> str:
    """Where and with what the figures were measured."""
    processor = platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        processor = names[0] if names else processor
    packages = ", ".join(f"{name} {package_version(name)}" for name in PACKAGES)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} × {processor}{load}; Python {platform.python_version()}; {packages}"


def package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| path | measured against | asked | now | met | what it means |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        met = "" if not row.asked or row.ratio is None else "yes" if row.meets() else "**no**"
        now = "not run" if row.ratio is None else f"{row.ratio:.3g}{row.unit}"
        lines.append(f"| {row.path} | {row.against} | {row.asked} | {now} | {met} | {row.note} |")
    return "\n".join(lines)


def say(text: str) -> None:
    """Tell whoever waits what is being measured."""
    print(text, file=sys.stderr, flush=True)
