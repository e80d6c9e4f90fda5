"""Who may come in: whom the guard affirms or names, and whatever else it answers lets nobody in.

Forms are taken from our own pages only, and what is wrong is told on a page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Response, abort, redirect, request, session
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect
from werkzeug.local import LocalStack

from flask_optout import ConfigurationError, OptOut
from tests.conftest import MakeHost
from tests.support.email_log import LOG, operator_of, post, sent
from tests.support.hosts import Host


class Proxy:
    """As werkzeug's LocalProxy: it takes itself for what it stands for, and is truthy."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return bool

    def __bool__(self) -> bool:
        return True


async def asynchronous() -> bool:
    return True


def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
    return view


def decorator_with_options(view: Callable[..., Any] | None = None) -> Callable[..., Any]:
    return decorator


def aborting() -> bool:
    abort(401)


GUARDS: dict[str, tuple[Any, str]] = {
    "a name": (lambda: request.headers.get("X-Operator"), "Olga"),
    "True": (lambda: "X-Operator" in request.headers, "operator"),
    "a default argument": (lambda header="X-Operator": request.headers.get(header), "Olga"),
}


@pytest.mark.parametrize(("guard", "name"), GUARDS.values(), ids=GUARDS)
def test_a_guard_lets_in_whom_it_names_or_affirms(make: MakeHost, guard: Any, name: str) -> None:
    host = make(operator=guard, MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        path = sent(host)
    operator = operator_of(host)
    assert operator.get(path).status_code == 200
    post(operator, f"{path}/send-again")
    assert f"</time> by {name}\n" in operator.get(path).text
    assert host.app.test_client().get(path).status_code == 404


@pytest.mark.parametrize("answer", [False, None, ""])
def test_a_guard_that_denies_lets_nobody_in_and_logs_nothing(
    make: MakeHost, caplog: pytest.LogCaptureFixture, answer: object
) -> None:
    host = make(operator=lambda: answer)
    assert operator_of(host).get(LOG).status_code == 404
    assert caplog.records == []


BROKEN: dict[str, Any] = {
    "a proxy": Proxy,
    "a coroutine": asynchronous,
    "a proxy of nothing": lambda: LocalStack[object]()(),
    "a list": lambda: ["operator"],
    "a number": lambda: 1,
    "a response": lambda: Response("welcome"),
    "a redirect": lambda: redirect("/login"),
    "a decorator": decorator,
    "a decorator with options": decorator_with_options,
    "an exception": lambda: 1 / 0,
    "an abort": aborting,
}


@pytest.mark.parametrize("guard", BROKEN.values(), ids=BROKEN)
def test_whatever_else_a_guard_answers_lets_nobody_in_and_is_logged(
    make: MakeHost, caplog: pytest.LogCaptureFixture, guard: Any
) -> None:
    host = make(operator=guard)
    assert operator_of(host).get(LOG).status_code == 404
    [record] = caplog.records
    assert record.levelname == "ERROR" and "OptOut(db, operator=lambda:" in record.getMessage()


def test_a_guard_that_raises_is_named_with_its_place(make: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    host = make(operator=lambda: current_user.is_admin)  # type: ignore[name-defined]  # noqa: F821
    assert operator_of(host).get(LOG).status_code == 404
    assert "The operator guard raised NameError (test_operators.py, line " in caplog.text


def test_the_guard_that_errors_and_the_manual_name_takes_an_anonymous_visitor(make: MakeHost) -> None:
    host = make(operator=lambda: session.get("operator"))
    client = host.app.test_client()
    assert client.get(LOG).status_code == 404
    with client.session_transaction() as written:
        written["operator"] = "Olga"
    assert client.get(LOG).status_code == 200


@pytest.mark.parametrize("guard", ["", 5, {}])
def test_a_guard_that_cannot_be_called_is_refused(make: MakeHost, guard: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be called"):
        make(operator=guard)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "null"},
        {"Origin": "localhost"},
        {"Origin": "http://["},
        {"Origin": "null", "Referer": "http://localhost/"},
        {"Referer": "https://evil.example/?http://localhost/"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_a_form_of_another_site_is_refused(host: Host, client: FlaskClient, headers: dict[str, str]) -> None:
    path = sent(host)
    with host.mail.record_messages() as outbox:
        answer = client.post(f"{path}/send-again", headers=headers)
    assert (answer.status_code, "Nothing changed." in answer.text) == (400, True)
    assert outbox == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "http://localhost"},
        {"Referer": "http://localhost/optout/operator/1"},
        {"Origin": "https://invite.example.org"},
    ],
)
def test_a_form_of_our_own_is_taken(host: Host, client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post(f"{sent(host)}/send-again", headers=headers).status_code == 303


@pytest.mark.parametrize("base", ["https://Invite.Example.org", "https://invite.example.org:443/app"])
def test_a_form_of_our_own_is_taken_however_the_base_url_is_spelled(make: MakeHost, base: str) -> None:
    """Behind a proxy that hides the host, from a browser that sends Origin alone, as Safari did until 16.4."""
    host = make(operator=lambda: "Olga", MAIL_SUPPRESS_SEND=True, OPTOUT_BASE_URL=base)
    with host.app.app_context():
        path = f"{sent(host)}/send-again"
    client = host.app.test_client()
    assert client.post(path, headers={"Origin": "https://evil.example"}).status_code == 400
    assert client.post(path, headers={"Origin": "https://invite.example.org"}).status_code == 303


@pytest.mark.parametrize("csrf_first", [True, False])
def test_flask_wtf_does_not_stand_in_the_way(
    make: MakeHost, monkeypatch: pytest.MonkeyPatch, csrf_first: bool
) -> None:
    if csrf_first:
        made = OptOut.init_app
        monkeypatch.setattr(OptOut, "init_app", lambda self, app: (CSRFProtect(app), made(self, app))[1])
    host = make(operator=lambda: "Olga", MAIL_SUPPRESS_SEND=True)
    if not csrf_first:
        CSRFProtect(host.app)
    client = host.app.test_client()
    with host.app.app_context():
        path = sent(host)
    assert client.post(f"{path}/send-again", headers={"Origin": "https://evil.example"}).status_code == 400
    assert post(client, f"{path}/send-again").status_code == 303


def test_what_is_not_there_says_so(client: FlaskClient) -> None:
    for path in ("1", "1.eml", "1/html", f"{2**63 - 1}", f"{2**70}"):
        answer = client.get(LOG + path)
        assert (answer.status_code, "There is nothing here." in answer.text) == (404, True), path


@pytest.mark.parametrize("path", [LOG, f"{LOG}?q=jane", f"{LOG}7?part=html"])
def test_behind_a_boosted_link_of_the_app_the_page_opens_anew(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"HX-Request": "true", "HX-Boosted": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"], answer.data) == (200, path, b"")


def test_pages_stay_out_of_caches_and_frames(client: FlaskClient) -> None:
    headers = client.get(LOG).headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_an_operator_is_told_what_is_wrong_with_the_store(host: Host, client: FlaskClient) -> None:
    with host.db.engine.begin() as connection:
        connection.execute(sa.text("drop table optout_email_log"))
    answer = client.get(LOG)
    assert answer.status_code == 503
    assert "flask optout init-db" in answer.text
