"""The doors of a deployed app, tried over HTTP, and what stands in front of some of them."""

from __future__ import annotations

import datetime
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from flask import Flask, Response, abort, redirect, request

from flask_optout.doctor import doors as module
from flask_optout.doctor import http
from flask_optout.doctor.doors import PROBE, PROBE_OPPORTUNITY, Knock, doors
from flask_optout.doctor.finding import Finding
from flask_optout.doctor.http import Answer, knock
from flask_optout.links.keys import DataKey
from flask_optout.links.tokens import Door, Tokens
from flask_optout.presses.judge import HURRY
from tests.conftest import MakeHost
from tests.doctor.conftest import severities, the
from tests.support.hosts import Host, free_port, http_server

pytestmark = pytest.mark.long

FINE = {
    "doors.page": "ok",
    "doors.headers": "ok",
    "doors.reading": "ok",
    "doors.one-click": "ok",
    "doors.cache": "ok",
}


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", HURRY + 0.05)


@contextmanager
def served(make: MakeHost, **config: Any) -> Iterator[Host]:
    port = free_port()
    host = make(OPTOUT_BASE_URL=f"http://127.0.0.1:{port}", **config)
    with http_server(host.app, port), host.app.app_context():
        yield host


def tried(host: Host, knock: Knock = knock) -> list[Finding]:
    links = host.app.extensions["optout"].links
    landing, one_click = (links.url(door, PROBE, PROBE_OPPORTUNITY) for door in (Door.LANDING, Door.ONE_CLICK))
    email_log = landing.rpartition("/")[0] + "/operator/"
    return list(doors(landing, one_click, email_log if host.app.extensions["optout"].operator else None, knock))


def test_the_doors_of_an_app_as_it_should_be_are_fine_every_time(make: MakeHost) -> None:
    with served(make) as host:
        assert severities(tried(host)) == FINE
        assert severities(tried(host)) == FINE
        assert host.optout.may_invite("optout-doctor@example.com", PROBE_OPPORTUNITY)


def test_the_probe_is_nobody(make: MakeHost) -> None:
    with served(make) as host:
        tried(host)
        rows = host.db.session.execute(host.db.text("select count(*) from optout_choice")).scalar()
        assert rows == 1
        assert PROBE.domain == "example.com"


def login_wall(app: Flask) -> None:
    app.before_request(lambda: redirect("/login"))


def one_click_wall(app: Flask) -> None:
    app.before_request(
        lambda: redirect("/login") if request.method == "POST" and "one-click" in request.path else None
    )


def page_wall(app: Flask) -> None:
    app.before_request(
        lambda: ("No", 403) if (request.method, "one-click" in request.path) == ("POST", False) else None
    )


def multipart_wall(app: Flask) -> None:
    app.before_request(lambda: ("No", 403) if request.mimetype == "multipart/form-data" else None)


def csrf_check(app: Flask) -> None:
    app.before_request(lambda: ("Bad CSRF token", 400) if request.method == "POST" else None)


def maintenance(app: Flask) -> None:
    app.before_request(lambda: ("Back soon", 503))


def another_page(app: Flask) -> None:
    app.before_request(lambda: "<h1>Sign in</h1>")


def cookies(app: Flask) -> None:
    def set_cookie(response: Response) -> Response:
        response.set_cookie("balancer", "1")
        return response

    app.after_request(set_cookie)


def other_headers(app: Flask) -> None:
    def set_headers(response: Response) -> Response:
        response.headers["Cache-Control"] = "max-age=300"
        response.headers["Content-Security-Policy"] = "require-trusted-types-for 'script'"
        return response

    app.after_request(set_headers)


def caching_proxy(app: Flask) -> None:
    inner, kept = app.wsgi_app, {}

    def proxy(environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] != "GET":
            return inner(environ, start)
        if environ["PATH_INFO"] not in kept:
            said: list[Any] = []
            remember: Any = lambda *args: said.append(args)  # noqa: E731
            body = b"".join(inner(environ, remember))
            kept[environ["PATH_INFO"]] = said[0], body
        (status, headers), body = kept[environ["PATH_INFO"]]
        start(status, headers)
        return [body]

    app.wsgi_app = proxy  # type: ignore[assignment,method-assign]


