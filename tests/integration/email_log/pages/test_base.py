"""Forms are taken from our own pages only."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect

from flask_optout import OptOut
from tests.conftest import MakeHost
from tests.support.email_log import operator_of, sent
from tests.support.hosts import Host, Mailbox


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_a_form_of_another_site_is_refused(
    host: Host, client: FlaskClient, smtp: Mailbox, headers: dict[str, str]
) -> None:
    path = sent(host)
    token = re.findall(r'name="form_token" value="([^"]+)"', client.get(path).text)[0]
    answer = client.post(f"{path}/send-again", data={"form_token": token}, headers=headers)
    assert (answer.status_code, "Nothing changed." in answer.text) == (400, True)
    assert len(smtp.received) == 1


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}])
def test_a_form_of_our_own_is_taken(host: Host, client: FlaskClient, headers: dict[str, str]) -> None:
    path = sent(host)
    token = re.findall(r'name="form_token" value="([^"]+)"', client.get(path).text)[0]
    assert client.post(f"{path}/send-again", data={"form_token": token}, headers=headers).status_code == 303


def test_a_form_without_its_token_or_with_another_operators_is_refused(host: Host, client: FlaskClient) -> None:
    path = sent(host)
    foreign = re.findall(r'name="form_token" value="([^"]+)"', operator_of(host, "Otto").get(path).text)[0]
    for token in ("", "x", foreign):
        assert client.post(f"{path}/send-again", data={"form_token": token}).status_code == 400


def test_an_old_form_is_refused(host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sent(host)
    token = re.findall(r'name="form_token" value="([^"]+)"', client.get(path).text)[0]
    monkeypatch.setattr("flask_optout.email_log.pages.base.FORM_AGE", -1)
    assert client.post(f"{path}/send-again", data={"form_token": token}).status_code == 400


@pytest.mark.parametrize("csrf_first", [True, False])
def test_forms_carry_the_token_of_flask_wtf_where_it_guards_the_app(
    make: MakeHost, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch, csrf_first: bool
) -> None:
    if csrf_first:
        made = OptOut.init_app
        monkeypatch.setattr(OptOut, "init_app", lambda self, app: (CSRFProtect(app), made(self, app))[1])
    host = make(operator=lambda: "Olga", MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    if not csrf_first:
        CSRFProtect(host.app)
    client = host.app.test_client()
    with host.app.app_context():
        path = sent(host)
    fields = dict(re.findall(r'name="(\w+_token)" value="([^"]+)"', client.get(path).text))
    assert client.post(f"{path}/send-again", data={"form_token": fields["form_token"]}).status_code == 400
    assert client.post(f"{path}/send-again", data=fields).status_code == 303
