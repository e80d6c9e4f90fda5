"""docs/compatibility.md speaks of the tests that there are, and of the versions that pyproject.toml allows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.compatibility import ROOT, TABLE, floors, table

pytestmark = pytest.mark.long

PAGE = TABLE.read_text()


def test_the_table_has_a_row_for_each_walked_test(tmp_path: Path) -> None:
    file = tmp_path / "walked.json"
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-m", "walked", "-p", "tests.support.walked"]
    subprocess.run([*command, "--walked-to", str(file)], cwd=ROOT, check=True, capture_output=True)
    collected = json.loads(file.read_text())
    rows = re.findall(r"^\| ([^|]+ \| [^|]+) \| [^|]+ \| [^|]+ \|$", table(collected, collected), re.MULTILINE)
    written = re.findall(r"^\| ([^|]+ \| [^|]+) \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert written == rows, "run python -m tools.compatibility"


@pytest.mark.parametrize("floor", floors())
def test_the_oldest_versions_are_the_lowest_allowed(floor: str) -> None:
    lowest = Requirement(floor)
    found = re.search(rf"^\| {re.escape(lowest.name)} \| (\S+) \| \S+ \|$", PAGE, re.MULTILINE)
    if found is not None and (lowest.marker is None or lowest.marker.evaluate({"python_version": "3.11"})):
        assert lowest.specifier.contains(found[1])


def test_nothing_failed() -> None:
    assert "FAILED" not in PAGE
