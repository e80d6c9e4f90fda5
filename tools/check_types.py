"""Asks pyright whether every type of the package is known to code that imports it: ``python -m tools.check_types``.

Exits with 1 when one is not. Flask-Mailman has no types: mypy's stubtest compares our stub with the installed
library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
STUBBED = "flask_optout.mailers.mailman_library"


def unknown_types() -> list[str]:
    """The names whose type is not known, or only inferred."""
    command = [sys.executable, "-m", "pyright", "--verifytypes", "flask_optout", "--ignoreexternal", "--outputjson"]
    # From the checkout: pyright does not follow the hook of an editable installation.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path}
    command += ["--pythonpath", sys.executable]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    symbols = json.loads(ran.stdout)["typeCompleteness"]["symbols"]
    assert len(symbols) > 1000, "pyright did not find the package."
    return [symbol["name"] for symbol in symbols if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]]


def untrue_stub() -> list[str]:
    """What is wrong in the stub of Flask-Mailman."""
    command = [sys.executable, "-m", "mypy.stubtest", STUBBED, "--concise", "--mypy-config-file", "pyproject.toml"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return (ran.stdout + ran.stderr).splitlines() if ran.returncode else []


if __name__ == "__main__":
    found = unknown_types() + untrue_stub()
    print("\n".join(found) or "Every type is known.")
    sys.exit(bool(found))
