"""Commands run on a terminal."""

from __future__ import annotations

import os
import pty
import sys
import threading

import click
import pytest
from flask import Flask
from flask.cli import ScriptInfo


def on_terminal(command: click.Command, *arguments: str, app: Flask | None = None, answer: str = "") -> str:
    """What a command writes to a terminal of 80 columns."""
    controller, terminal = pty.openpty()
    said = bytearray()

    def read() -> None:
        while True:
            try:
                said.extend(os.read(controller, 65_536))
            except OSError:
                return

    reader = threading.Thread(target=read)
    reader.start()
    os.write(controller, answer.encode())
    with (
        os.fdopen(terminal, "r+b", buffering=0) as both,
        os.fdopen(os.dup(both.fileno()), "w") as out,
        os.fdopen(os.dup(both.fileno())) as given,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", out)
        patch.setattr(sys, "stdin", given)
        patch.setenv("TERM", "xterm")
        with pytest.raises(SystemExit):
            command.main(list(arguments), "optout", obj=ScriptInfo(create_app=lambda: app or Flask("none")))
    reader.join()
    os.close(controller)
    return said.decode()
