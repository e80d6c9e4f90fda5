"""Who may come in: the guard is a check or a decorator, and to others nothing is there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from flask import abort, g, redirect, request
from flask.testing import FlaskClient

from flask_optout import ConfigurationError, OptOut
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.email_log import LOG, operator_of, post, sent
from tests.support.hosts import Host


def plain_decorator(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs) if request.headers.get("X-Operator") else redirect("/login")

    return guarded


def aborting_decorator(view: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not request.headers.get("X-Operator"):
            abort(403)
        return str(view(*args, **kwargs))

    return guarded


def aborting_check() -> bool:
    if not request.headers.get("X-Operator"):
        abort(401)
    return True


GUARDS: dict[str, tuple[Any, str]] = {
    "check that names": (lambda: request.headers.get("X-Operator"), "Olga"),
    "check": (lambda: bool(request.headers.get("X-Operator")), "operator"),
    "check with a default": (lambda header="X-Operator": request.headers.get(header), "Olga"),
    "check that aborts": (aborting_check, "operator"),
    "decorator that redirects": (plain_decorator, "operator"),
    "decorator that aborts": (aborting_decorator, "operator"),
}


@pytest.mark.parametrize(("guard", "name"), GUARDS.values(), ids=GUARDS)
def test_a_guard_is_a_check_or_a_decorator(make: MakeHost, guard: Any, name: str) -> None:
    host = make(operator=guard, MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        path = sent(host)
    operator = operator_of(host)
    assert operator.get(path).status_code == 200
    post(operator, f"{path}/send-again")
    assert f", {name}\n" in operator.get(path).text
    assert host.app.test_client().get(path).status_code == 404


@pytest.mark.parametrize("guard", ["", 5, {}])
def test_a_guard_that_cannot_be_called_is_refused(host: Host, guard: Any) -> None:
    with pytest.raises(ConfigurationError, match="login_required"):
        OptOut(host.db, operator=guard)


ROUTES = [
    ("GET", ""),
    ("GET", "../operator"),
    ("GET", "?recipient=jane@example.org"),
    ("GET", "ID"),
    ("GET", "1"),
    ("GET", "ID/html"),
    ("GET", "ID.eml"),
    ("GET", "1.eml"),
    ("GET", "ID/send-again"),
    ("POST", "ID/send-again"),
    ("POST", "ID"),
    ("DELETE", "ID"),
    ("PUT", "nothing/here"),
    ("GET", "nothing/here"),
    ("HEAD", "ID"),
    ("OPTIONS", "ID"),
    ("POST", "filters"),
    ("POST", "filters/delete"),
    ("GET", "filters"),
    ("GET", "counts"),
]


def test_to_an_outsider_nothing_is_here_at_all(host: Host, client: FlaskClient) -> None:
    id = sent(host).removeprefix(LOG)
    outsider = host.app.test_client()
    nothing = outsider.get("/optout/nothing/here")
    assert nothing.status_code == 404
    for method, path in ROUTES:
        answer = outsider.open((LOG + path.replace("ID", id)).replace("operator/../", ""), method=method)
        assert answer.status_code == 404, (method, path)
        assert dict(answer.headers) == dict(nothing.headers), (method, path)
        assert answer.data == (b"" if method == "HEAD" else nothing.data), (method, path)


def test_without_a_guard_there_are_no_routes(make: MakeHost) -> None:
    host = make()
    assert not any("operator" in rule.endpoint for rule in host.app.url_map.iter_rules())
    assert operator_of(host).get(LOG).status_code == 404


def test_every_operator_route_is_behind_the_guard(host: Host) -> None:
    rules = [rule for rule in host.app.url_map.iter_rules() if rule.endpoint.startswith("optout_operator.")]
    assert len(rules) == 10
    assert {rule.rule.startswith(LOG) for rule in rules} == {True}


def test_the_guard_leaves_nothing_behind(host: Host) -> None:
    with host.app.test_request_context(headers={"X-Operator": "Olga"}):
        assert current_state().operator() == "Olga"  # type: ignore[misc]
        assert "optout_guard_passed" not in g
