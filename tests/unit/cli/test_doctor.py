"""The command, as far as an app that is not examined meets it."""

from __future__ import annotations

import subprocess
import sys

from flask_optout.cli.doctor import doctor

LEFT = ("case", "examine", "report", "domain", "finding")


def test_an_app_that_is_not_examined_does_not_wait_for_the_doctor() -> None:
    code = "import sys, flask_optout; print(*(name for name in sys.modules if 'doctor' in name))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    assert "flask_optout.cli.doctor" in loaded
    assert not {f"flask_optout.doctor.{name}" for name in LEFT} & set(loaded)


def test_the_command_says_what_it_does_before_it_loads_what_does_it() -> None:
    assert doctor.name == "doctor"
    assert "how to mend it" in doctor.get_short_help_str(200)
    assert [parameter.name for parameter in doctor.params] == [
        "domain",
        "message",
        "nameserver",
        "block_lists",
        "for_programs",
        "offline",
    ]
