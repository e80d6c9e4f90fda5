"""Every fault on every database: ``python -m benchmarks.faults``, and ``--quick`` for a tenth of it.

Prints what was tried and what must not have happened: invitations to muted people, pages that say "muted" when
that is not stored, and choices that were lost. Databases that are not reachable are named and left out.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.crashes import MARKS
from tests.support.databases import KINDS, Database, NoServer, database_of
from tests.support.deploys import deploy
from tests.support.differential import compare
from tests.support.fault_tally import Tally, rehearse
from tests.support.faults import FAULTS, scene
from tests.support.hosts import KEY, OLD, Host, Mailbox, dispose, make_host, smtp_server
from tests.support.races import crowd, race

ROOT = Path(__file__).parents[1]
HEADINGS = ("fault", "database", "tried", "muted people invited", 'false "muted" pages', "lost choices")


class Row(NamedTuple):
    fault: str
    database: str
    tried: int
    invited: int
    false_pages: int
    lost: int


class Amounts(NamedTuple):
    rounds: int
    pairs: int
    crowds: int
    crashes: int
    turns: int
    addresses: int


FULL = Amounts(rounds=10, pairs=10_000, crowds=50, crashes=1_001, turns=200, addresses=100_000)
QUICK = Amounts(rounds=1, pairs=200, crowds=5, crashes=99, turns=20, addresses=10_000)


def faults(database: Database, smtp: Mailbox, folder: Path, amounts: Amounts) -> Iterator[Row]:
    for fault in FAULTS:
        if database.kind not in fault.kinds:
            continue
        tally = Tally()
        with scene(database, smtp, folder) as stage:
            for number in range(amounts.rounds):
                rehearse(stage, fault, tally, number)
        with scene(database, smtp, folder) as stage, stage.host.app.app_context():
            stage.host.db.drop_all()
        smtp.received.clear()
        yield Row(fault.name, database.kind, tally.tried, tally.muted_invited, tally.false_pages, tally.lost)


def races(database: Database, smtp: Mailbox, folder: Path, amounts: Amounts) -> Iterator[Row]:
    host = make_host(folder, SQLALCHEMY_DATABASE_URI=database.uri)
    outcome = race(host, amounts.pairs, seed=7)
    yield Row(
        "pairs of presses at once", database.kind, outcome.pairs, 0, outcome.wrong + outcome.refused, outcome.untold
    )
    if database.kind == "sqlite":
        written = [*crowd(host, 64, amounts.crowds)]
        refused = sum(status != 200 for status, _ in written)
        yield Row(
            "64 writers at once", database.kind, len(written), 0, refused, sum(not stored for _, stored in written)
        )
    dispose(host)


def crashes(database: Database, smtp: Mailbox, folder: Path, amounts: Amounts) -> Iterator[Row]:
    command = [
        sys.executable,
        "-m",
        "tests.support.crashes",
        str(folder),
        database.uri,
        str(smtp.port),
        str(amounts.crashes),
    ]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    invited = sum(len(smtp.to(report["person"])) for report in reports if report["muted"] or report["said"])
    halves = sum(report["rows"] != int(report["muted"]) for report in reports)
    lost = halves + sum(bool(report["said"]) and not report["muted"] for report in reports)
    yield Row(
        f"killed at {len(MARKS)} points", database.kind, sum(report["killed"] for report in reports), invited, 0, lost
    )


def rotations(database: Database, smtp: Mailbox, folder: Path, amounts: Amounts) -> Iterator[Row]:
    """A key is added and the old one dropped while invitations leave and people press."""
    smtp.received.clear()
    with ExitStack() as stack:

        def start(**config: Any) -> Host:
            config |= {"MAIL_SERVER": smtp.host, "MAIL_PORT": smtp.port}
            host = make_host(folder, SQLALCHEMY_DATABASE_URI=database.uri, **config)
            stack.callback(dispose, host)
            return host

        load = deploy(start, smtp, [{"OPTOUT_KEYS": keys} for keys in ([OLD], [KEY, OLD], [KEY])], amounts.turns)
    invited = load.lost.pop("invitation to somebody muted", 0)
    yield Row("key added and old one dropped", database.kind, load.turns, invited, 0, load.lost.total())


def addresses(smtp: Mailbox, folder: Path, amounts: Amounts) -> Row:
    host = make_host(folder, MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        verdicts = compare(host, smtp, amounts.addresses, seed=7)
    dispose(host)
    return Row(
        f"addresses ({verdicts.refused} refused, {verdicts.dropped} dropped, {verdicts.delivered} delivered)",
        "sqlite",
        verdicts.generated,
        verdicts.muted_mailed,
        0,
        verdicts.read_otherwise,
    )


STEPS = {"faults": faults, "races": races, "crashes": crashes, "rotations": rotations}


def rows(amounts: Amounts, only: list[str]) -> Iterator[Row]:
    for kind in KINDS:
        try:
            with tempfile.TemporaryDirectory() as folder, smtp_server(Mailbox) as smtp:
                for step in [STEPS[name] for name in STEPS if name in only]:
                    with database_of(kind, Path(folder)) as database:
                        yield from step(database, smtp, Path(folder), amounts)
                    Path(folder, "host.db").unlink(missing_ok=True)
        except NoServer as error:
            print(f"No {kind} server: {error}.", file=sys.stderr)
    if "addresses" not in only:
        return
    with tempfile.TemporaryDirectory() as folder, smtp_server(Mailbox) as smtp:
        yield addresses(smtp, Path(folder), amounts)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    every = [*STEPS, "addresses"]
    parser.add_argument("--only", choices=every, action="append", help="one kind of trial; may be given again")
    arguments = parser.parse_args()
    amounts = QUICK if arguments.quick else FULL
    logging.disable(logging.CRITICAL)  # each refusal is logged, as it should be
    print("| " + " | ".join(HEADINGS) + " |\n" + "| --- " * len(HEADINGS) + "|")
    total = Row("all", "", 0, 0, 0, 0)
    for row in rows(amounts, arguments.only or every):
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
        total = Row("all", "", *(a + b for a, b in zip(total[2:], row[2:], strict=True)))
    print("| " + " | ".join(map(str, total)) + " |")
    return int(any(total[3:]))


if __name__ == "__main__":
    sys.exit(main())
