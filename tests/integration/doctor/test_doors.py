"""The doors of a deployed app, tried over HTTP, and what stands in front of some of them."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, abort, redirect, render_template_string, request

from flask_optout.doctor import doors as module
from flask_optout.doctor import http
from flask_optout.doctor.case import Case
from flask_optout.doctor.doors import PROBE, PROBE_OPPORTUNITY, Probe, check_doors
from flask_optout.doctor.examine import examine
from flask_optout.links.tokens import DataKey, Door, Tokens
from flask_optout.presses.evidence import HURRY
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.findings import ids, the
from tests.support.fronts import (
    FINE,
    another_page,
    broken,
    caching_proxy,
    challenge,
    cookies,
    csrf_check,
    headers_set,
    login_wall,
    maintenance,
    multipart_wall,
    one_click_wall,
    other_headers,
    page_wall,
    programs_kept_out,
    proxy_that_presses,
    rate_limit,
    scripts,
    too_many,
    tried,
)
from tests.support.hosts import Host, Mailbox, free_port, http_server

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor waits no longer than it must."""
    monkeypatch.setattr(module, "PAUSE", HURRY + 0.05)
    monkeypatch.setattr(module, "WAIT", 0.1)


@contextmanager
def served(make: MakeHost, **config: Any) -> Iterator[Host]:
    port = free_port()
    host = make(OPTOUT_BASE_URL=f"http://127.0.0.1:{port}", **config)
    with http_server(host.app, port), host.app.app_context():
        yield host


def test_the_doors_of_an_app_as_it_should_be_are_fine_every_time(make: MakeHost) -> None:
    with served(make) as host:
        assert [ids(tried()) for _ in range(2)] == [FINE, FINE]
        assert host.optout.may_invite("optout-doctor@example.com", PROBE_OPPORTUNITY)


def test_nobody_but_the_probe_gets_a_choice(make: MakeHost) -> None:
    with served(make) as host:
        tried()
        stored = host.db.text("select source from optout_choice where source <> 'key'")
        assert len(host.db.session.execute(stored).all()) == 1


CSP = "Content-Security-Policy"


@pytest.mark.parametrize(
    ("spoil", "lost", "found"),
    [
        (login_wall, FINE, {"doors.page.redirect"}),
        (broken, FINE, {"doors.page.broken"}),
        (another_page, FINE, {"doors.page.empty"}),
        (one_click_wall, {"doors.one-click", "doors.cache"}, {"doors.one-click.refused", "doors.one-click.marker"}),
        (csrf_check, {"doors.one-click", "doors.cache"}, {"doors.one-click.refused"}),
        (multipart_wall, {"doors.one-click"}, {"doors.one-click.refused"}),
        (page_wall, set(), {"doors.button"}),
        (cookies, set(), {"doors.cookie"}),
        (other_headers, {"doors.headers"}, {"doors.headers.lost", "doors.trusted-types"}),
        (caching_proxy, {"doors.cache"}, {"doors.cache.stale"}),
        (proxy_that_presses, {"doors.reading"}, {"doors.reading.changes"}),
        (programs_kept_out, set(), {"doors.agents"}),
        # What is busy, limits requests, or asks for a person, is neither well nor broken.
        (maintenance, FINE, {"doors.page.unknown"}),
        (challenge, FINE, {"doors.page.unknown"}),
        (too_many, {"doors.reading"}, {"doors.reading.unknown"}),
        (
            rate_limit,
            {"doors.reading", "doors.one-click", "doors.cache"},
            {"doors.reading.unknown", "doors.one-click.unknown"},
        ),
        # Headers count as a browser joins them.
        (headers_set(("Referrer-Policy", "unsafe-url")), {"doors.headers"}, {"doors.referrer"}),
        (headers_set((CSP, "form-action 'none'")), {"doors.headers"}, {"doors.form-blocked"}),
        (headers_set(("X-DataDome", "protected")), set(), set()),
        (scripts("/cdn-cgi/challenge-platform/scripts/jsd/main.js"), set(), {"doors.scripts"}),
        # Scripts of others can read the link.
        (scripts("https://cdn.analytics.example/a.js"), set(), {"doors.scripts"}),
        (scripts("/cdn-cgi/scripts/email-decode.min.js"), set(), {"doors.scripts"}),
    ],
)
def test_what_stands_in_front_of_a_door_is_seen(
    make: MakeHost, spoil: Callable[[Flask], None], lost: set[str], found: set[str]
) -> None:
    with served(make) as host:
        spoil(host.app)
        assert ids(tried()) == FINE - lost | found


