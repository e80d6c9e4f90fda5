"""What an answer says, and what kept one from coming."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from email.message import Message
from typing import Any

import pytest

from flask_optout.doctor.finding import Unsure
from flask_optout.doctor.http import LONGEST_PAGE, NoReply, Reply, check_policies, send_request
from tests.support.findings import ids


def answer(*headers: tuple[str, str]) -> Reply:
    said = Message()
    for name, value in headers:
        said.add_header(name, value)
    return Reply(200, said, "")


@pytest.mark.parametrize(
    ("headers", "values", "first"),
    [
        ((), [], ""),
        ((("Referrer-Policy", "no-referrer"),), ["no-referrer"], "no-referrer"),
        ((("Referrer-Policy", "A, b ,,c"),), ["a", "b", "c"], "A, b ,,c"),
        ((("Referrer-Policy", "a"), ("referrer-policy", "b")), ["a", "b"], "a"),
    ],
)
def test_a_header_is_a_list_of_values(headers: tuple[tuple[str, str], ...], values: list[str], first: str) -> None:
    assert answer(*headers).values("Referrer-Policy") == values
    assert answer(*headers).first("Referrer-Policy") == first


def of_tls() -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL] wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


def of_certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "why"
    return error


@pytest.mark.parametrize(
    ("error", "end", "reason"),
    [
        # OpenSSL's X509_V_ERR numbers.
        (of_certificate(9), "certificate.expired", "why"),
        (of_certificate(10), "certificate.expired", "why"),
        (of_certificate(18), "certificate.self-signed", "why"),
        (of_certificate(20), "certificate.chain", "why"),
        (of_certificate(62), "certificate.name", "why"),
        (of_certificate(99), "certificate.broken", "why"),
        (of_tls(), "unreachable", "it speaks no TLS (WRONG_VERSION_NUMBER)"),
        (ConnectionRefusedError(), "unreachable", "it answers no HTTP (ConnectionRefusedError)"),
        (http.client.BadStatusLine("SSH-2.0"), "unreachable", "it answers no HTTP (BadStatusLine)"),
        # A matter of time, or of DNS.
        (TimeoutError(), "page.unknown", "it did not answer (TimeoutError)"),
        (socket.gaierror(), "page.unknown", "it did not answer (gaierror)"),
    ],
)
def test_what_kept_an_answer_from_coming(
    monkeypatch: pytest.MonkeyPatch, error: Exception, end: str, reason: str
) -> None:
    def connect(self: http.client.HTTPConnection) -> None:
        raise error

    monkeypatch.setattr(http.client.HTTPConnection, "connect", connect)
    with pytest.raises(NoReply) as raised:
        send_request("GET", "http://jobs.example.org/optout/x")
    assert raised.value.end == end
    assert str(raised.value).startswith(reason)
    assert isinstance(raised.value, Unsure)


class Socket:
    """Keeps what is sent, and answers with a page."""

    def __init__(self, page: bytes) -> None:
        self.page = page
        self.sent = b""

    def sendall(self, octets: bytes) -> None:
        self.sent += octets

    def makefile(self, *_: object, **__: object) -> Any:
        return io.BytesIO(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: close\r\n\r\n" + self.page)

    def close(self) -> None:
        pass


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Socket:
    connection = Socket("Ünd <form>".encode() + b"\xff" + b"x" * LONGEST_PAGE)
    monkeypatch.setattr(http.client.HTTPConnection, "connect", lambda self: setattr(self, "sock", connection))
    return connection


def test_an_answer_is_read_as_text_and_not_without_end(connected: Socket) -> None:
    found = send_request("GET", "http://jobs.example.org/optout/x")
    assert (found.status, found.first("x-a"), found.expires) == (200, "1", None)
    assert found.text.startswith("Ünd <form>\ufffd")
    assert len(found.text.encode("utf-8", "replace")) <= LONGEST_PAGE + 2


@pytest.mark.parametrize(
    ("method", "url", "body", "line", "headers"),
    [
        ("GET", "http://x.example/optout/a", None, "GET /optout/a HTTP/1.1", {"User-Agent: me", "Host: x.example"}),
        ("GET", "http://x.example:81/a?b=c#d", None, "GET /a?b=c HTTP/1.1", {"Host: x.example:81"}),
        ("GET", "http://x.example", None, "GET / HTTP/1.1", {"Accept: text/html, */*"}),
        ("POST", "http://x.example/a", (b"a=b", "text/x"), "POST /a HTTP/1.1", {"Content-Type: text/x"}),
    ],
)
def test_what_is_asked(
    connected: Socket, method: str, url: str, body: tuple[bytes, str] | None, line: str, headers: set[str]
) -> None:
    send_request(method, url, body, "me")
    head, _, sent = connected.sent.decode().partition("\r\n\r\n")
    assert head.split("\r\n")[0] == line
    assert headers <= set(head.split("\r\n"))
    assert sent.encode() == (body[0] if body else b"")
    assert "Cookie" not in head


URL = "https://jobs.example.org/optout/aaaa"
CSP = "Content-Security-Policy"
OWN = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "same-origin"),
    ("X-Robots-Tag", "noindex, nofollow"),
    ("X-Content-Type-Options", "nosniff"),
    (CSP, "default-src 'self'; frame-ancestors 'none'; form-action 'self'"),
)


def looked_at(*headers: tuple[str, str]) -> set[str]:
    """What is said of a page with our own headers and those behind them."""
    said = Message()
    for name, value in (*OWN, *headers):
        said.add_header(name, value)
    return ids(check_policies(Reply(200, said, ""), URL))


WELL, LOST, LEAKS, BLOCKED = {"doors.headers"}, {"doors.headers.lost"}, {"doors.referrer"}, {"doors.form-blocked"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), WELL),
        # Of several values the last one that is known counts.
        ((("Referrer-Policy", "unsafe-url"),), LEAKS),
        ((("Referrer-Policy", "no-referrer, no-referrer-when-downgrade"),), LEAKS),
        ((("Referrer-Policy", "unsafe-url"), ("Referrer-Policy", "no-referrer")), WELL),
        ((("Referrer-Policy", "no-such-policy"),), WELL),
        ((("Referrer-Policy", "strict-origin"),), LOST),
        # Of several content security policies each one counts.
        (((CSP, "form-action 'none'"),), BLOCKED),
        (((CSP, "img-src *, form-action https://x.example"),), BLOCKED),
        (((CSP, "form-action"),), BLOCKED),
        (((CSP, "sandbox allow-scripts"),), BLOCKED),
        (((CSP, "sandbox allow-forms"),), WELL),
        (((CSP, "form-action https:"),), WELL),
        # https is what http may become: https://www.w3.org/TR/CSP3/#match-schemes
        (((CSP, "form-action http:"),), WELL),
        (((CSP, "form-action http://jobs.example.org"),), WELL),
        (((CSP, "form-action jobs.example.org"),), WELL),
        (((CSP, "form-action https://*.example.org/optout/"),), WELL),
        (((CSP, "form-action https://*.example.org/elsewhere"),), BLOCKED),
        (((CSP, "form-action https://jobs.example.org:443"),), WELL),
        (((CSP, "form-action https://jobs.example.org:*"),), WELL),
        (((CSP, "form-action http://jobs.example.org:8080"),), BLOCKED),
        (((CSP, "connect-src 'none'"),), BLOCKED),
        (((CSP, "connect-src 'none'; script-src 'none'"),), WELL),
        (((CSP, "script-src 'strict-dynamic'; connect-src 'none'"),), WELL),
        (((CSP, "require-trusted-types-for 'script'"),), WELL | {"doors.trusted-types"}),
        (((f"{CSP}-Report-Only", "form-action 'none'"),), WELL),
        # A browser reads the first value of these alone.
        ((("X-Content-Type-Options", "none"),), WELL),
    ],
)
def test_headers_count_as_a_browser_joins_them(headers: tuple[tuple[str, str], ...], expected: set[str]) -> None:
    assert looked_at(*headers) == expected


def test_each_header_that_is_lost_is_named() -> None:
    found = list(check_policies(Reply(200, Message(), ""), URL))
    assert [finding.facts["name"] for finding in found] == [
        "Cache-Control",
        "Referrer-Policy",
        "X-Robots-Tag",
        "Content-Security-Policy",
        "X-Content-Type-Options",
    ]
