"""A host behind gunicorn, in processes of its own."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.hosts import KEY, Mailbox, free_port, wait_for

ROOT = Path(__file__).parents[2]


@contextmanager
def gunicorn(
    folder: Path, smtp: Mailbox, *arguments: str, place: str = "tests.support.served_app:app", **more: str
) -> Iterator[int]:
    """Serve a host that its environment configures; its servers log to ``folder / "log"``; gives the port.

    :param place: of the WSGI application, in a module that has the app as ``app``.
    :param more: settings beside the usual ones.
    """
    importlib.import_module("gunicorn")  # without which the test is skipped
    port = free_port()
    settings = {
        "SECRET_KEY": KEY,
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'host.db'}",
        "MAIL_SERVER": smtp.host,
        "MAIL_PORT": smtp.port,
        "MAIL_DEFAULT_SENDER": "team@example.org",
        "OPTOUT_BASE_URL": f"http://127.0.0.1:{port}",
        **more,
    }
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{folder}",
        **{f"HOST_{name}": json.dumps(value) for name, value in settings.items()},
    }
    init = [sys.executable, "-m", "flask", "--app", f"{place.partition(':')[0]}:app", "optout", "init-db"]
    subprocess.run(init, cwd=folder, env=environment, check=True, capture_output=True)
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", *arguments, place]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            wait_for(server, port)
            yield port
        finally:
            server.terminate()
            server.wait(timeout=60)
