"""To everybody but operators, every URL and method under the operator pages is one that was never there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, abort, g, jsonify, redirect, render_template_string, request, session
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect
from werkzeug.test import TestResponse

from tests.conftest import MakeHost
from tests.support.email_log import LOG, operator_of, post, sent
from tests.support.hosts import Host, Mailbox

pytestmark = pytest.mark.long

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"]
PATHS = [
    "operator/",
    "operator",
    "operator?recipient=jane@example.org",
    "operator/ID",
    "operator/ID/",
    "operator/ID/html",
    "operator/ID.eml",
    "operator/ID/send-again",
    "operator/1",
    "operator/1.eml",
    "operator/filters",
    "operator/filters/delete",
    "operator/nothing/here",
    "operator//filters",
    "operator/ID//send-again",
    "operator/%00",
]


def plain(app: Flask) -> None:
    """Nothing of its own: the page of Werkzeug."""


def own_page(app: Flask) -> None:
    @app.errorhandler(404)
    def not_found(error: Exception) -> tuple[str, int, dict[str, str]]:
        page = "<h1>Nothing at {{ request.path }}</h1>{{ request.endpoint }}"
        return render_template_string(page), 404, {"X-Page": "ours"}


def own_errors(app: Flask) -> None:
    @app.errorhandler(Exception)
    def failed(error: Exception) -> tuple[Response, int]:
        return jsonify(error=str(error), allowed=getattr(error, "valid_methods", None)), 418


def looks_before(app: Flask) -> None:
    @app.before_request
    def login_wall() -> Any:
        return redirect("/login") if request.endpoint is not None and request.endpoint != "static" else None


def stops_before(app: Flask) -> None:
    @app.before_request
    def closed() -> None:
        if request.headers.get("X-Operator") is None:
            abort(503)


def looks_after(app: Flask) -> None:
    @app.after_request
    def tell(response: Response) -> Response:
        response.headers["X-Endpoint"] = f"{request.endpoint} {request.blueprint} {request.view_args}"
        response.headers["X-Rule"] = str(request.url_rule)
        return response


def catches_all(app: Flask) -> None:
    app.add_url_rule("/<path:rest>", "everything", lambda rest: f"<main data-path='{rest}'></main>")


def pulls_values(app: Flask) -> None:
    @app.url_value_preprocessor
    def pull(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.endpoint = endpoint

    @app.after_request
    def tell(response: Response) -> Response:
        response.headers["X-Pulled"] = str(g.endpoint)
        return response


def guards_forms(app: Flask) -> None:
    CSRFProtect(app)


KINDS = [
    plain,
    own_page,
    own_errors,
    looks_before,
    stops_before,
    looks_after,
    catches_all,
    pulls_values,
    guards_forms,
]


def observed(client: FlaskClient, method: str, path: str, **options: Any) -> tuple[str, list[tuple[str, str]], str]:
    """Status, headers and body, less the name of the place that was asked for."""
    answer: TestResponse = client.open(path, method=method, **options)

    def alike(text: str) -> str:
        return text.replace("/nowhere", "/optout").replace("nowhere/", "optout/")

    headers = [(name, alike(value)) for name, value in answer.headers if name != "Content-Length"]
    return answer.status, headers, alike(answer.get_data(as_text=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "without a guard"])
def test_to_an_outsider_nothing_is_here_at_all(make: MakeHost, kind: Callable[[Flask], None], guarded: bool) -> None:
    host = make(operator=(lambda: session.get("operator")) if guarded else None, MAIL_SUPPRESS_SEND=True)
    kind(host.app)
    with host.app.app_context():
        id = sent(host).removeprefix(LOG)
    outsider = host.app.test_client()
    for method in METHODS:
        for path in PATHS:
            there = path.replace("ID", id)
            for body in ({}, {"data": "x" * 20_000}):
                here = observed(outsider, method, f"/optout/{there}", **body)
                assert here == observed(outsider, method, f"/nowhere/{there}", **body), (method, path)
    assert observed(outsider, "GET", "//optout/operator/") == observed(outsider, "GET", "//nowhere/operator/")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not looks_before])
def test_an_operator_gets_the_pages_of_every_such_host(make: MakeHost, kind: Callable[[Flask], None]) -> None:
    host = make(operator=lambda: request.headers.get("X-Operator"), MAIL_SUPPRESS_SEND=True)
    kind(host.app)
    with host.app.app_context():
        path = sent(host)
    client = operator_of(host)
    assert [client.get(page).status_code for page in (LOG, LOG.rstrip("/"), path)] == [200, 200, 200]
    assert client.get(path).headers["Cache-Control"] == "no-store"


def test_the_guard_sees_the_user_that_the_app_loads_before_each_request(make: MakeHost) -> None:
    host = make(operator=lambda: g.user == "Olga")

    @host.app.before_request
    def load_user() -> None:
        g.user = request.headers.get("X-Operator")

    assert operator_of(host).get(LOG).status_code == 200
    assert operator_of(host, "Carl").get(LOG).status_code == 404


def test_what_a_guard_does_to_the_session_of_somebody_else_is_not_stored(make: MakeHost) -> None:
    def guard() -> bool:
        session["seen"] = "yes"
        return bool(request.headers.get("X-Operator"))

    host = make(operator=guard)
    assert "Set-Cookie" not in host.app.test_client().get(LOG).headers
    assert "Set-Cookie" in operator_of(host).get(LOG).headers


def test_beside_flask_wtf_a_form_of_another_site_is_refused(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    CSRFProtect(host.app)
    path = f"{sent(host)}/send-again"
    assert client.post(path, headers={"Origin": "https://evil.example"}).status_code == 400
    assert len(smtp.received) == 1
    assert post(client, path).status_code == 303
    assert len(smtp.received) == 2


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "HEAD", "TRACE", "GET"])
def test_no_other_method_of_an_operator_sends(host: Host, client: FlaskClient, smtp: Mailbox, method: str) -> None:
    path = f"{sent(host)}/send-again"
    assert client.open(path, method=method).status_code == (200 if method == "OPTIONS" else 405)
    assert len(smtp.received) == 1


def test_without_a_guard_there_are_no_routes(make: MakeHost) -> None:
    host = make()
    assert not any("operator" in rule.endpoint for rule in host.app.url_map.iter_rules())
    assert operator_of(host).get(LOG).status_code == 404


def test_no_operator_route_is_matched_by_the_app_itself(host: Host) -> None:
    rules = [rule for rule in host.app.url_map.iter_rules() if rule.endpoint.startswith("optout_operator.")]
    assert len(rules) == 6
    assert all(rule.rule.startswith(LOG) and rule.build_only for rule in rules)
