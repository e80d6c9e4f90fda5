"""The demo of the manual."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
MANUAL = ROOT / "docs" / "doctor.md"


def test_the_demo_shows_a_broken_domain_and_a_mended_one() -> None:
    [command] = re.findall(r"^```shell\n(.*)\n```$", MANUAL.read_text(), re.MULTILINE)
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m ")
    said = subprocess.run(
        [sys.executable, "-m", shlex.split(command)[-1]], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    assert "broken.example has 2 SPF records" in said
    assert "would take 14 look-ups, and may take 10" in " ".join(said.split())
    assert "2 things to mend, 2 to look at, 4 well, 0 could not be told" in said
    assert "0 things to mend, 0 to look at, 7 well, 0 could not be told" in said
