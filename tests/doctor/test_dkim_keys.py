"""DKIM keys, line by line of RFC 6376, 8301 and 8463, and signatures that hold or do not."""

from __future__ import annotations

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from flask_optout.doctor.dkim_keys import keys, signatures
from flask_optout.doctor.sample import Sample
from tests.doctor.conftest import Ask, severities, the
from tests.support.dns_server import SERVFAIL, SILENCE, Rdata
from tools.doctor_demo import GOOD_KEY, SHORT_KEY

D = "invite.example"
NAME = f"s1._domainkey.{D}"
#: Of 1024 bits.
LOW_KEY = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQChaZXvNtr/m7PkNYby/tnAa6r8VU3DN/nb5MAcw47UNRAueIBJjsCxjlcQ4zWGKrdE2cCy"
    "wWm2wij1H2XVJksexRU/6g71s6KgHX/xaE5timoOrOmX2Pz6AeB9Xb6uReXx6D50qitdPzaly31omvk87hfvd4a/CiM6ji13SDCHhwIDAQAB"
)
ED25519 = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([f"v=DKIM1; k=rsa; p={GOOD_KEY}"], {"domain.dkim.key": "ok"}),
        ([f"p={GOOD_KEY}"], {"domain.dkim.key": "ok"}),
        ([f"v=DKIM1; p={GOOD_KEY[:200]} {GOOD_KEY[200:]}"], {"domain.dkim.key": "ok"}),
        ([f"v=DKIM1; h=sha1:sha256; s=email; p={GOOD_KEY}"], {"domain.dkim.key": "ok"}),
        ([f"v=DKIM1; p={LOW_KEY}"], {"domain.dkim.short": "warn"}),
        ([f"v=DKIM1; p={SHORT_KEY}"], {"domain.dkim.short": "fail"}),
        (["v=DKIM1; p="], {"domain.dkim.revoked": "fail"}),
        ([f"v=DKIM1; t=y; p={GOOD_KEY}"], {"domain.dkim.key": "ok", "domain.dkim.test": "warn"}),
        ([f"v=DKIM1; t=s:y; p={GOOD_KEY}"], {"domain.dkim.key": "ok", "domain.dkim.test": "warn"}),
        ([f"v=DKIM1; t=s; p={GOOD_KEY}"], {"domain.dkim.key": "ok"}),
        ([f"v=DKIM1; h=sha1; p={GOOD_KEY}"], {"domain.dkim.hash": "fail"}),
        ([f"v=DKIM1; s=tlsrpt; p={GOOD_KEY}"], {"domain.dkim.service": "fail"}),
        ([f"v=DKIM2; p={GOOD_KEY}"], {"domain.dkim.syntax": "fail"}),
        ([f"v=DKIM1; k=dsa; p={GOOD_KEY}"], {"domain.dkim.syntax": "fail"}),
        (["v=DKIM1; p=not base64!"], {"domain.dkim.syntax": "fail"}),
        (["v=DKIM1; p=AAAA"], {"domain.dkim.syntax": "fail"}),
        (["v=DKIM1; k=rsa"], {"domain.dkim.syntax": "fail"}),
        ([f"v=DKIM1; k=ed25519; p={ED25519}"], {"domain.dkim.key": "ok", "domain.dkim.ed25519": "warn"}),
        ([], {"domain.dkim.record": "fail"}),
        (["v=DKIM1; p=", f"p={GOOD_KEY}"], {"domain.dkim.several": "fail"}),
        ([SILENCE], {"domain.dkim.key": "warn"}),
        ([SERVFAIL], {"domain.dkim.key": "warn"}),
    ],
)
def test_each_line_of_the_standards(ask: Ask, records: list[Rdata], expected: dict[str, str]) -> None:
    assert severities(keys(ask({f"{NAME} TXT": records}), [("s1", D)])) == expected


def test_without_a_selector_nobody_can_tell(ask: Ask) -> None:
    assert the(keys(ask({}), []), "domain.dkim.selector").seen.startswith("Could not tell")


def test_an_ed25519_key_beside_an_rsa_key_is_fine(ask: Ask) -> None:
    zone = {f"{NAME} TXT": [f"k=ed25519; p={ED25519}"], f"s2._domainkey.{D} TXT": [f"p={GOOD_KEY}"]}
    assert severities(keys(ask(zone), [("s1", D), ("s2", D)])) == {"domain.dkim.key": "ok"}


