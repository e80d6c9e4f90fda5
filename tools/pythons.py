"""Run the tests on other Pythons, each with the oldest and the newest dependencies that pyproject.toml allows.

``python -m tools.pythons python3.12 python3.13 [-- PYTEST ARGUMENTS]`` makes an environment for each interpreter and
edition, runs pytest in it, prints a line for each, and exits with 1 when one failed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from .compatibility import ROOT, environment, floors


def outcome(python: Path, arguments: list[str]) -> tuple[bool, str]:
    """Whether pytest passed in this environment, and what failed, then its last line."""
    command: list[str | Path] = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    *before, last = (ran.stdout.strip() or ran.stderr.strip()).splitlines()
    return ran.returncode == 0, "\n".join([last, *(line for line in before if line.startswith("FAILED"))])


def main(words: list[str]) -> int:
    split = words.index("--") if "--" in words else len(words)
    interpreters, arguments, failed = words[:split] or [sys.executable], words[split + 1 :], False
    with tempfile.TemporaryDirectory() as folder:
        for number, interpreter in enumerate(interpreters):
            for edition, constraints in (("oldest", floors()), ("newest", [])):
                python = environment(Path(folder, f"{number}-{edition}"), constraints, interpreter)
                version = subprocess.check_output([python, "--version"], text=True).strip()
                passed, line = outcome(python, arguments)
                failed |= not passed
                print(f"{version}, {edition}: {line}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
