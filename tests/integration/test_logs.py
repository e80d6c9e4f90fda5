"""What a process logs holds no personal link, and no address beside a pseudonym (V10)."""

from __future__ import annotations

import importlib
import io
import json
import logging
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import KEY, Host, Mailbox, dispose, free_port, say, wait_for
from tests.support.story import link_in

APP = """
import logging

from flask import request
from tests.support.served_app import app

logging.basicConfig(format="root %(message)s", level="INFO")


@app.get("/careless/<path:link>")
def careless(link):
    logging.getLogger("served.views").warning("asked for %s", link)
    logging.getLogger("a.library").info("URL %s", request.url)
    app.logger.getChild("views").error("at %(url)s", {"url": request.url})
    raise ValueError(f"cannot look at {link}")


@app.before_request
def fail():
    if "fail" in request.headers:
        raise RuntimeError(request.path)


def start(environ, start_response):
    if environ["PATH_INFO"].startswith("/raw/"):
        raise RuntimeError(environ["PATH_INFO"])
    return app(environ, start_response)
"""


@contextmanager
def gunicorn(folder: Path, smtp: Mailbox, worker: str) -> Iterator[str]:
    """The careless app behind a real server, which logs all that it can to ``log``."""
    importlib.import_module("gunicorn")  # without which the test is skipped
    (folder / "careless.py").write_text(APP)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "SECRET_KEY": KEY,
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'host.db'}",
        "SQLALCHEMY_ECHO": "debug",
        "MAIL_SERVER": smtp.host,
        "MAIL_PORT": smtp.port,
        "MAIL_DEFAULT_SENDER": "team@example.org",
        "OPTOUT_BASE_URL": url,
    }
    environment = {
        **os.environ,
        "PYTHONPATH": f"{Path(__file__).parents[2]}:{folder}",
        **{f"HOST_{name}": json.dumps(value) for name, value in settings.items()},
    }
    init = [sys.executable, "-m", "flask", "--app", "careless:app", "optout", "init-db"]
    subprocess.run(init, cwd=folder, env=environment, check=True, capture_output=True)
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--log-level", "debug"]
    command += ["--access-logfile", "-", "-k", worker, "careless:start"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            wait_for(server, port)
            yield url
        finally:
            server.terminate()
            server.wait(timeout=20)


def opened(url: str, data: bytes | None = None, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_no_log_of_a_real_server_holds_a_link(tmp_path: Path, smtp: Mailbox, worker: str) -> None:
    with gunicorn(tmp_path, smtp, worker) as url:
        assert opened(f"{url}/invite/jane@example.org", b"") == 200
        link = link_in(smtp.received[0].part("plain"))
        path = link.removeprefix(url)
        assert opened(link) == opened(link.upper().replace(url.upper(), url).replace("OPTOUT", "optout")) == 200
        assert [opened(f"{url}/careless{path}"), opened(link, fail="1"), opened(f"{url}/raw{path}")] == [500] * 3
        assert opened(f"{url}/nothing{path}", Referer=link) == 404
    log = (tmp_path / "log").read_text()
    assert path.rpartition("/")[2] not in log.lower()
    for logger_said in (
        "root asked for optout/[personal link]",  # a logger of the app's own
        "root URL http",  # one of a library
        "root at http",  # a child of app.logger
        "Exception on /careless/optout/[personal link] [GET]",  # Flask
        "ValueError: cannot look at optout/[personal link]",  # a traceback
        "RuntimeError: /optout/[personal link]",  # one of our own views
        "Error handling request GET /raw/optout/[personal link]",  # gunicorn.error
        "RuntimeError: /raw/optout/[personal link]",
        '"GET /optout/[personal link] HTTP/1.1" 200',  # gunicorn.access
    ):
        assert logger_said in log, logger_said


@pytest.fixture
def echoed() -> Iterator[io.StringIO]:
    """What SQLAlchemy writes to a handler of the root."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("echo", [True, "debug"])
@pytest.mark.parametrize("uri", [None, "sqlite://"], ids=["a database", "in memory"])
def test_no_statement_is_logged_with_an_address_or_a_pseudonym(
    make: MakeHost, database: Database, smtp: Mailbox, echoed: io.StringIO, echo: object, uri: str | None
) -> None:
    if uri is not None and database.kind != "sqlite":
        pytest.skip("in memory is SQLite")
    settings = {"SQLALCHEMY_DATABASE_URI": uri or database.uri, "SQLALCHEMY_ECHO": echo}
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, OPTOUT_FIND_LINK=True, **settings)
    echoed.truncate(echoed.seek(0))  # without the tables being made
    with host.app.app_context():
        live(host)
        claim = host.claim()
        pseudonyms = [part for marks in (claim.person, claim.base or ()) for mark in marks for part in mark]
        pseudonyms.append(current_state().key.id)
        dispose(host)
    log = echoed.getvalue()
    if uri is None:  # in memory, our statements go past the engine that echoes
        assert "optout_choice" in log and "optout_email_log" in log and "hide_parameters" in log
    assert "jane" not in log and "example.org" not in log
    for secret in pseudonyms:
        assert repr(secret)[2:-1] not in log and secret.hex() not in log.lower()
    assert not re.search("^Row", log, re.MULTILINE)


def live(host: Host) -> None:
    """Invite, look, mute, undo, send again."""
    host.mail.send(host.invitation("jane@example.org"))
    path = host.path("jane@example.org")
    host.app.test_client().get(path)
    host.press(path, "mute")
    host.press(path, "undo")
    say(host, True, "jane@example.org")
    host.mail.send(host.invitation("jane@example.org"))
    host.mail.send_invitations([host.invitation(f"jane{number}@example.org") for number in range(3)])
    assert not host.optout.may_invite("jane@example.org", "beta-42")
    assert list(host.optout.invitable(["jane@example.org", "jane2@example.org"], "beta-42")) == ["jane2@example.org"]


def test_the_hosts_own_statements_are_logged_as_it_wants(make: MakeHost, echoed: io.StringIO) -> None:
    host = make(SQLALCHEMY_ECHO=True)
    with host.app.app_context():
        host.optout.may_invite("jane@example.org", "beta-42")
        host.db.session.execute(host.db.text("select :word"), {"word": "visible"})
    assert "('visible',)" in echoed.getvalue()
