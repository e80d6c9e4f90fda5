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
from flask_optout.doctor.signatures import keys, signatures
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
        ([f"v=DKIM1; k=ed25519; p={ED25519_IN_DER}"], {"domain.dkim.syntax"}),
        ([], {"domain.dkim.absent"}),
        (["v=DKIM1; p=", f"p={GOOD_KEY}"], {"domain.dkim.several"}),
        ([SILENCE], {"domain.dkim.unknown"}),
        ([SERVFAIL], {"domain.dkim.unknown"}),
    ],
)
def test_each_line_of_the_standards(ask: Ask, records: list[Rdata], expected: set[str]) -> None:
    assert ids(keys(ask({f"{NAME} TXT": records}), [("s1", D)])) == expected


def test_a_flawed_record_is_shown_as_found_and_mended(ask: Ask) -> None:
    spoilt = f"v=DKIM1\\; k=rsa\\; p={GOOD_KEY}"
    finding = the(keys(ask({f"{NAME} TXT": [spoilt]}), [("s1", D)]), "domain.dkim.flawed")
    assert finding.details[0].startswith("v=DKIM1\\; k=rsa\\; p=")
    strings = finding.paste.partition(" IN TXT ")[2].strip('"').split('" "')
    assert max(map(len, strings)) <= 255
    zone: Zone = {f"{NAME} TXT": [[string.encode() for string in strings]]}
    assert ids(keys(ask(zone), [("s1", D)])) == KEY


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
    finding = the(keys(ask(zone), [(selector, D)]), "domain.dkim.absent")
    assert said in finding.mend + finding.paste
    assert ("openssl" in finding.paste) == (said == "openssl")


def test_the_command_for_a_new_key_prints_a_record_that_fits_dns(ask: Ask, tmp_path: Path) -> None:
    command = the(keys(ask({}), [("s1", D)]), "domain.dkim.absent").paste
    printed = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=True, text=True).stdout
    strings = printed.strip('"').split('" "')
    assert max(map(len, strings)) <= 255
    zone: Zone = {f"{NAME} TXT": [[string.encode() for string in strings]]}
    assert ids(keys(ask(zone), [("s1", D)])) == KEY


