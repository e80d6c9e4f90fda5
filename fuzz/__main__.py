"""Run a target with Atheris: ``python -m fuzz token --seconds 600``, or all of them, one after another."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ["token", "address", "headers", "csv"]


def run(name: str, seconds: int, seed: int, corpus: Path) -> None:
    """Fuzz one target; does not return."""
    import atheris

    with atheris.instrument_imports(include=["flask_optout"]):
        from .targets import SEEDS, TARGETS
    for number, example in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(example)
    options = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        "-max_len=600",
        "-print_final_stats=1",
        f"-artifact_prefix={corpus}/",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


def run_all(seconds: int, seed: int) -> int:
    """Fuzz each target in a process of its own and print how often it was executed."""
    failed = 0
    for name in NAMES:
        command = [sys.executable, "-m", "fuzz", name, "--seconds", str(seconds), "--seed", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120)
        executed = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        print(
            f"{name:8} {executed[1] if executed else '?':>9} executions  {'ok' if done.returncode == 0 else 'FAILED'}"
        )
        if done.returncode:
            failed = 1
            print(done.stdout + done.stderr)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("target", choices=[*NAMES, "all"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="start from the same draws each time; 0 draws anew")
    arguments = parser.parse_args()
    if arguments.target == "all":
        return run_all(arguments.seconds, arguments.seed)
    with tempfile.TemporaryDirectory() as corpus:
        run(arguments.target, arguments.seconds, arguments.seed, Path(corpus))
    return 0


if __name__ == "__main__":
    sys.exit(main())