def proxy_that_presses(app: Flask) -> None:
    """Turns whoever opens the one-click link into somebody who posts to it."""
    inner = app.wsgi_app

    def proxy(environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET" and "one-click" in environ["PATH_INFO"]:
            signal = b"List-Unsubscribe=One-Click"
            environ |= {
                "REQUEST_METHOD": "POST",
                "CONTENT_LENGTH": str(len(signal)),
                "CONTENT_TYPE": "application/x-www-form-urlencoded",
                "wsgi.input": io.BytesIO(signal),
            }
        return inner(environ, start)

    app.wsgi_app = proxy  # type: ignore[assignment,method-assign]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (login_wall, {"doors.page": "fail"}),
        (maintenance, {"doors.page": "fail"}),
        (another_page, {"doors.page": "fail"}),
        (one_click_wall, {**FINE, "doors.one-click": "fail", "doors.one-click.marker": "fail", "doors.cache": ""}),
        (csrf_check, {**FINE, "doors.one-click": "fail", "doors.cache": ""}),
        (multipart_wall, {**FINE, "doors.one-click": "fail"}),
        (page_wall, {**FINE, "doors.button": "fail"}),
        (cookies, {**FINE, "doors.cookie": "fail"}),
        (other_headers, {**FINE, "doors.headers": "warn", "doors.trusted-types": "warn"}),
        (caching_proxy, {**FINE, "doors.cache": "fail"}),
        (proxy_that_presses, {**FINE, "doors.reading": "fail"}),
    ],
)
def test_what_stands_in_front_of_a_door_is_seen(
    make: MakeHost, spoil: Callable[[Flask], None], expected: dict[str, str]
) -> None:
    with served(make) as host:
        spoil(host.app)
        assert severities(tried(host)) == {id: severity for id, severity in expected.items() if severity}


def test_a_deployment_with_other_keys_is_seen(make: MakeHost) -> None:
    with served(make) as host:
        door = host.app.extensions["optout"].links.url(Door.LANDING, PROBE, PROBE_OPPORTUNITY).rpartition("/")[0]
        other = Tokens(DataKey(b"the data key of another app, 32.")).mint(Door.LANDING, PROBE, PROBE_OPPORTUNITY)
        finding = the(doors(f"{door}/{other}", "", None, knock), "doors.page")
        assert "404" in finding.seen
        assert "OPTOUT_KEYS" in finding.mend


@pytest.mark.parametrize(
    ("guard", "severity"),
    [(lambda: False, "ok"), (lambda: True, "fail"), (lambda: "an operator", "fail"), (lambda: abort(401), "ok")],
)
def test_the_email_log_is_closed_to_strangers(make: MakeHost, guard: Callable[[], Any], severity: str) -> None:
    with served(make, operator=guard) as host:
        assert severities(tried(host))["doors.email-log"] == severity


def test_a_wrong_clock_is_seen(make: MakeHost) -> None:
    def knock_then(method: str, url: str, body: tuple[str, str] | None) -> Answer:
        return replace(knock(method, url, body), headers=[("date", "Tue, 24 Nov 2020 08:00:00 GMT")])

    with served(make) as host:
        assert severities(tried(host, knock_then))["doors.clock"] == "warn"


def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{free_port()}/optout/x"
    assert severities(doors(url, url, None, knock)) == {"doors.page": "fail"}


@pytest.mark.parametrize("says", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000])
def test_what_speaks_no_http_or_nothing_at_all(says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SECONDS", 5.0 if says else 0.2)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(5)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/optout/x"

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(says)
                connection.recv(1)  # until the doctor has gone

        thread = threading.Thread(target=answer)
        thread.start()
        finding = the(doors(url, url, None, knock), "doors.page")
        thread.join()
    assert finding.severity == ("fail" if says else "warn")
    assert finding.seen.startswith("Could not tell") is not bool(says)


def test_a_probe_that_cannot_be_freed_leaves_the_effect_unknown(make: MakeHost) -> None:
    with served(make) as host:
        page_wall(host.app)
        tried(host)
        finding = the(tried(host), "doors.cache")
    assert finding.seen.startswith("Could not tell")


def test_a_certificate_that_is_not_good_is_named(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path / "server.pem"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/optout/x"

        def answer() -> None:
            with suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True):
                pass

        thread = threading.Thread(target=answer)
        thread.start()
        finding = the(doors(url, url, None, knock), "doors.page")
        thread.join()
    assert (finding.severity, "certificate" in finding.seen) == ("fail", True)


def self_signed(file: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate)
    return file
