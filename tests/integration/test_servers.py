"""The whole story under the servers that people run, with many candidates at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.hosts import KEY, Mailbox, free_port, wait_for
from tests.support.walk import NO, SIGNAL, Web, links, walk

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
WORKERS = {
    "gunicorn with threads": ["-k", "gthread", "--threads", "8", "-w", "2"],
    "gunicorn with gevent": ["-k", "gevent", "-w", "1"],
}


@contextmanager
def gunicorn(folder: Path, smtp: Mailbox, arguments: list[str]) -> Iterator[Web]:
    web = Web(free_port())
    public = f"http://127.0.0.1:{web.port}"
    settings = {
        "SECRET_KEY": KEY,
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'host.db'}",
        "MAIL_SERVER": smtp.host,
        "MAIL_PORT": smtp.port,
        "MAIL_DEFAULT_SENDER": "team@example.org",
        "OPTOUT_BASE_URL": public,
    }
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        **{f"HOST_{name}": json.dumps(value) for name, value in settings.items()},
    }
    app = "tests.support.served_app:app"
    init = [sys.executable, "-m", "flask", "--app", app, "optout", "init-db"]
    subprocess.run(init, cwd=folder, env=environment, check=True, capture_output=True)
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-b",
        f"127.0.0.1:{web.port}",
        "--log-level",
        "error",
        *arguments,
        app,
    ]
    server = subprocess.Popen(command, cwd=folder, env=environment)
    try:
        wait_for(server, web.port)
        yield web
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.mark.parametrize(
    "arguments",
    [pytest.param(value, id=name, marks=pytest.mark.walked("Server", name)) for name, value in WORKERS.items()],
)
def test_the_story_is_walked_under(arguments: list[str], tmp_path: Path, smtp: Mailbox) -> None:
    with gunicorn(tmp_path, smtp, arguments) as web:
        public = f"http://127.0.0.1:{web.port}"

        def invite(address: str = "jane@example.org") -> None:
            assert web.open(f"{public}/invite/{address}", "").text == "accepted"

        walk(web, smtp, invite, public)

        smtp.received.clear()
        people = [f"candidate{number}@example.org" for number in range(16)]
        with ThreadPoolExecutor(len(people)) as pool:
            list(pool.map(invite, people))
            mails = {mail.rcpt_to[0]: links(mail) for mail in smtp.received}
            assert set(mails) == set(people)
            list(pool.map(lambda person: web.press(mails[person][0], NO), people[::2]))
            answers = pool.map(lambda person: web.open(mails[person][1], SIGNAL).status, people[1::4])
            assert set(answers) == {200}
            smtp.received.clear()
            list(pool.map(invite, people))
        assert {mail.rcpt_to[0] for mail in smtp.received} == set(people[3::4])