class Signer:
    """Signs messages as a mail server does."""

    def __init__(self, bits: int) -> None:
        key = rsa.generate_private_key(public_exponent=65_537, key_size=bits)
        self.private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.record = "v=DKIM1; p=" + "".join(public.decode().splitlines()[1:-1])

    def sign(self, message: bytes) -> bytes:
        headers = [b"From", b"List-Unsubscribe", b"List-Unsubscribe-Post"]
        return bytes(dkim.sign(message, b"s1", D.encode(), self.private, include_headers=headers)) + message


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(1024)


MESSAGE = b"From: team@invite.example\r\nList-Unsubscribe: <https://x.example/1>\r\n\r\nCome.\r\n"


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        ((b"", b""), "ok"),
        ((b"Come.", b"Come!"), "fail"),
        ((b"example/1", b"example/2"), "fail"),
        ((b"bh=", b"bh=A"), "fail"),
        ((b"a=rsa-sha256", b"a=rsa-sha512"), "fail"),
        ((b"s=s1", b"s=s2"), "fail"),
    ],
)
def test_a_signature_holds_or_not(ask: Ask, signer: Signer, change: tuple[bytes, bytes], severity: str) -> None:
    sample = Sample.read(signer.sign(MESSAGE).replace(*change, 1))
    resolver = ask({f"{NAME} TXT": [signer.record]})
    found = list(signatures(resolver, sample.raw, sample.all("DKIM-Signature")))
    assert severities(found) == {"message.dkim.valid": severity}


@pytest.mark.parametrize("trouble", [SILENCE, SERVFAIL])
def test_a_signature_without_dns_is_could_not_tell(ask: Ask, signer: Signer, trouble: str) -> None:
    """dkimpy says that it is not valid."""
    sample = Sample.read(signer.sign(MESSAGE))
    found = signatures(ask({f"{NAME} TXT": [trouble]}), sample.raw, sample.all("DKIM-Signature"))
    assert the(found, "message.dkim.valid").seen.startswith("Could not tell")


#: Of 512 bits, as nothing makes any more.
SHORT_PRIVATE_KEY = b"""-----BEGIN RSA PRIVATE KEY-----
MIIBPAIBAAJBANVJHmkG7khAAm/3tBUFFbr0Z5KJy2/f/zk2KRRWoMTSQT/cghuU
6UsRzOZiL41DjrF4m1gfK1K45sWz0/9wMG0CAwEAAQJBAK47ggUoLUWGTLds8YZu
VfcYqvdRa4gjwxnYfaxorAK7hOsw4yzFP9i0lFqeBF02i54vgznxVbNKeoHUMXaP
Av0CIQD6vRzL6P1gho02Inm5UbwPCasElAzCn+2Tu32l4LAUawIhANnC0gFA4ez0
crM9VXKFU4lKvrmuE/gzQTvFPcM5u0SHAiEAoOYP/43QYkuVfEKdR916R1AV7Ucv
9Qh5hQ6Qb4yCkWcCIH+CY4PWYTRl4u/vfyRCy6p9uPZy50CTiqQcF9FD8dLrAiEA
mnVP76UO/Xms7VlzNul9+2UIRRaBFu8FpC5XO7/cDJE=
-----END RSA PRIVATE KEY-----
"""
SHORT_PUBLIC_KEY = (
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANVJHmkG7khAAm/3tBUFFbr0Z5KJy2/f/zk2KRRWoMTSQT/c"
    "ghuU6UsRzOZiL41DjrF4m1gfK1K45sWz0/9wMG0CAwEAAQ=="
)


def test_a_signature_of_a_short_key_is_judged_by_the_key_alone(ask: Ask) -> None:
    """dkimpy says that it does not hold, which would send people to the wrong place."""
    signed = bytes(dkim.sign(MESSAGE, b"s1", D.encode(), SHORT_PRIVATE_KEY, include_headers=[b"From"])) + MESSAGE
    sample = Sample.read(signed)
    found = signatures(ask({f"{NAME} TXT": [f"p={SHORT_PUBLIC_KEY}"]}), sample.raw, sample.all("DKIM-Signature"))
    assert severities(found) == {"message.dkim.valid": "ok"}


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE + b" " * 30_000 + b"x",
        MESSAGE.replace(b"From: team", b"From: " + b"\r\n " * 100 + b"team"),
    ],
)
def test_a_message_of_blanks_is_not_verified(ask: Ask, signer: Signer, message: bytes) -> None:
    """dkimpy would read each blank again from the one before."""
    sample = Sample.read(signer.sign(message))
    found = signatures(ask({f"{NAME} TXT": [signer.record]}), sample.raw, sample.all("DKIM-Signature"))
    assert "blanks" in the(found, "message.dkim.valid").seen
