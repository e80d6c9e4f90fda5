"""The example app as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Example:
    """A running example, and where it says that it is to be opened."""

    process: subprocess.Popen[str]
    url: str

    def stop(self) -> str:
        """Press Ctrl-C; gives what it wrote to standard error."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=60)[1]


@contextmanager
def example(*arguments: str, module: str = "example_app", **environment: str) -> Iterator[Example]:
    """Start the example with the README's command, less its virtual environment."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        # A shell lets its jobs in the background ignore Ctrl-C, and so do those whom they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        greeting = re.search(r"http://\S+", process.stdout.readline())
        if greeting is None:
            raise AssertionError(process.communicate()[1])
        yield Example(process, greeting[0])
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate()
