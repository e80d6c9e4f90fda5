"""`optout.invitable` beside its floor, what most people write, and who sends invitations elsewhere."""

from __future__ import annotations

import hashlib
import random
import secrets
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flask_optout.choices.bulk import Filter
from flask_optout.choices.repository import Choices
from flask_optout.choices.store import Store
from flask_optout.choices.tables import Tables
from flask_optout.links.keys import ALL, DIGEST_SIZE, KeyRing
from tests.support.databases import database_of

from .filling import fill, for_all
from .harness import Contender, Row, Times, interleave, say
from .hosting import on_each_database
from .peers.beside import Beside, beside, settle
from .peers.task import Task

ROUNDS = 5
OPPORTUNITY = "beta-42"
RING = KeyRing.of([b"the key of the benchmarks, 32 bytes."])


@dataclass(frozen=True)
class Case:
    """How many are asked about, how many of the opportunity's mutes there are, and how many choices in all."""

    addresses: int
    mutes: int
    rows: int
    most: float
    peers: bool = False

    def __str__(self) -> str:
        return f"{self.addresses:,} addresses, {self.mutes:,} mutes among {self.rows:,} rows"


SMALL = (
    Case(50_000, 50_000, 200_000, 3),
    Case(50_000, 500, 200_000, 1.3),
    Case(10_000, 5_000, 50_000, 2, peers=True),
)
FULL = (
    Case(1_000_000, 1_000_000, 20_000_000, 3),
    Case(1_000_000, 1_000, 20_000_000, 1.3),
    Case(100_000, 1_000, 1_000_000, 2, peers=True),
    Case(100_000, 50_000, 1_000_000, 2, peers=True),
)
MEMORY = Case(1_000_000, 1_000_000, 1_100_000, 3)


def person(number: int) -> str:
    return f"candidate{number}@example{number % 50}.org"


@dataclass(frozen=True)
class World:
    """A filled database, and those who are asked about: half of the mutes are theirs, half strangers'."""

    engine: sa.Engine
    asked: list[str]
    muted: list[str]
    filter: Filter

    def ours(self) -> list[Any]:
        return list(self.filter.invitable(self.asked, OPPORTUNITY))


@contextmanager
def world(kind: str, case: Case) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder, database_of(kind, Path(folder)) as database:
        engine = sa.create_engine(database.url)
        metadata = sa.MetaData()
        tables = Tables.on(metadata)
        metadata.create_all(engine)
        half = case.mutes // 2
        numbers = random.Random(7).sample(range(case.addresses), min(half, case.addresses))
        muted = [person(number) for number in numbers]
        muted += [person(number) for number in range(case.addresses, case.addresses + case.mutes - half)]
        fill(engine, tables, RING.current, OPPORTUNITY, muted, case.rows)
        settle(engine)
        choices = Choices(Store(lambda: engine), tables, RING)
        yield World(engine, [person(n) for n in range(case.addresses)], muted, Filter(choices, tables, RING))
        engine.dispose()


def floor(asked: list[str], muted: list[str], all_muted: int) -> Callable[[], list[str]]:
    """The digests that the gate needs, and look-ups in sets that are in memory already, as large as the table's."""
    here, everywhere = (_prefix(about) for about in (OPPORTUNITY, ALL))
    mutes = set(RING.current.digests(OPPORTUNITY, [address.encode() for address in muted]))
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
    return hashlib.blake2b(data, digest_size=DIGEST_SIZE, key=RING.current.people, person=b"optout.person")


def measure(kind: str, case: Case) -> Iterator[Row]:
    say(f"filling {kind}: {case}")
    with world(kind, case) as made, _others(made, case) as others:
        base = floor(made.asked, made.muted, for_all(case.rows))
        assert made.ours() == base(), "a filter that lets other people pass than its floor"
        contenders: dict[str, Contender] = {"floor": base, "ours": made.ours}
        say("measuring")
        times = interleave(contenders | others.contenders, ROUNDS)
        yield _row(kind, case, times)
        yield from others.rows(f"{kind}: {case}", times)


@contextmanager
def _others(made: World, case: Case) -> Iterator[Beside]:
    if not case.peers:
        yield Beside()
        return
    task = Task.on(made.engine, OPPORTUNITY, made.asked, made.muted, case.rows)
    with beside(made.engine, task, made.ours()) as others:
        yield others


def _row(kind: str, case: Case, times: Times) -> Row:
    ours, base = (times.seconds(name) / case.addresses * 1e6 for name in ("ours", "floor"))
    note = f"{ours:.2f} µs an address, floor {base:.2f}"
    return Row(
        f"{kind}: {case}", "digests and sets in memory", times.ratio("ours", "floor"), most=case.most, note=note
    )


def memory(kind: str, case: Case, addresses: int) -> Row:
    """What a run over addresses from a generator takes at most, as Python counts it."""
    with world(kind, case) as made:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in made.filter.invitable((person(number) for number in range(addresses)), OPPORTUNITY):
            pass
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
    path = f"{kind}: memory, {addresses:,} addresses from a generator, {case.mutes:,} mutes"
    return Row(path, "the process before", peak / (1 << 20), most=24, unit=" MiB")


def rows(full: bool) -> Iterator[Row]:
    cases, remembered, addresses = (FULL, MEMORY, 10_000_000) if full else (SMALL, SMALL[0], 100_000)

    def of(kind: str) -> Iterator[Row]:
        for case in cases:
            yield from measure(kind, case)
        yield memory(kind, remembered, addresses)

    yield from on_each_database("filtering", of)
