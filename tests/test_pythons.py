"""Another Python's verdict is that of pytest there, and what failed there is shown."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.pythons import outcome

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("condition", "passed", "line"), [("True", True, "1 passed"), ("False", False, "1 failed")], ids=str
)
def test_the_outcome_is_that_of_pytest(tmp_path: Path, condition: str, passed: bool, line: str) -> None:
    file = tmp_path / "test_one.py"
    file.write_text(f"def test_one():\n    assert {condition}\n")
    verdict, said = outcome(Path(sys.executable), [str(file)])
    assert verdict is passed and said.startswith(line) and ("FAILED" in said) is not passed
