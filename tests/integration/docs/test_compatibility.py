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


def test_the_oldest_versions_are_the_lowest_allowed() -> None:
    oldest = dict(re.findall(r"^\| (\S+) \| (\S+) \| \S+ \|$", PAGE, re.MULTILINE))
    lowest = [each for each in map(Requirement, floors()) if each.name in oldest]
    lowest = [each for each in lowest if each.marker is None or each.marker.evaluate({"python_version": "3.11"})]
    assert {each.name for each in lowest} >= {
        "Flask",
        "Flask-SQLAlchemy",
        "SQLAlchemy",
        "Flask-Mail",
        "Flask-Mailman",
    }
    assert [str(each) for each in lowest if not each.specifier.contains(oldest[each.name])] == []


def test_nothing_failed() -> None:
    assert "FAILED" not in PAGE
