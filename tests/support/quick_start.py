"""The README, its code blocks and its commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str, page: str = README) -> list[str]:
    """The code blocks of a language on a page of the manual."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


QUICK_START, *SNIPPETS = blocks("python")
COMMANDS = "".join(blocks("shell")).splitlines()
EXAMPLE, TESTS, INSTALL, *SESSION, INVITE_AGAIN, DOCTOR = COMMANDS
MAKE_KEY, INIT_DB, MAIL_SERVER, RUN, INVITE = SESSION


def flask(
    folder: Path, command: str, settings: dict[str, str], stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
        stdout=stdout,
        stderr=subprocess.DEVNULL,
    )
