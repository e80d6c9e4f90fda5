"""The command, as far as an app that is not examined meets it; its help is read in ``test_commands.py``."""

from __future__ import annotations

import subprocess
import sys


def test_an_app_that_is_not_examined_does_not_wait_for_the_doctor() -> None:
    code = "import sys, flask_optout; print(*(name for name in sys.modules if 'doctor' in name))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    assert "flask_optout.cli.doctor" in loaded
    # The forms of a page are read by "flask optout scan-me", too.
    assert {*loaded} <= {"flask_optout.cli.doctor", "flask_optout.doctor", "flask_optout.doctor.forms"}