def test_without_pynacl_an_ed25519_key_is_could_not_tell(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(dkim, "nacl")
    zone: Zone = {f"{NAME} TXT": [f"k=ed25519; p={ED25519}"]}
    finding = the(keys(ask(zone), [("s1", D)]), "domain.dkim.extra")
    assert "PyNaCl" in finding.seen
    assert "Flask-OptOut[doctor]" in finding.paste


def test_without_a_selector_nobody_can_tell(ask: Ask) -> None:
    assert the(keys(ask({}), []), "domain.dkim.selector").seen.startswith("Could not tell")


def test_an_ed25519_key_beside_an_rsa_key_is_fine(ask: Ask) -> None:
    zone: Zone = {f"{NAME} TXT": [f"k=ed25519; p={ED25519}"], f"s2._domainkey.{D} TXT": [f"p={GOOD_KEY}"]}
    assert ids(keys(ask(zone), [("s1", D), ("s2", D)])) == KEY


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
    return ids(signatures(ask({f"{NAME} TXT": [record]}), Sample.read(raw)))


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
    found = signatures(ask({f"{NAME} TXT": records}), Sample.read(signer.sign(MESSAGE)))
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
    assert judged(ask, signer.sign(message), signer.record) == {"message.dkim.unknown"}


GOOD = (
    "mx.example; spf=pass smtp.mailfrom=a@x.example; dkim=pass header.i=@x.example; dmarc=pass header.from=x.example"
)
BAD = "mx.example; spf=fail smtp.mailfrom=a@x.example; dkim=fail header.d=x.example; dmarc=fail header.from=x.example"


def told_by_receiver(**headers: str | None) -> set[str]:
    return ids(receiver(Sample.read(eml(**headers))))


@pytest.mark.parametrize(
    ("results", "id"),
    [
        (GOOD, "message.receiver"),
        (BAD, "message.receiver.fail"),
        (
            "mx.example; spf=softfail smtp.mailfrom=x.example; dkim=none; dmarc=fail header.from=x.example",
            "message.receiver.fail",
        ),
        ("mx.example; spf=fail smtp.mailfrom=x.example", "message.receiver.fail"),
        ("mx.example; dkim=permerror header.d=x.example", "message.receiver.fail"),
        # Of several signatures one that holds is enough.
        (
            "mx.example; dkim=fail header.d=esp.test; dkim=pass header.d=x.example; "
            "spf=pass smtp.mailfrom=x.example; dmarc=pass header.from=x.example",
            "message.receiver",
        ),
        (
            "mx.example; spf=fail smtp.mailfrom=e.test; dkim=pass header.d=x.example; "
            "dmarc=pass header.from=x.example",
            "message.receiver.part",
        ),
        (
            "mx.example; spf=temperror smtp.mailfrom=x.example; dkim=pass header.d=x.example",
            "message.receiver.unknown",
        ),
        # Microsoft leaves the server's name out, and adds a verdict of its own.
        (
            "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=x.example; "
            "dkim=pass (signature was verified) header.d=x.example;"
            "dmarc=pass action=none header.from=x.example;compauth=pass reason=100",
            "message.receiver",
        ),
        (
            "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=x.example; "
            "dkim=pass (signature was verified) header.d=x.example;"
            "dmarc=pass action=none header.from=x.example;compauth=fail reason=001",
            "message.receiver.fail",
        ),
        (
            "spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=x.example; dkim=none (message not signed) header.d=none;"
            "dmarc=fail action=quarantine header.from=x.example;compauth=fail reason=000",
            "message.receiver.fail",
        ),
        # iCloud has a server for each method, Yahoo no blank before its comments and a semicolon at the end.
        (
            "bimi.icloud.com; none\r\nAuthentication-Results: dmarc.icloud.com; dmarc=fail header.from=x.example\r\n"
            "Authentication-Results: spf.icloud.com; spf=fail smtp.mailfrom=x.example",
            "message.receiver.fail",
        ),
        (
            "bimi.icloud.com; none\r\nAuthentication-Results: dmarc.icloud.com; dmarc=pass header.from=x.example",
            "message.receiver",
        ),
        (
            "atlas.omega.yahoo.com; dkim=perm_fail header.i=@x.example; spf=pass smtp.mailfrom=x.example; "
            "dmarc=fail(p=REJECT) header.from=x.example;",
            "message.receiver.fail",
        ),
        (
            "atlas.omega.yahoo.com; dkim=pass header.i=@x.example; spf=pass smtp.mailfrom=x.example; "
            "dmarc=pass(p=REJECT) header.from=x.example;",
            "message.receiver",
        ),
        # Without a word about DMARC, one of SPF and DKIM may be enough; without a policy, too.
        ("mx.example; spf=softfail smtp.mailfrom=e.test; dkim=pass header.d=x.example", "message.receiver.part"),
        ("mx.example; spf=pass smtp.mailfrom=x.example; dkim=fail header.d=x.example", "message.receiver.part"),
        (
            "mx.example; spf=pass smtp.mailfrom=x.example; dkim=pass header.d=x.example; "
            "dmarc=none header.from=x.example",
            "message.receiver.part",
        ),
        (
            "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=x.example; dkim=timeout (key query timeout) "
            "header.d=x.example;dmarc=pass action=none header.from=x.example;compauth=pass reason=100",
            "message.receiver.unknown",
        ),
        ("mx.example (amavisd-new); dkim=pass (2048-bit key) header.d=x.example", "message.receiver"),
        ("posteo.de; spf=tempfail smtp.mailfrom=x.example; dkim=pass header.d=x.example", "message.receiver.unknown"),
        (
            "dkim=none (message not signed) header.d=none;dmarc=none action=none header.from=x.example;",
            "message.receiver.none",
        ),
        # What the sender's own server wrote while it took the message in.
        ("out.x.example; auth=pass smtp.auth=jane smtp.mailfrom=jane@x.example", "message.receiver.none"),
        ("mx.example; none", "message.receiver"),
        ("(((", "message.receiver.none"),
        (None, "message.receiver.none"),
    ],
)
def test_what_the_receiver_says_is_believed(results: str | None, id: str) -> None:
    assert told_by_receiver(Authentication_Results=results) == {id}


def test_only_the_topmost_server_is_believed() -> None:
    """Whatever stands below can have been written by whoever sent it."""
    forged = f"{BAD}\r\nAuthentication-Results: {GOOD.replace('mx.example', 'forged.test')}"
    assert told_by_receiver(Authentication_Results=forged) == {"message.receiver.fail"}
    more = "mx.example; dmarc=fail header.from=x.example"
    parts = f"mx.example; dkim=pass header.d=x.example\r\nAuthentication-Results: {more}"
    assert told_by_receiver(Authentication_Results=parts) == {"message.receiver.fail"}


@pytest.mark.parametrize(
    ("received", "id"),
    [
        ("pass (mx.example: ok) client-ip=192.0.2.1;", "message.receiver"),
        ("fail (mx.example: no) client-ip=192.0.2.1;", "message.receiver.fail"),
        ("TempError client-ip=192.0.2.1", "message.receiver.unknown"),
        ("v=spf1 whatever", "message.receiver.none"),
        (
            "None (no SPF record) identity=helo; client-ip=192.0.2.1\r\n"
            "Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip=192.0.2.1",
            "message.receiver",
        ),
    ],
)
def test_received_spf_is_believed_where_nothing_else_is_said(received: str, id: str) -> None:
    assert told_by_receiver(Authentication_Results=None, Received_SPF=received) == {id}


@pytest.mark.parametrize(
    ("first", "id"),
    [
        (
            "i=1; forwarder.test; spf=pass; dkim=pass header.d=x.example; dmarc=pass header.from=x.example",
            "message.receiver.forwarded",
        ),
        (
            "i=1; forwarder.test; spf=fail; dkim=fail header.d=x.example; dmarc=fail header.from=x.example",
            "message.receiver.fail",
        ),
        # Gmail seals what it receives itself: nobody forwarded that.
        (
            "i=1; mx.example; spf=fail; dkim=fail header.d=x.example; dmarc=fail header.from=x.example",
            "message.receiver.fail",
        ),
        # Two seals of one server: Gmail passed it on to Gmail.
        (
            "i=2; mx.example; spf=fail; dmarc=fail header.from=x.example\r\n"
            "ARC-Authentication-Results: i=1; mx.example; spf=pass; dmarc=pass header.from=x.example",
            "message.receiver.forwarded",
        ),
        # Microsoft 365 seals what its own customers send: nobody forwarded that either.
        (
            "i=2; mx.example; spf=fail; dmarc=fail header.from=x.example\r\n"
            "ARC-Authentication-Results: i=1; mx.microsoft.com 1; spf=pass smtp.mailfrom=x.example; "
            "dmarc=pass action=none header.from=x.example; dkim=pass header.d=x.example; arc=none",
            "message.receiver.fail",
        ),
        (
            "i=2; mx.example; spf=fail; dmarc=fail header.from=x.example\r\n"
            "ARC-Authentication-Results: i=1; mx.zohomail.com; dkim=pass header.i=x.example; "
            "spf=pass smtp.mailfrom=a@x.example; dmarc=pass header.from=<a@x.example>",
            "message.receiver.fail",
        ),
    ],
)
def test_forwarding_is_told_apart_from_failure(first: str, id: str) -> None:
    assert told_by_receiver(Authentication_Results=f"{BAD}; arc=pass", ARC_Authentication_Results=first) == {id}


def test_a_broken_seal_is_not_believed() -> None:
    first = "i=1; forwarder.test; spf=pass; dmarc=pass header.from=x.example"
    broken = told_by_receiver(Authentication_Results=f"{BAD}; arc=fail", ARC_Authentication_Results=first)
    assert broken == {"message.receiver.fail"}


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_For": "jane@y.example joe@z.example"},
        {"X_BeenThere": "list@lists.test"},
        {"Return_Path": "<SRS0=Ab=CD=x.example=bounce@forwarder.test>"},
    ],
)
def test_what_was_passed_on_without_a_seal_is_could_not_tell(headers: dict[str, str | None]) -> None:
    assert told_by_receiver(Authentication_Results=BAD, **headers) == {"message.receiver.unknown"}
    assert told_by_receiver(Authentication_Results=GOOD, **headers) == {"message.receiver"}


