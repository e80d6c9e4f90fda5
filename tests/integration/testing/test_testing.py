"""The plugin for the tests of hosts: the manual's app and tests run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

PAGE = (Path(__file__).parents[3] / "docs" / "testing.md").read_text()
APP, TESTS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_manuals_tests_pass(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "test_shop.py").write_text(TESTS)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0 and "5 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_plugin_loads_no_mail_library() -> None:
    libraries = "{'flask_mail', 'flask_mailman'}"
    code = f"import sys, flask_optout.testing.pytest_plugin; sys.exit(bool({libraries} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
