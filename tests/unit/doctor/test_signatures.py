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

from flask_optout.doctor.case import Case, Sample
from flask_optout.doctor.examine import message
from flask_optout.doctor.signatures import assessments, keys, receiver, signatures
from tests.support.dns_server import SERVFAIL, SILENCE, Rdata, Zone
from tests.support.findings import ids, the
from tests.support.samples import PREFIX, SETTINGS, eml
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
        # Keys of another type than k= says.
        ([f"v=DKIM1; k=ed25519; p={ED25519}"], KEY | {"domain.dkim.ed25519"}),
        ([f"v=DKIM1; k=ed25519; p={GOOD_KEY}"], {"domain.dkim.type"}),
        ([f"v=DKIM1; k=rsa; p={ED25519}"], {"domain.dkim.type"}),
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


def judged(ask: Ask, raw: bytes, record: str | list[Rdata]) -> set[str]:
    records: list[Rdata] = [record] if isinstance(record, str) else record
    return ids(signatures(ask({f"{NAME} TXT": records}), Sample.read(raw)))


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


def test_an_expired_signature_says_so(ask: Ask, signer: Signer) -> None:
    now = int(time.time())
    for ends in (2_000, now - 60):
        expired = re.sub(rb"\bt=\d+", b"t=1000; x=%d" % ends, signer.sign(MESSAGE), count=1)
        assert judged(ask, expired, signer.record) == {"message.dkim.expired"}
    lasting = re.sub(rb"\bt=\d+", b"t=1000; x=%d" % (now + 600), signer.sign(MESSAGE), count=1)
    assert judged(ask, lasting, signer.record) == {"message.dkim.header"}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ([], "absent"),
        ("v=DKIM1; p=", "revoked"),
        ("v=DKIM1; p=!", "base64"),
        (f"v=DKIM1; k=ed25519; p={GOOD_KEY}", "another type"),
    ],
)
def test_a_key_that_cannot_be_used_is_the_cause(
    ask: Ask, signer: Signer, record: str | list[Rdata], reason: str
) -> None:
    sample = Sample.read(signer.sign(MESSAGE))
    zone: Zone = {f"{NAME} TXT": [record] if isinstance(record, str) else record}
    finding = the(signatures(ask(zone), sample), "message.dkim.key")
    assert reason in finding.seen


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
    "message",
    [
        MESSAGE + b" " * 30_000 + b"x",
        MESSAGE.replace(b"From: team", b"From: " + b"\r\n " * 100 + b"team"),
    ],
)
def test_a_message_of_blanks_is_not_verified(ask: Ask, signer: Signer, message: bytes) -> None:
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
    ],
)
def test_forwarding_is_told_apart_from_failure(first: str, id: str) -> None:
    assert told_by_receiver(Authentication_Results=f"{BAD}; arc=pass", ARC_Authentication_Results=first) == {id}


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
