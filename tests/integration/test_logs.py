"""What a process logs holds no personal link, and no address beside a pseudonym."""

from __future__ import annotations

import io
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.databases import KINDS, Database
from tests.support.gunicorn import gunicorn
from tests.support.hosts import Host, Mailbox, dispose, say
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


def opened(url: str, data: bytes | None = None, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_no_log_of_a_real_server_holds_a_link(tmp_path: Path, smtp: Mailbox, worker: str) -> None:
    (tmp_path / "careless.py").write_text(APP)
    log_all = ("--log-level", "debug", "--access-logfile", "-", "-k", worker)
    with gunicorn(tmp_path, smtp, *log_all, place="careless:start", SQLALCHEMY_ECHO="debug") as port:
        url = f"http://127.0.0.1:{port}"
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
@pytest.mark.parametrize(
    ("database", "in_memory"), [*((kind, False) for kind in KINDS), ("sqlite", True)], indirect=["database"]
)
def test_no_statement_is_logged_with_an_address_or_a_pseudonym(
    make: MakeHost, database: Database, smtp: Mailbox, echoed: io.StringIO, echo: object, in_memory: bool
) -> None:
    settings = {"SQLALCHEMY_DATABASE_URI": "sqlite://" if in_memory else database.uri, "SQLALCHEMY_ECHO": echo}
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, OPTOUT_FIND_LINK=True, **settings)
    echoed.truncate(echoed.seek(0))  # without the tables being made
    with host.app.app_context():
        live(host)
        claim = host.claim()
        pseudonyms = [part for marks in (claim.person, claim.base or ()) for mark in marks for part in mark]
        pseudonyms.append(current_state().key.id)
        dispose(host)
    log = echoed.getvalue()
    if not in_memory:  # where our statements go past the engine that echoes
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
