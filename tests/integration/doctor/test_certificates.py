"""Certificates of the deployed app: each way to be wrong has a text of its own."""

from __future__ import annotations

import datetime
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flask_optout.doctor.doors import Probe, check_doors
from tests.support.findings import ids, the

NOW = datetime.datetime.now(datetime.UTC)


def days(number: float) -> datetime.datetime:
    return NOW + datetime.timedelta(days=number)


class Authority:
    """Signs certificates."""

    def __init__(self, name: str, above: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (above or self).sign(self.name, self.key, days(-9), days(999), ca=True)

    def sign(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        begin: datetime.datetime,
        end: datetime.datetime,
        host: str | None = None,
        ca: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder(self.name, name, key.public_key(), x509.random_serial_number(), begin, end)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


@contextmanager
def https(certificates: bytes, key: ec.EllipticCurvePrivateKey, folder: Path) -> Iterator[str]:
    """A server with these certificates, whose every answer is 404."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + certificates)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:  # whoever trusts nothing hangs up
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}/optout/x"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority("Root")


@pytest.mark.parametrize(
    ("begin", "end", "host", "shown", "id"),
    [
        (-1, 90, "localhost", "chain", "doors.certificate"),
        (-1, 5, "localhost", "chain", "doors.certificate.soon"),
        (-90, -1, "localhost", "chain", "doors.certificate.expired"),
        (1, 90, "localhost", "chain", "doors.certificate.expired"),
        (-1, 90, "jobs.example.org", "chain", "doors.certificate.name"),
        (-1, 90, "localhost", "alone", "doors.certificate.chain"),
        (-1, 90, "localhost", "self", "doors.certificate.self-signed"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told(
    root: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begin: int,
    end: int,
    host: str,
    shown: str,
    id: str,
) -> None:
    (tmp_path / "root.pem").write_bytes(pem(root.certificate))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    between, server = Authority("Between", root), Authority("Server")
    signer = server if shown == "self" else between
    certificate = signer.sign(server.name, server.key, days(begin), days(end), host)
    chain = pem(certificate, between.certificate) if shown == "chain" else pem(certificate)
    with https(chain, server.key, tmp_path) as url:
        found = list(check_doors(Probe(url, url), Probe(url, url), None))
    assert id in ids(found)
    if id in ("doors.certificate", "doors.certificate.soon"):
        assert the(found, id).facts["days"] == str(end - 1)
