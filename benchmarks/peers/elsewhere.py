"""A peer in a process of its own, so that no framework stands in another's way, nor its start in the figures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..harness import Elsewhere
from .child import NOT_RUN
from .task import Task

ROOT = Path(__file__).parents[2]


class NotRun(Exception):
    """A peer cannot do the work here, and why."""


class Peer:
    """A peer that is ready: its tables are filled."""

    def __init__(self, process: subprocess.Popen[str], task: Task) -> None:
        self._process = process
        self.version = str(self._ask(asdict(task)))

    def people(self) -> list[str]:
        return list(self._ask("people"))

    @property
    def rounds(self) -> Elsewhere:
        return Elsewhere(lambda: float(self._ask("round")))

    def _ask(self, question: object) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise NotRun("ended without an answer")
        answer = json.loads(line)
        if isinstance(answer, dict):
            raise NotRun(answer[NOT_RUN])
        return answer


@contextmanager
def running(command: list[str], task: Task) -> Iterator[Peer]:
    """A peer until the block ends.

    :raises NotRun: It cannot do the work here.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        try:
            yield Peer(process, task)
        finally:
            process.stdin.close()


def python(module: str) -> list[str]:
    """The command of a peer in Python, whose own warnings are not ours."""
    return [sys.executable, "-W", "ignore", "-m", f"{__package__}.{module}"]


def mailkick() -> list[str]:
    """The command of mailkick.

    :raises NotRun: There is no checkout of it, or no Ruby.
    """
    if "MAILKICK" not in os.environ:
        raise NotRun("needs MAILKICK, the path of a checkout of ankane/mailkick")
    if not shutil.which("ruby"):
        raise NotRun("needs `apt-get install ruby ruby-activerecord ruby-sqlite3 ruby-pg`")
    return ["ruby", str(Path(__file__).with_name("mailkick.rb"))]
