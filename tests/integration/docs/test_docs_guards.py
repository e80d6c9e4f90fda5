"""Each recipe for a guard lets in operators and nobody else, by the real library; Flask-Limiter loses no opt-out."""

from __future__ import annotations

import base64
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.conftest import missing
from tests.support.hosts import KEY, free_port, http_server
from tests.support.proxies import NoNginx, nginx

pytestmark = pytest.mark.usefixtures("minutes_over")

PAGE = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text()
LOG = "/optout/operator/"
SIGNAL = {"List-Unsubscribe": "One-Click"}


def recipe(heading: str, language: str = "python") -> str:
    """The code below a heading of the recipes."""
    _, _, text = PAGE.partition(f"# {heading}\n")
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The app of the recipes."""
    monkeypatch.setenv("FLASK_SECRET_KEY", KEY)
    monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", f"sqlite:///{tmp_path / 'app.db'}")
    monkeypatch.setenv("FLASK_MAIL_SUPPRESS_SEND", "true")
    module = ModuleType("guarded")
    monkeypatch.setitem(sys.modules, "guarded", module)
    exec(recipe("Recipes"), vars(module))
    yield module
    with module.app.app_context():
        module.db.engine.dispose()


def made(module: ModuleType, heading: str) -> ModuleType:
    exec(recipe(heading), vars(module))
    with module.app.app_context():
        module.db.create_all()
    return module


def by_session(module: ModuleType, client: FlaskClient, name: str) -> None:
    with client.session_transaction() as session:
        session["operator"] = "Olga" if name == "Olga" else ""


def by_flask_login(module: ModuleType, client: FlaskClient, name: str) -> None:
    with module.app.app_context():
        user = module.User(name=name, role="operator" if name == "Olga" else "reader")
        module.db.session.add(user)
        module.db.session.commit()
        id = str(user.id)
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = id, True


def by_flask_principal(module: ModuleType, client: FlaskClient, name: str) -> None:
    from flask_principal import Identity, identity_loaded

    def provide(sender: Any, identity: Identity) -> None:
        if identity.id == "Olga":
            identity.provides.add(module.RoleNeed("operator"))

    module.provide = provide  # type: ignore[attr-defined]  # signals hold their receivers weakly
    identity_loaded.connect(provide, module.app)
    with client.session_transaction() as session:
        session["identity.id"], session["identity.auth_type"] = name, "form"


SIGN_IN: dict[str, Callable[[ModuleType, FlaskClient, str], None]] = {
    "A session": by_session,
    "Flask-Login": by_flask_login,
    "Flask-Principal": by_flask_principal,
}


@pytest.mark.parametrize("heading", SIGN_IN)
def test_an_operator_comes_in_and_nobody_else(module: ModuleType, heading: str) -> None:
    app = made(module, heading).app
    clients = {name: app.test_client() for name in ("Olga", "Carl", "a stranger")}
    for name in ("Olga", "Carl"):
        SIGN_IN[heading](module, clients[name], name)
    assert [client.get(LOG).status_code for client in clients.values()] == [200, 404, 404]
    stranger = clients["a stranger"]
    here, nowhere = (stranger.get(path) for path in (LOG, "/nowhere/operator/"))
    assert (here.status, [*here.headers], here.data) == (nowhere.status, [*nowhere.headers], nowhere.data)


def test_a_decorator_of_flask_security_lets_nobody_in(module: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    """Given as the guard, it is truthy whatever it answers."""
    from flask_security import auth_required

    module.auth_required = auth_required  # type: ignore[attr-defined]
    code = recipe("Flask-Security").replace(
        'lambda: current_user.has_role("operator") and current_user.email', "GUARD"
    )
    assert "GUARD" in code
    exec(code.replace("GUARD", 'auth_required("session")'), vars(module))
    assert module.app.test_client().get(LOG).status_code == 404
    assert "OptOut(db, operator=lambda:" in caplog.text


@contextmanager
def behind_nginx(module: ModuleType, folder: Path) -> Iterator[str]:
    port, app_port = free_port(), free_port()
    (folder / "operators").write_text("Olga:{PLAIN}secret\n")
    conf = recipe("HTTP basic, behind a proxy", "nginx").replace("/etc/nginx/operators", str(folder / "operators"))
    conf = conf.replace("127.0.0.1:8000", f"127.0.0.1:{app_port}").replace("listen 8080", f"listen 127.0.0.1:{port}")
    try:
        with http_server(module.app, app_port), nginx(folder, port, conf):
            yield f"http://127.0.0.1:{port}"
    except NoNginx:
        missing("nginx", "apt-get install nginx-light")


def test_a_proxy_asks_for_the_password_and_nobody_names_themselves(module: ModuleType, tmp_path: Path) -> None:
    made(module, "HTTP basic, behind a proxy")

    def status(path: str, password: str = "", **headers: str) -> int:
        if password:
            headers["Authorization"] = "Basic " + base64.b64encode(f"Olga:{password}".encode()).decode()
        asked = urllib.request.Request(
            url + path, headers={name.replace("_", "-"): headers[name] for name in headers}
        )
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    with behind_nginx(module, tmp_path) as url:
        assert [status(LOG, "secret"), status(LOG, "wrong"), status(LOG)] == [200, 401, 401]
        for path in (
            LOG,
            "//optout/operator/",
            "/optout/%6fperator/",
            "/optout/./operator/",
            "/x/../optout/operator/",
        ):
            assert status(path, X_Operator="Mallory") in (401, 404), path
            assert status(path, "wrong", X_Operator="Mallory") in (401, 404), path
        assert status("/optout/", "wrong", X_Operator="Mallory") == 404


def test_a_limiter_loses_no_opt_out(module: ModuleType) -> None:
    made(module, "A session")
    exec(recipe("Flask-Limiter").replace("100 per hour", "2 per hour"), vars(module))
    module.app.add_url_rule("/jobs", "jobs", lambda: "jobs")
    client = module.app.test_client()
    with module.app.app_context():
        links = current_state().links
        paths = [urlsplit(links.url(Door.ONE_CLICK, parse(f"p{n}@example.org"), "camera")).path for n in range(5)]
        landing = urlsplit(module.optout.link("p0@example.org", "camera")).path
    assert [client.get("/jobs").status_code for _ in range(3)] == [200, 200, 429]
    assert {client.post(path, data=SIGNAL).status_code for path in paths} == {200}
    assert {client.get(landing).status_code for _ in range(5)} == {200}
    with module.app.app_context():
        assert not any(module.optout.may_invite(f"p{n}@example.org", "camera") for n in range(5))
