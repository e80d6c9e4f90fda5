"""The doors behind a real nginx, as people set it up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flask_optout.doctor import doors as module
from flask_optout.doctor.finding import Finding
from flask_optout.presses.evidence import HURRY
from tests.conftest import MakeHost, missing
from tests.support.findings import ids
from tests.support.fronts import FINE, tried
from tests.support.hosts import free_port, http_server
from tests.support.proxies import NoNginx, nginx

pytestmark = pytest.mark.long

PROGRAMS_OUT = {"doors.agents", "doors.one-click.refused"}
CONF = """
limit_req_zone $binary_remote_addr zone=all:1m rate={rate};
proxy_cache_path {folder}/cache keys_zone=cache:1m;
server {{
  listen 127.0.0.1:{port};
  location / {{
    proxy_pass http://127.0.0.1:{behind};
    proxy_set_header Host $http_host;
    {directives}
  }}
}}
"""


@pytest.fixture
def told(make: MakeHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[Finding]]:
    """What the doctor says of an app behind an nginx with some directives and a rate of requests."""
    monkeypatch.setattr(module, "PAUSE", HURRY + 0.05)

    def told(directives: str, rate: str = "1000r/s") -> list[Finding]:
        port, behind = free_port(), free_port()
        conf = CONF.format(folder=tmp_path, port=port, behind=behind, directives=directives, rate=rate)
        host = make(OPTOUT_BASE_URL=f"http://127.0.0.1:{port}")
        try:
            with nginx(tmp_path, port, conf), http_server(host.app, behind), host.app.app_context():
                return tried()
        except NoNginx:
            missing("nginx", "apt-get install nginx-light")

    return told


@pytest.mark.parametrize(
    ("directives", "lost", "found"),
    [
        ("", set(), set()),
        ("add_header Referrer-Policy unsafe-url always;", {"doors.headers"}, {"doors.referrer"}),
        (
            "add_header Content-Security-Policy \"form-action 'none'\" always;",
            {"doors.headers"},
            {"doors.form-blocked"},
        ),
        ("add_header Set-Cookie balancer=1;", set(), {"doors.cookie"}),
        ("proxy_hide_header Cache-Control;", {"doors.headers"}, {"doors.headers.lost"}),
        ("if ($http_user_agent !~ Mozilla) { return 403; }", {"doors.one-click", "doors.cache"}, PROGRAMS_OUT),
        ("limit_except GET { deny all; }", {"doors.one-click", "doors.cache"}, {"doors.one-click.refused"}),
        (
            "proxy_cache cache; proxy_cache_valid 200 10m; proxy_ignore_headers Cache-Control Expires;",
            {"doors.cache"},
            {"doors.cache.stale"},
        ),
        ("return 301 https://elsewhere.example$request_uri;", FINE, {"doors.page.redirect"}),
        ("return 503;", FINE, {"doors.page.unknown"}),
    ],
)
def test_what_nginx_does_in_front_of_the_doors_is_told(
    told: Callable[..., list[Finding]], directives: str, lost: set[str], found: set[str]
) -> None:
    assert ids(told(directives)) == FINE - lost | found


@pytest.mark.parametrize(
    ("directives", "rate"),
    [
        ("limit_req zone=all burst=20 nodelay;", "10r/s"),
        ("limit_req zone=all;", "10r/s"),
        ("limit_req zone=all;", "10r/m"),
        ("limit_req zone=all burst=6 nodelay; limit_req_status 429;", "10r/m"),
    ],
)
def test_a_limit_on_requests_is_never_taken_for_a_fault(
    told: Callable[..., list[Finding]], directives: str, rate: str
) -> None:
    found = told(directives, rate)
    assert {finding.severity.value for finding in found} <= {"ok", "unknown"}, ids(found)
    if rate == "10r/m":
        assert "doors.reading.unknown" in ids(found)
