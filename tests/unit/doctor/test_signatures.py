"""DKIM keys, line by line of RFC 6376, 8301 and 8463, and signatures that hold or do not."""

from __future__ import annotations

import base64
import re
import subprocess
import time
from pathlib import Path

import dkim
import nacl.signing
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from flask_optout.doctor.case import Sample
from flask_optout.doctor.signatures import check_keys, check_signatures
from tests.support.dns_server import SERVFAIL, SILENCE, Rdata, Zone
from tests.support.findings import ids, the
from tests.support.zones import Ask
from tools.doctor_demo import GOOD_KEY, SHORT_KEY

D = "invite.example"
NAME = f"s1._domainkey.{D}"
#: Of 1024 bits.
LOW_KEY = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQChaZXvNtr/m7PkNYby/tnAa6r8VU3DN/nb5MAcw47UNRAueIBJjsCxjlcQ4zWGKrdE2cCy"
    "wWm2wij1H2XVJksexRU/6g71s6KgHX/xaE5timoOrOmX2Pz6AeB9Xb6uReXx6D50qitdPzaly31omvk87hfvd4a/CiM6ji13SDCHhwIDAQAB"
)
ED25519 = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
ED25519_IN_DER = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + base64.b64decode(ED25519)).decode()
KEY = {"domain.dkim.key"}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([f"v=DKIM1; k=rsa; p={GOOD_KEY}"], KEY),
        ([f"v=DKIM1; k=RSA; p={GOOD_KEY}"], KEY),
        ([f"p={GOOD_KEY}"], KEY),
        ([f"v=DKIM1; p={GOOD_KEY[:200]} {GOOD_KEY[200:]}"], KEY),
        ([[f"v=DKIM1; p={GOOD_KEY[:200]}".encode(), GOOD_KEY[200:].encode()]], KEY),
        ([f"v=DKIM1; h=sha1:sha256; s=email; p={GOOD_KEY}"], KEY),
        ([f"v=DKIM1; p={LOW_KEY}"], {"domain.dkim.low"}),
        ([f"v=DKIM1; p={SHORT_KEY}"], {"domain.dkim.short"}),
        (["v=DKIM1; p="], {"domain.dkim.revoked"}),
        ([f"v=DKIM1; t=y; p={GOOD_KEY}"], KEY | {"domain.dkim.test"}),
        ([f"v=DKIM1; t=s:y; p={GOOD_KEY}"], KEY | {"domain.dkim.test"}),
        ([f"v=DKIM1; t=s; p={GOOD_KEY}"], KEY),
        ([f"v=DKIM1; h=sha1; p={GOOD_KEY}"], {"domain.dkim.hash"}),
        ([f"v=DKIM1; s=tlsrpt; p={GOOD_KEY}"], {"domain.dkim.service"}),
        ([f"v=DKIM2; p={GOOD_KEY}"], {"domain.dkim.syntax"}),
        ([f"v=DKIM1; k=dsa; p={GOOD_KEY}"], {"domain.dkim.syntax"}),
        (["v=DKIM1; p=not base64!"], {"domain.dkim.syntax"}),
        (["v=DKIM1; p=AAAA"], {"domain.dkim.syntax"}),
        (["v=DKIM1; k=rsa"], {"domain.dkim.syntax"}),
        # What forms and zone files make of a record.
        ([f"v=DKIM1\\; k=rsa\\; p={GOOD_KEY}"], {"domain.dkim.flawed"}),
        ([f'"v=DKIM1; k=rsa; p={GOOD_KEY}"'], {"domain.dkim.flawed"}),
        ([f'v=DKIM1; k=rsa; p={GOOD_KEY[:200]}" "{GOOD_KEY[200:]}'], {"domain.dkim.flawed"}),
        ([f"v=dkim1; p={GOOD_KEY}"], {"domain.dkim.flawed"}),
        ([f"“v=DKIM1; k=rsa; p={GOOD_KEY}”"], {"domain.dkim.flawed"}),
        ([f"'v=DKIM1; k=rsa; p={GOOD_KEY}'"], {"domain.dkim.flawed"}),
        ([f"v=DKIM1;\u00a0k=rsa;\u00a0p={GOOD_KEY}"], {"domain.dkim.flawed"}),
        ([f'v=DKIM1; k=rsa; p={GOOD_KEY[:200]}\\" \\"{GOOD_KEY[200:]}'], {"domain.dkim.flawed"}),
        # Names of tags are in small letters, stand once, and before an equals sign (RFC 6376 section 3.2).
        ([f"V=DKIM1; K=rsa; P={GOOD_KEY}"], {"domain.dkim.flawed"}),
        ([f"v=DKIM1; p={GOOD_KEY}; p=AAAA"], {"domain.dkim.syntax"}),
        ([f"v=DKIM1; k:rsa; p={GOOD_KEY}"], {"domain.dkim.syntax"}),
        ([f"s1._domainkey IN TXT v=DKIM1; p={GOOD_KEY}"], {"domain.dkim.syntax"}),
        ([f"v=DKIM1; g=*; k=rsa; n=new; p={GOOD_KEY};"], KEY),
        # Keys of another type than k= says.
        ([f"v=DKIM1; k=ed25519; p={ED25519}"], KEY | {"domain.dkim.ed25519"}),
        ([f"v=DKIM1; k=ed25519; p={GOOD_KEY}"], {"domain.dkim.type"}),
        ([f"v=DKIM1; k=rsa; p={ED25519}"], {"domain.dkim.type"}),
        ([f"v=DKIM1; k=ed25519; p={ED25519_IN_DER}"], {"domain.dkim.type"}),
        ([], {"domain.dkim.absent"}),
        (["v=DKIM1; p=", f"p={GOOD_KEY}"], {"domain.dkim.several"}),
        ([SILENCE], {"domain.dkim.unknown"}),
        ([SERVFAIL], {"domain.dkim.unknown"}),
    ],
)
def test_each_line_of_the_standards(ask: Ask, records: list[Rdata], expected: set[str]) -> None:
    assert ids(check_keys(ask({f"{NAME} TXT": records}), [("s1", D)])) == expected


