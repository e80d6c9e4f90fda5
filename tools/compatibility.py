"""Test with the oldest and the newest versions: ``python -m tools.compatibility [FOLDER]``.

Makes two environments in FOLDER, or in a temporary one: ``oldest`` has the lowest versions that pyproject.toml
allows, ``newest`` those that pip finds. Runs the tests marked ``walked`` in both, and writes docs/compatibility.md
from their results. Needs Redis, PostgreSQL and MariaDB on this machine.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "compatibility.md"
#: The extras of the mail libraries; noxfile.py takes the lowest versions from here, too.
EXTRAS = ("mail", "mailman")
HEAD = """# Tested configurations

Made by `python -m tools.compatibility`, which runs the tests of each row in two environments: one with the lowest
versions that `pyproject.toml` allows, one with the newest that pip finds. A tick means that they passed:

- A row of a mail library is one of its ways to send. An invitation leaves by it with its link, an invitation to a
  muted person does not leave, and ordinary mail is unchanged.
- A row of a host or a server: an invitation, a mute, a blocked invitation and an undo were tried over HTTP.
- A row of a worker: each attempt of a job was checked, also after a SIGKILL.
- A row of a transaction: Flask-OptOut neither commits nor rolls back what the host has begun, and no choice is lost
  with it.
"""


def floors() -> list[str]:
    """The lowest version of each package that pyproject.toml names with one, as constraints."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in EXTRAS for line in project["optional-dependencies"][extra]),
    ]
    return [_lowest(Requirement(line)) for line in wanted if ">=" in line]


def _lowest(requirement: Requirement) -> str:
    [bound] = requirement.specifier
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}=={bound.version}{marker}"


def environment(folder: Path, constraints: list[str], base: str = sys.executable) -> Path:
    """The Python of an environment with the package and its tests, which is made unless it exists.

    :param base: the interpreter that it is made from.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([base, "-m", "venv", folder], check=True)
    file = folder / "constraints.txt"
    file.write_text("\n".join(constraints))
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "-c",
        file,
        "-e",
        f"{ROOT}[integration]",
    ]
    subprocess.run(command, check=True)
    return python


def walked(python: Path, file: Path) -> dict[str, Any]:
    """Run the marked tests; gives their results."""
    command: list[str | Path] = [python, "-m", "pytest", "-q", "-m", "walked", "-p", "tests.support.walked"]
    subprocess.run(
        [*command, "--walked-to", file], cwd=ROOT, env={**os.environ, "OPTOUT_REQUIRE_ALL": "1"}, check=False
    )
    result: dict[str, Any] = json.loads(file.read_text())
    return result


def table(oldest: dict[str, Any], newest: dict[str, Any]) -> str:
    """The page."""
    versions = [
        f"| {name} | {version} | {newest['versions'][name]} |" for name, version in oldest["versions"].items()
    ]
    outcomes = {(what, where): outcome for what, where, outcome in newest["rows"]}
    rows = [
        f"| {what} | {_code(where)} | {_cell(outcome)} | {_cell(outcomes[what, where])} |"
        for what, where, outcome in oldest["rows"]
    ]
    parts = [
        HEAD,
        "| Package | Oldest | Newest |\n| --- | --- | --- |\n" + "\n".join(versions) + "\n",
        "| What | Where | Oldest | Newest |\n| --- | --- | --- | --- |\n" + "\n".join(sorted(rows)) + "\n",
    ]
    return "\n".join(parts)


def _code(where: str) -> str:
    return f"`{where}`" if re.search(r"[._=\[\"]", where) else where


def _cell(outcome: str) -> str:
    return {"passed": "✓", "failed": "FAILED"}.get(outcome, outcome)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch)
        results = []
        for name, constraints in (("oldest", floors()), ("newest", [])):
            python = environment(folder / name, constraints)
            results.append(walked(python, folder / f"{name}.json"))
    TABLE.write_text(table(*results))
    failed = [row for result in results for row in result["rows"] if row[2] == "failed"]
    print(f"{TABLE.relative_to(ROOT)}: {len(results[0]['rows'])} rows, {len(failed)} failures.")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
