"""An import by the command, as people run it: ``python -m benchmarks.importing [ROWS]``.

A list of that many people, a million by default, is muted by ``flask optout import`` on SQLite
and on PostgreSQL. Asked: a million in less than a minute. ``--profile`` prints where the time goes instead.
"""

from __future__ import annotations

import cProfile
import pstats
import tempfile
import time
from pathlib import Path

import click
import sqlalchemy as sa

from flask_optout.wiring import current_state
from tests.support.databases import NoServer

from .harness import machine, say
from .hosting import SQLITE, hosted

DOMAINS = 500


def write_list(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write("email,opportunity\n")
        file.writelines(f"person{number}@example{number % DOMAINS}.org,beta-42\n" for number in range(rows))


def measure(kind: str, path: Path, rows: int, profile: bool) -> None:
    with hosted(kind) as host:
        profiler, begun, used = cProfile.Profile(), time.perf_counter(), time.process_time()
        if profile:
            profiler.enable()
        result = host.app.test_cli_runner().invoke(args=["optout", "import", str(path), "--yes"])
        profiler.disable()
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        assert result.exit_code == 0, result.output
        muted = sa.select(sa.func.count()).where(current_state().tables.choices.choice.c.muted)
        with host.db.engine.connect() as connection:
            assert connection.scalar(muted) == rows
        print(f"{kind}: {rows:,} rows in {seconds:.1f} s, {used:.1f} s of them on this side's processor.", flush=True)
        if profile:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(20)


@click.command()
@click.argument("rows", default=1_000_000)
@click.option("--profile", is_flag=True, help="Print where the time goes.")
def main(rows: int, profile: bool) -> None:
    """Time an import on each database."""
    print(f"{machine()}.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        write_list(path, rows)
        for kind in (SQLITE, "PostgreSQL"):
            try:
                measure(kind, path, rows, profile)
            except NoServer as error:
                say(f"no {kind} server: {error}")


if __name__ == "__main__":
    main()