def test_a_flawed_record_is_shown_as_found_and_mended(ask: Ask) -> None:
    spoilt = f"v=DKIM1\\; k=rsa\\; p={GOOD_KEY}"
    finding = the(check_keys(ask({f"{NAME} TXT": [spoilt]}), [("s1", D)]), "domain.dkim.flawed")
    assert finding.details[0].startswith("v=DKIM1\\; k=rsa\\; p=")
    strings = finding.paste.partition(" IN TXT ")[2].strip('"').split('" "')
    assert max(map(len, strings)) <= 255
    zone: Zone = {f"{NAME} TXT": [[string.encode() for string in strings]]}
    assert ids(check_keys(ask(zone), [("s1", D)])) == KEY


@pytest.mark.parametrize(
    ("selector", "alias", "said"),
    [
        ("s1", "s1.domainkey.u1.wl.sendgrid.net.", "SendGrid"),
        ("abc", "abc.dkim.amazonses.com.", "Amazon SES"),
        ("google", None, "Google Workspace"),
        ("selector1", None, "Microsoft 365"),
        ("s1", None, "openssl"),
        ("s1", "elsewhere.example.", "openssl"),
    ],
)
def test_who_has_a_provider_is_sent_to_its_page(ask: Ask, selector: str, alias: str | None, said: str) -> None:
    name = f"{selector}._domainkey.{D}"
    zone: Zone = {f"{name} CNAME": [alias]} if alias else {}
    finding = the(check_keys(ask(zone), [(selector, D)]), "domain.dkim.absent")
    assert said in finding.mend + finding.paste
    assert ("openssl" in finding.paste) == (said == "openssl")


def test_the_command_for_a_new_key_prints_a_record_that_fits_dns(ask: Ask, tmp_path: Path) -> None:
    command = the(check_keys(ask({}), [("s1", D)]), "domain.dkim.absent").paste
    printed = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=True, text=True).stdout
    strings = printed.strip('"').split('" "')
    assert max(map(len, strings)) <= 255
    zone: Zone = {f"{NAME} TXT": [[string.encode() for string in strings]]}
    assert ids(check_keys(ask(zone), [("s1", D)])) == KEY


