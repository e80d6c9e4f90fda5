"""The recipes do what they say, with the real packages and a real nginx."""

from __future__ import annotations

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from flask_optout import testing
from flask_optout.email_log.records import SLOT
from tests.conftest import missing
from tests.support.hosts import KEY, Host, Mailbox, free_port, until
from tests.support.proxies import NoNginx, nginx
from tests.support.story import link_in

pytestmark = pytest.mark.usefixtures("minutes_over")

DOCS = Path(__file__).parents[3] / "docs"
PYTHON = re.findall(r"^```python\n(.*?)^```$", (DOCS / "recipes.md").read_text(), re.MULTILINE | re.DOTALL)
APP, _, _, SECURITY, _, _, JOBS, _, APSCHEDULER, STRUCTLOG, SENTRY = PYTHON  # the others: test_docs_guards.py
[NGINX] = re.findall(r"^```nginx\n(.*?)^```$", (DOCS / "operations.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def recipe(tmp_path: Path, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The app of the recipes, with Flask-Security in it."""
    settings = {
        "SECRET_KEY": KEY,
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path / 'app.db'}",
        "MAIL_SERVER": smtp.host,
        "MAIL_PORT": str(smtp.port),
        "SECURITY_PASSWORD_SALT": "salt",
        "SECURITY_PASSWORD_HASH": "plaintext",
        "SECURITY_PASSWORD_SCHEMES": '["plaintext"]',
        "SECURITY_RECOVERABLE": "true",
        "SECURITY_EMAIL_VALIDATOR_ARGS": '{"check_deliverability": false}',
        "WTF_CSRF_ENABLED": "false",
        "TESTING": "false",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"FLASK_{name}", value)
    module = ModuleType("recipe")
    monkeypatch.setitem(sys.modules, "recipe", module)
    exec(APP, vars(module))
    exec(SECURITY, vars(module))
    with module.app.app_context():
        module.db.create_all()
    yield module
    with module.app.app_context():
        module.db.engine.dispose()


def signed_in(recipe: ModuleType, email: str, *roles: str) -> Any:
    with recipe.app.app_context():
        for role in roles:
            recipe.users.find_or_create_role(role)
        user = recipe.users.create_user(email=email, password="a long password", roles=list(roles))
        recipe.db.session.commit()
        name = user.fs_uniquifier
    client = recipe.app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = name, True
    return client


def test_a_role_of_flask_security_makes_an_operator(recipe: ModuleType) -> None:
    assert signed_in(recipe, "olga@example.org", "operator").get("/optout/operator/").status_code == 200
    assert signed_in(recipe, "carl@example.org").get("/optout/operator/").status_code == 404
    assert recipe.app.test_client().get("/optout/operator/").status_code == 404


def test_a_password_reset_reaches_a_muted_person(recipe: ModuleType, smtp: Mailbox) -> None:
    signed_in(recipe, "jane@example.org")
    mute(recipe, "jane@example.org")
    answer = recipe.app.test_client().post("/reset", json={"email": "jane@example.org"})
    assert answer.status_code == 200, answer.text
    assert [mail.rcpt_to for mail in smtp.received] == [["jane@example.org"]]
    assert "/reset/" in smtp.received[0].part("plain")


def test_an_opportunity_with_a_number_is_named_in_the_mail(recipe: ModuleType, smtp: Mailbox) -> None:
    exec(JOBS, vars(recipe))
    with recipe.app.app_context():
        recipe.db.create_all()
        job = recipe.Job(title="Night editor")
        recipe.db.session.add(job)
        recipe.db.session.commit()
        recipe.invite("jane@example.org", job)
        assert not any(map(recipe.about, ("7", "cmaera", "²")))
    assert "Night editor" in smtp.received[0].part("plain").partition("join us.")[2]


def test_the_scheduler_invites_those_who_are_not_muted(recipe: ModuleType, smtp: Mailbox) -> None:
    mute(recipe, "jane@example.org")
    exec(APSCHEDULER, vars(recipe))
    recipe.scheduler.start()
    try:
        [job] = recipe.scheduler.get_jobs()
        job.modify(next_run_time=datetime.now(UTC))
        until(lambda: smtp.received)
    finally:
        recipe.scheduler.shutdown()
    assert [mail.rcpt_to for mail in smtp.received] == [["kofi@example.com"]]
    assert "/optout/" in link_in(smtp.received[0].part("plain"))


@pytest.fixture
def sentry(recipe: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Envelope]]:
    """What Sentry would be sent by the app of the recipe."""
    sent: list[Envelope] = []

    class Recording(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            sent.append(envelope)

    def init(**options: Any) -> None:
        real(**{**options, "dsn": "https://key@sentry.invalid/1"}, transport=Recording, traces_sample_rate=1.0)

    real = sentry_sdk.init
    monkeypatch.setattr(sentry_sdk, "init", init)
    exec(SENTRY, vars(recipe))
    yield sent
    sentry_sdk.get_global_scope().set_client(None)


def test_no_event_of_sentry_holds_a_link(recipe: ModuleType, sentry: list[Envelope]) -> None:
    with recipe.app.app_context():
        link = recipe.optout.link("jane@example.org", "camera")
    recipe.app.before_request(fail)
    with pytest.raises(ZeroDivisionError):
        raise_in(recipe, link)
    sentry_sdk.flush()
    bodies = [envelope.serialize().decode() for envelope in sentry]
    assert any("ZeroDivisionError" in body for body in bodies)
    assert SLOT in "".join(bodies)
    assert not any(link.rpartition("/")[2] in body for body in bodies)


def test_sentry_groups_our_errors_by_their_event(recipe: ModuleType, sentry: list[Envelope]) -> None:
    fail_to_look(recipe)
    sentry_sdk.flush()
    events = [event for envelope in sentry if (event := envelope.get_event()) is not None]
    [logged] = [event for event in events if "logentry" in event]
    assert logged["logentry"]["message"] == "optout.store_unavailable: %s"
    assert logged["extra"]["optout_event"] == "optout.store_unavailable"
    assert "jane" not in str(events)


def test_structlog_writes_our_event(recipe: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    exec(STRUCTLOG, vars(recipe))
    try:
        fail_to_look(recipe)
    finally:
        recipe.app.logger.removeHandler(recipe.handler)
    [line] = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert line["optout_event"] == "optout.store_unavailable" and line["level"] == "error"
    assert line["event"].startswith("optout.store_unavailable: The database could not be used")
    assert "jane" not in str(line)


def fail_to_look(recipe: ModuleType) -> None:
    """Open a candidate's page while the tables are gone."""
    with recipe.app.app_context():
        link = recipe.optout.link("jane@example.org", "camera")
        recipe.db.drop_all()
    assert recipe.app.test_client().get(link).status_code == 503


def fail() -> None:
    raise ZeroDivisionError


def raise_in(recipe: ModuleType, link: str) -> None:
    recipe.app.config["PROPAGATE_EXCEPTIONS"] = True
    recipe.app.test_client().get(link, headers={"Referer": link})


def mute(recipe: ModuleType, address: str) -> None:
    with recipe.app.app_context():
        testing.mute(address, "camera")
        assert not recipe.optout.may_invite(address, "camera")


@pytest.fixture
def proxied(served: Host, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The manual's nginx before a served host: where it listens, and its access log."""
    port, log = free_port(), tmp_path / "access.log"
    conf = NGINX.replace("listen 8080", f"listen 127.0.0.1:{port}").replace("/var/log/nginx/access.log", str(log))
    conf = conf.replace("http://127.0.0.1:8000", served.app.config["OPTOUT_BASE_URL"])
    try:
        with nginx(tmp_path, port, conf):
            yield f"http://127.0.0.1:{port}", log
    except NoNginx:
        missing("nginx", "apt-get install nginx-light")


def test_nginx_keeps_no_link_and_names_other_pages(served: Host, proxied: tuple[str, Path]) -> None:
    url, log = proxied
    path = served.path()
    for visited, referer in (
        (path, ""),
        (path.upper().replace("/OPTOUT", "/optout"), ""),
        ("/elsewhere?a=b", url + path),
    ):
        request = urllib.request.Request(url + visited, headers={"Referer": referer})
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            assert visited.startswith("/elsewhere") and error.code == 404
    until(lambda: log.exists() and len(log.read_text().splitlines()) == 3)
    first, second, third = log.read_text().splitlines()
    assert '"GET /optout/- HTTP/1.1" 200' in first and '"GET /optout/- HTTP/1.1" 200' in second
    assert '"GET /elsewhere?a=b HTTP/1.1" 404' in third and ' "-" "' in third
    assert path.rpartition("/")[2] not in log.read_text().lower()