@pytest.mark.parametrize(
    ("hops", "target"),
    [
        ({}, None),
        ({"/": "/en/", "/en/": "/en/home"}, None),
        ({"/": "https://www.elsewhere.example/"}, "www.elsewhere.example"),
        ({"/": "/a", "/a": "/"}, None),
        ({"/": "/"}, None),
    ],
)
def test_where_the_domain_of_the_links_leads_is_noted(
    make: MakeHost, hops: dict[str, str], target: str | None
) -> None:
    with served(make) as host:
        host.app.before_request(lambda: redirect(hops[request.path]) if request.path in hops else None)
        found = tried()
    assert ids(found) == FINE | ({"doors.front.redirect"} if target else set())
    if target:
        assert the(found, "doors.front.redirect").facts["target"] == target


def test_a_server_that_is_busy_for_a_moment_is_asked_again(make: MakeHost) -> None:
    seen: Counter[str] = Counter()

    def at_first() -> tuple[str, int] | None:
        seen[f"{request.method} {request.url}"] += 1
        return ("Busy", 429) if seen[f"{request.method} {request.url}"] == 1 else None

    with served(make) as host:
        host.app.before_request(at_first)
        assert ids(tried()) == FINE


def test_slow_answers_of_one_check_leave_the_others_their_time(
    make: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SECONDS", 60.0)
    monkeypatch.setattr(module, "SECONDS_PER_CHECK", 6.0)
    over = threading.Event()
    with served(make) as host:

        @host.app.before_request
        def wait_where_a_button_is_named() -> None:
            if request.query_string:
                over.wait(60)

        found = ids(tried())
        over.set()
    assert found == FINE - {"doors.reading"} | {"doors.reading.time.unknown"}


def test_each_form_is_sent_to_its_own_action(make: MakeHost) -> None:
    posted: list[str] = []
    with served(make) as host:
        host.app.before_request(lambda: posted.append(request.path) if request.method == "POST" else None)
        tried()
        landing = urlsplit(host.optout.link(PROBE.canonical, PROBE_OPPORTUNITY)).path
    assert posted.count(landing) >= 1
    assert all(path == landing or "one-click" in path for path in posted)


def test_a_deployment_with_other_keys_is_seen(make: MakeHost) -> None:
    with served(make) as host:
        door = host.app.extensions["optout"].links.url(Door.LANDING, PROBE, PROBE_OPPORTUNITY).rpartition("/")[0]
        other = Tokens(DataKey(b"the data key of another app, 32.")).mint(Door.LANDING, PROBE, PROBE_OPPORTUNITY)
        finding = the(check_doors(Probe(f"{door}/{other}", ""), Probe("", ""), None), "doors.page.lost")
        assert "404" in finding.seen
        assert "OPTOUT_KEYS" in finding.mend


@pytest.mark.parametrize(
    ("guard", "is_open"),
    [(lambda: False, False), (lambda: True, True), (lambda: "an operator", True), (lambda: abort(401), False)],
)
def test_the_email_log_is_closed_to_strangers(make: MakeHost, guard: Callable[[], Any], is_open: bool) -> None:
    with served(make, operator=guard):
        assert ("doors.email-log.open" if is_open else "doors.email-log") in ids(tried())


def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{free_port()}/optout/x"
    assert ids(check_doors(Probe(url, url), Probe(url, url), None)) == {"doors.unreachable"}


@pytest.mark.parametrize("says", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000])
def test_what_speaks_no_http_or_nothing_at_all(says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SECONDS", 60.0 if says else 0.2)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(60)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/optout/x"

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(says)
                connection.recv(1)  # until the doctor has gone

        thread = threading.Thread(target=answer)
        thread.start()
        found = ids(check_doors(Probe(url, url), Probe(url, url), None))
        thread.join()
    assert found == {"doors.unreachable" if says else "doors.page.unknown"}


def test_a_probe_that_cannot_be_freed_leaves_the_effect_unknown(make: MakeHost) -> None:
    with served(make) as host:
        page_wall(host.app)
        tried()
        assert "doors.cache.unknown" in ids(tried())


@pytest.mark.usefixtures("minutes_over")
@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<h1>Beta</h1>{{ optout_toggle() }}", set()),
        ("<h1>Beta</h1>{{ optout_toggle() }}<script src='https://cdn.example/a.js'></script>", {"doors.scripts"}),
        ("<h1>Beta</h1>", {"doors.landing"}),
    ],
    ids=["as it should be", "a script from elsewhere", "no toggle"],
)
def test_the_hosts_own_landing_page_is_looked_at(
    make: MakeHost, smtp: Mailbox, template: str, found: set[str]
) -> None:
    with served(make, MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port) as host:
        host.optout.landing_page(lambda id: render_template_string(template) if id == "beta-42" else None)
        host.mail.send(host.invitation())
        told_of = list(examine(current_state(), Case(), offline=False))
    told = {finding.id for finding in told_of}
    assert told & {"doors.scripts", "doors.landing"} == found
    assert ("doors.reading" in told) is ("doors.landing" not in found)
    assert all("{{ optout_toggle() }}" in each.mend for each in told_of if each.id == "doors.landing")