def test_without_pynacl_an_ed25519_key_is_could_not_tell(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(dkim, "nacl")
    zone: Zone = {f"{NAME} TXT": [f"k=ed25519; p={ED25519}"]}
    finding = the(check_keys(ask(zone), [("s1", D)]), "domain.dkim.extra")
    assert "PyNaCl" in finding.seen
    assert "Flask-OptOut[doctor]" in finding.paste


def test_without_a_selector_nobody_can_tell(ask: Ask) -> None:
    assert the(check_keys(ask({}), []), "domain.dkim.selector").seen.startswith("Could not tell")


def test_an_ed25519_key_beside_an_rsa_key_is_fine(ask: Ask) -> None:
    zone: Zone = {f"{NAME} TXT": [f"k=ed25519; p={ED25519}"], f"s2._domainkey.{D} TXT": [f"p={GOOD_KEY}"]}
    assert ids(check_keys(ask(zone), [("s1", D), ("s2", D)])) == KEY


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


def judged(ask: Ask, raw: bytes, record: str) -> set[str]:
    return ids(check_signatures(ask({f"{NAME} TXT": [record]}), Sample.read(raw)))


@pytest.mark.parametrize(
    ("change", "id"),
    [
        ((b"", b""), "message.dkim.valid"),
        ((b"Come.", b"Come!"), "message.dkim.body"),
        ((b"example/1", b"example/2"), "message.dkim.header"),
        ((b"bh=", b"bh=A"), "message.dkim.invalid"),
        ((b"a=rsa-sha256", b"a=rsa-sha512"), "message.dkim.invalid"),
        ((b"a=rsa-sha256", b"a=ed25519-sha256"), "message.dkim.type"),
        ((b"v=1", b"v=2"), "message.dkim.invalid"),
        ((b"s=s1", b"s=s2"), "message.dkim.key"),
    ],
)
def test_a_signature_holds_or_says_why_not(ask: Ask, signer: Signer, change: tuple[bytes, bytes], id: str) -> None:
    assert judged(ask, signer.sign(MESSAGE).replace(*change, 1), signer.record) == {id}


def test_the_kind_of_a_key_may_be_in_capitals(ask: Ask, signer: Signer) -> None:
    assert judged(ask, signer.sign(MESSAGE), signer.record.replace("p=", "k=RSA; p=")) == {"message.dkim.valid"}


@pytest.mark.parametrize(
    ("identity", "flags", "id"),
    [("@sub.", "s", "message.dkim.invalid"), ("@sub.", "y", "message.dkim.valid"), ("a@", "s", "message.dkim.valid")],
)
def test_a_key_may_forbid_to_sign_for_names_below(
    ask: Ask, signer: Signer, identity: str, flags: str, id: str
) -> None:
    """RFC 6376 section 3.6.1: t=s"""
    signed = dkim.sign(
        MESSAGE, b"s1", D.encode(), signer.private, include_headers=[b"From"], identity=f"{identity}{D}".encode()
    )
    assert judged(ask, bytes(signed) + MESSAGE, f"{signer.record}; t={flags}") == {id}


def test_an_expired_signature_says_so(ask: Ask, signer: Signer) -> None:
    now = int(time.time())
    for ends in (2_000, now - 60):
        expired = re.sub(rb"\bt=\d+", b"t=1000; x=%d" % ends, signer.sign(MESSAGE), count=1)
        assert judged(ask, expired, signer.record) == {"message.dkim.expired"}
    lasting = re.sub(rb"\bt=\d+", b"t=1000; x=%d" % (now + 600), signer.sign(MESSAGE), count=1)
    assert judged(ask, lasting, signer.record) == {"message.dkim.header"}


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], "absent"),
        (["v=DKIM1; p="], "revoked"),
        (["v=DKIM1; p=!"], "base64"),
        ([f"v=DKIM1; k=ed25519; p={GOOD_KEY}"], "another type"),
    ],
)
def test_a_key_that_cannot_be_used_is_the_cause(ask: Ask, signer: Signer, records: list[Rdata], reason: str) -> None:
    found = check_signatures(ask({f"{NAME} TXT": records}), Sample.read(signer.sign(MESSAGE)))
    assert reason in the(found, "message.dkim.key").seen


def test_what_held_when_it_arrived_is_no_failure(ask: Ask, signer: Signer) -> None:
    changed = signer.sign(MESSAGE).replace(b"Come.", b"Come!")
    verdict = f"Authentication-Results: mx.example; dkim=pass header.d={D}\r\n".encode()
    assert judged(ask, verdict + changed, signer.record) == {"message.dkim.since"}


def test_an_ed25519_signature(ask: Ask) -> None:
    key = nacl.signing.SigningKey(b"0" * 32)
    raw = dkim.sign(
        MESSAGE,
        b"s1",
        D.encode(),
        base64.b64encode(bytes(key)),
        signature_algorithm=b"ed25519-sha256",
        include_headers=[b"From"],
    )
    public = base64.b64encode(bytes(key.verify_key)).decode()
    assert judged(ask, bytes(raw) + MESSAGE, f"k=ed25519; p={public}") == {"message.dkim.valid"}
    changed = (bytes(raw) + MESSAGE).replace(b"From: team", b"From: tram")
    assert judged(ask, changed, f"k=ed25519; p={public}") == {"message.dkim.header"}


@pytest.mark.parametrize("trouble", [SILENCE, SERVFAIL])
def test_a_signature_without_dns_is_could_not_tell(ask: Ask, signer: Signer, trouble: str) -> None:
    """dkimpy says that it is not valid."""
    assert judged(ask, signer.sign(MESSAGE), trouble) == {"message.dkim.unknown"}


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
    assert judged(ask, signed, f"p={SHORT_PUBLIC_KEY}") == {"message.dkim.valid"}


@pytest.mark.parametrize(
    "blank",
    [MESSAGE + b" " * 30_000 + b"x", MESSAGE.replace(b"From: team", b"From: " + b"\r\n " * 100 + b"team")],
    ids=["in the body", "in a header"],
)
def test_a_message_of_blanks_is_not_verified(ask: Ask, signer: Signer, blank: bytes) -> None:
    """dkimpy would read each blank again from the one before."""
    assert judged(ask, signer.sign(blank), signer.record) == {"message.dkim.unknown"}
