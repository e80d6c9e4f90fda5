"""The commands of CONTRIBUTING.md and of docs/adapters.md are run as they stand, or are those of .ci/run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
CI = (ROOT / ".ci" / "run").read_text().splitlines()


def shell(page: str) -> list[str]:
    blocks = re.findall(r"^```shell\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return "".join(blocks).splitlines()


def test_a_contributors_commands_are_those_of_ci_and_one_that_watches_commits(tmp_path: Path) -> None:
    if not (Path(sys.prefix) / "bin" / "pre-commit").exists():
        missing("package pre-commit", "pip install -e '.[dev]'")
    [watch] = (command for command in shell("CONTRIBUTING.md") if command not in CI)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    shutil.copy(ROOT / ".pre-commit-config.yaml", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(watch, shell=True, cwd=tmp_path, check=True, capture_output=True)
    assert "pre-commit" in (tmp_path / ".git" / "hooks" / "pre-commit").read_text()


def test_an_adapter_is_held_to_the_rules_by_the_pages_command() -> None:
    """On the way out that the page adds; the other libraries are run without this test."""
    first, command = (shlex.split(each) for each in shell("docs/adapters.md"))
    assert {*command} < {*first} and (ROOT / next(word for word in first if word.endswith(".py"))).is_file()
    python, *arguments = command
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ran = subprocess.run(
        [sys.executable, *arguments, "-q", "-k", "Client.deliver"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert python == ".venv/bin/python" and ran.returncode == 0, ran.stdout
    assert int(re.findall(r"(\d+) passed", ran.stdout)[0]) > 3 and "skipped" not in ran.stdout
