"""A newcomer's walk: an app that was there gets the opt-out by the README's "new" lines, is tested and examined.

``python -m tools.check_dist`` walks it with nothing but the wheel: ``OPTOUT_ADOPTER`` names the Python to use.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
PYTHON = os.environ.get("OPTOUT_ADOPTER", sys.executable)
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
BEFORE, AFTER, TEST = re.findall(r"^```python\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
MAKE_KEY, INIT_DB, TEST_IT, DOCTOR = "".join(
    re.findall(r"^```shell\n(.*?)^```$", TUTORIAL, re.M | re.DOTALL)
).splitlines()
README = (ROOT / "README.md").read_text()
NEW = [line.split("  # new")[0] for line in README.splitlines() if "  # new" in line]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(AFTER)
    (tmp_path / "test_app.py").write_text(TEST)
    return tmp_path


def run(folder: Path, *command: str, key: str = "") -> str:
    """What a command says; fails when it fails."""
    path = f"{Path(PYTHON).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "FLASK_SECRET_KEY": key}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_walk_needs_no_more_than_the_readme() -> None:
    """Of the README's new lines, all that are about no single app stand in the adopted one, word for word."""
    general = [line for line in NEW if "mail.send" not in line]
    assert len(general) == 5
    assert [line for line in general if line not in AFTER.splitlines()] == []
    assert "opportunity=" in NEW[-1]
    for command in (MAKE_KEY, INIT_DB, DOCTOR.removesuffix(" --offline")):
        assert command in README.splitlines()


def test_the_change_is_small() -> None:
    gone = set(BEFORE.splitlines()) - set(AFTER.splitlines())
    come = set(AFTER.splitlines()) - set(BEFORE.splitlines())
    assert (len(gone), len(come)) == (2, 8)


def test_an_app_that_was_there_gets_the_opt_out_is_tested_and_examined(folder: Path) -> None:
    key = run(folder, "sh", "-c", f"{MAKE_KEY}; echo $FLASK_SECRET_KEY").strip()
    run(folder, "sh", "-c", INIT_DB, key=key)
    said = run(folder, "sh", "-c", TEST_IT, key=key)
    assert "1 passed" in said
    said = run(folder, "sh", "-c", DOCTOR, key=key)
    assert "The app's Mail (flask_mail) passes the gate." in said
    assert "\n0 things to mend" in said


def test_the_same_test_fails_without_the_opt_out(folder: Path) -> None:
    (folder / "app.py").write_text(AFTER.replace(", opportunity=evening))", ", opportunity='letters'))"))
    with pytest.raises(AssertionError, match="0 invitations to this opportunity"):
        run(folder, "sh", "-c", TEST_IT, key="k" * 32)
