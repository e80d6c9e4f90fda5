"""`optout.invitable`, compared with the least work there is and, with ``--peers``, with other libraries."""

from __future__ import annotations

import hashlib
import random
import secrets
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from flask_optout.choices.bulk import invitable
from flask_optout.links.tokens import ALL, DIGEST_SIZE
from flask_optout.wiring import current_state

from .filling import fill, for_all
from .harness import Contender, Row, Times, interleave, say
from .hosting import SQLITE, hosted, on_databases
from .peers.beside import Beside, beside, settle
from .peers.task import Task

ROUNDS = 5
KINDS = (SQLITE, "PostgreSQL")
OPPORTUNITY = "beta-42"
SECRET = b"the key of the benchmarks, 32 b."


@dataclass(frozen=True)
class Case:
    """How many are asked about, how many of the opportunity's mutes there are, and how many choices in all."""

    addresses: int
    mutes: int
    rows: int
    most: float

    def __str__(self) -> str:
        return f"{self.addresses:,} addresses, {self.mutes:,} mutes among {self.rows:,} rows"


SMALL = (
    Case(50_000, 25_000, 100_000, 2),
    Case(100_000, 500, 100_000, 1.65),
    Case(50_000, 50_000, 100_000, 2.8),
)
FULL = (
    Case(100_000, 50_000, 1_000_000, 2),
    Case(1_000_000, 1_000, 1_000_000, 1.65),
    Case(1_000_000, 1_000_000, 5_000_000, 2.8),
)
#: MiB above the process before, and how many times as much for five times as many addresses.
MOST_MEMORY, FLAT = 100, 1.1


def person(number: int) -> str:
    return f"candidate{number}@example{number % 50}.org"


@dataclass(frozen=True)
class World:
    """A filled database, and those who are asked about: half of the mutes are theirs, half strangers'."""

    engine: sa.Engine
    asked: list[str]
    muted: list[str]

    def ours(self) -> list[Any]:
        return list(invitable(current_state().choices, self.asked, OPPORTUNITY))


@contextmanager
def world(kind: str, case: Case) -> Iterator[World]:
    with hosted(kind) as host:
        half, state = case.mutes // 2, current_state()
        numbers = random.Random(7).sample(range(case.addresses), min(half, case.addresses))
        muted = [person(number) for number in numbers]
        muted += [person(number) for number in range(case.addresses, case.addresses + case.mutes - half)]
        say(f"filling {kind}: {case}")
        fill(host.db.engine, state.tables.choices, state.key, OPPORTUNITY, muted, case.rows)
        settle(host.db.engine)
        yield World(host.db.engine, [person(n) for n in range(case.addresses)], muted)


def floor(asked: list[str], muted: list[str], all_muted: int) -> Callable[[], list[str]]:
    """The digests that the gate needs, and look-ups in sets that are in memory already, as large as the table's."""
    here, everywhere = (_prefix(about) for about in (OPPORTUNITY, ALL))
    mutes = {_digest(here, address) for address in muted}
    all_mutes = {secrets.token_bytes(DIGEST_SIZE) for _ in range(all_muted)}

    def work() -> list[str]:
        passed = []
        for address in asked:
            encoded = address.encode()
            one, other = here.copy(), everywhere.copy()
            one.update(encoded)
            other.update(encoded)
            if one.digest() not in mutes and other.digest() not in all_mutes:
                passed.append(address)
        return passed

    return work


def _prefix(about: str) -> Any:
    name = about.encode()
    data = len(name).to_bytes(4, "big") + name
    return hashlib.blake2b(data, digest_size=DIGEST_SIZE, key=SECRET, person=b"optout.person")


def _digest(prefix: Any, address: str) -> bytes:
    state = prefix.copy()
    state.update(address.encode())
    return bytes(state.digest())


def measure(kind: str, case: Case, peers: bool) -> Iterator[Row]:
    with world(kind, case) as made, _others(made, case, peers) as others:
        base = floor(made.asked, made.muted, for_all(case.rows))
        assert made.ours() == base(), "a filter that lets other people pass than its floor"
        contenders: dict[str, Contender] = {"floor": base, "ours": made.ours}
        say("measuring")
        times = interleave(contenders | others.contenders, ROUNDS)
        yield _row(kind, case, times)
        yield from others.rows(f"{kind}: {case}", times)


@contextmanager
def _others(made: World, case: Case, peers: bool) -> Iterator[Beside]:
    if not peers:
        yield Beside()
        return
    task = Task.on(made.engine, OPPORTUNITY, made.asked, made.muted, case.rows)
    with beside(made.engine, task, made.ours()) as others:
        yield others


def _row(kind: str, case: Case, times: Times) -> Row:
    ours, base = (times.seconds(name) / case.addresses * 1e6 for name in ("ours", "floor"))
    note = f"An address takes {ours:.2f} µs; its two digests and look-ups in memory take {base:.2f} µs."
    ratio = times.ratio("ours", "floor")
    return Row(f"{kind}: {case}", "digests and sets in memory", ratio, most=case.most, note=note)


def memory(kind: str, case: Case) -> Iterator[Row]:
    """What a run over addresses from a generator takes at most, as Python counts it."""
    with world(kind, case):
        few, many = (_peak(number) for number in (case.addresses // 5, case.addresses))
    path = f"{kind}: memory at {case.mutes:,} mutes"
    note = f"A run over {case.addresses:,} addresses from a generator takes so much more at its highest."
    yield Row(path, "the process before", many / (1 << 20), most=MOST_MEMORY, unit=" MiB", note=note)
    note = "It does not grow with the number of addresses."
    yield Row(path, f"the same for {case.addresses // 5:,} addresses", many / few, most=FLAT, note=note)


def _peak(addresses: int) -> int:
    """Bytes."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in invitable(current_state().choices, (person(number) for number in range(addresses)), OPPORTUNITY):
        pass
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak


def rows(full: bool, peers: bool) -> Iterator[Row]:
    """All cases, and the first of them beside the peers, where those are wanted."""
    cases = FULL if full else SMALL

    def of(kind: str) -> Iterator[Row]:
        for case in cases:
            yield from measure(kind, case, peers and case is cases[0])
        yield from memory(kind, cases[-1])

    yield from on_databases("filtering", KINDS, of)