@pytest.mark.parametrize(
    ("name", "value", "spam"),
    [
        ("X-Spam-Flag", "YES", True),
        ("X-Spam-Flag", "NO", False),
        ("X-Spam-Status", "Yes, score=7.1 required=5.0 tests=URIBL_BLACK", True),
        ("X-Spam-Status", "No, score=-1.9", False),
        ("X-MS-Exchange-Organization-SCL", "6", True),
        ("X-MS-Exchange-Organization-SCL", "-1", False),
        ("X-Forefront-Antispam-Report", "CIP:192.0.2.1;CTRY:DE;SCL:5;SFV:SPM;CAT:SPM;", True),
        ("X-Forefront-Antispam-Report", "CIP:192.0.2.1;CTRY:DE;SCL:1;SFV:NSPM;CAT:NONE;", False),
        ("X-Microsoft-Antispam-Mailbox-Delivery", "ucf:0;jmr:1;dest:J;OFR:SpamFilterAuthJ;", True),
        ("X-Spamd-Result", "default: True [16.00 / 15.00]; R_SPF_FAIL(1.00)[-all]", True),
        ("X-Gmail-Labels", "Inbox,Unread", False),
        ("X-Gmail-Labels", "Spam,Unread", True),
        ("X-Forefront-Antispam-Report", "CIP:192.0.2.1;CTRY:DE;SCL:9;SFV:SKS;CAT:NONE;", True),
        ("X-Forefront-Antispam-Report", "CIP:192.0.2.1;CTRY:DE;SCL:1;SFV:NSPM;CAT:UIMP;", True),
        ("X-Barracuda-Spam-Status", "Yes, SCORE=5.10 using global scores of TAG_LEVEL=3.5", True),
        ("X-Proofpoint-Spam-Details", "rule=notspam policy=default score=0", False),
        ("X-Proofpoint-Spam-Details", "rule=spam policy=default score=100", True),
        ("X-SES-Spam-Verdict", "FAIL", True),
        ("X-SES-Spam-Verdict", "PASS", False),
        ("X-Rspamd-Action", "add header", True),
        ("X-Rspamd-Action", "no action", False),
        ("X-Bogosity", "Spam, tests=bogofilter, spamicity=0.999", True),
        ("X-UI-Filterresults", "junk:10;V03:K0:abc", True),
        ("X-UI-Filterresults", "notjunk:1;V03:K0:abc", False),
        ("Subject", "***SPAM*** Join us", True),
        ("Subject", "[SPAM] Join us", True),
        ("Subject", "Spam filters wanted", False),
    ],
)
def test_spam_flags_are_seen(name: str, value: str, spam: bool) -> None:
    found = told_by_receiver(**{name.replace("-", "_"): value})
    assert ("message.spam" in found) is spam


def test_a_sample_that_was_taken_for_spam_and_fails_is_a_failure() -> None:
    sample = eml(Authentication_Results=BAD, X_Spam_Flag="YES")
    found = list(message(Case.of(SETTINGS, message=sample), PREFIX))
    assert {"message.receiver.fail", "message.spam"} <= ids(found)
    assert "spf=fail, dkim=fail, dmarc=fail" in the(found, "message.receiver.fail").seen


def test_whose_signature_held_is_told_by_the_receiver_and_the_first_server() -> None:
    sample = Sample.read(
        eml(
            Authentication_Results="mx.example; dkim=pass header.i=@esp.test; dkim=fail header.d=x.example",
            ARC_Authentication_Results="i=1; forwarder.test; dkim=pass header.d=x.example",
        )
    )
    assert [each.held for each in assessments(sample)] == [{"esp.test"}, {"x.example"}]
