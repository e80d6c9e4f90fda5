"""Scanners without a browser, against a host's own deployment: as a command, and in its tests."""

from __future__ import annotations

import re

import pytest
from flask import request
from flask.testing import FlaskClient
from jinja2 import DictLoader

from flask_optout.testing import scanner_visits
from flask_optout.testing.scanners import PROFILES
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import Host, Mailbox, free_port, http_server, say

pytestmark = pytest.mark.long


@pytest.mark.parametrize("muted", [False, True])
def test_scanners_change_nothing(host: Host, client: FlaskClient, muted: bool) -> None:
    if muted:
        say(host, True, to="jane@example.org")
    clock = current_state().clock
    findings = scanner_visits(client, host.optout.link("jane@example.org", "beta-42"))
    assert [(finding.profile, finding.unchanged) for finding in findings] == [(name, True) for name in PROFILES]
    choices = current_state().choices.read(host.claim().person).values()
    assert any(choice.muted for choice in choices) is muted
    assert current_state().clock is clock


def test_a_host_learns_which_scanner_changed_something(make: MakeHost) -> None:
    host = make()
    host.app.before_request(lambda: _mute_on(host, "HEAD"))
    with host.app.app_context():
        findings = scanner_visits(host.app.test_client(), host.optout.link("jane@example.org", "beta-42"))
    assert [finding.profile for finding in findings if not finding.unchanged] == ["P1 head probe"]


def test_a_page_without_our_buttons_is_no_success(make: MakeHost) -> None:
    host = make()
    host.app.jinja_loader = DictLoader({"optout/landing.html": "Welcome."})
    with host.app.app_context():
        findings = scanner_visits(host.app.test_client(), host.optout.link("jane@example.org", "beta-42"))
    assert [finding.unchanged for finding in findings] == [None] * len(PROFILES)


@pytest.mark.parametrize("broken", [False, True])
def test_scan_me_tries_a_deployment_from_outside(make: MakeHost, broken: bool) -> None:
    port = free_port()
    host = make(OPTOUT_BASE_URL=f"http://127.0.0.1:{port}")
    if broken:
        host.app.before_request(lambda: _mute_on(host, "HEAD"))
    with http_server(host.app, port), host.app.app_context():
        link = host.optout.link("jane@example.org", "beta-42")
        result = host.app.test_cli_runner().invoke(args=["optout", "scan-me", link])
    assert result.exit_code == (1 if broken else 0), result.output
    assert len(re.findall(r"^P\d", result.output, re.MULTILINE)) == len(PROFILES)
    assert ("CHANGED THE CHOICE" in result.output) is broken


@pytest.mark.parametrize("url", ["https://elsewhere.example/optout/x", "file:///etc/passwd", "x"])
def test_scan_me_stays_at_home(host: Host, url: str) -> None:
    result = host.app.test_cli_runner().invoke(args=["optout", "scan-me", url])
    assert result.exit_code == 2 and "not on this machine" in result.output


@pytest.mark.parametrize("path", ["/optout/x", "/ü", "/a b", "x/"])
def test_scan_me_says_when_nothing_answers(host: Host, path: str) -> None:
    url = f"http://127.0.0.1:{free_port()}{path}"
    result = host.app.test_cli_runner().invoke(args=["optout", "scan-me", url])
    assert result.exit_code == 1 and result.output.startswith("Error: The URL does not answer: ")


def test_scan_me_says_when_that_is_no_url(host: Host) -> None:
    result = host.app.test_cli_runner().invoke(args=["optout", "scan-me", "http://[::1"])
    assert result.exit_code == 2 and result.output.endswith("Error: URL is malformed.\n")


def test_scan_me_says_when_something_else_than_a_web_server_answers(host: Host, smtp: Mailbox) -> None:
    result = host.app.test_cli_runner().invoke(args=["optout", "scan-me", f"http://{smtp.host}:{smtp.port}/"])
    assert result.exit_code == 1 and result.output.startswith("Error: The URL does not answer: ")


def _mute_on(host: Host, method: str) -> None:
    if request.method == method:
        say(host, True, to="jane@example.org")
