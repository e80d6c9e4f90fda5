"""Who may come in: whom the guard affirms or names, and whatever else it answers lets nobody in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Response, abort, redirect, request

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
    assert f", {name}\n" in operator.get(path).text
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
    assert "The operator guard raised NameError (test_guard.py, line " in caplog.text


@pytest.mark.parametrize("guard", ["", 5, {}])
def test_a_guard_that_cannot_be_called_is_refused(host: Host, guard: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be called"):
        OptOut(host.db, operator=guard)
