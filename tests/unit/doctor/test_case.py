"""What settings, options and a sample make of a case."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from flask_optout.doctor.case import Case, Sample, parse_domain, parse_nameserver, parse_tags
from tests.support.samples import LINK, SETTINGS, eml

FULL = {
    "MAIL_DEFAULT_SENDER": ("Team", "team@set.example"),
    "MAIL_SERVER": "smtp.set.example",
    "OPTOUT_BOUNCE_DOMAIN": "bounce.set.example",
    "OPTOUT_DKIM_SELECTORS": ["one", "two"],
    "OPTOUT_SENDING_HOST": "192.0.2.25",
}


@pytest.mark.parametrize(
    ("config", "domain", "sample", "expected"),
    [
        ({}, None, None, (None, None, [], None, False)),
        (
            FULL,
            None,
            None,
            (
                "set.example",
                "bounce.set.example",
                [("one", "set.example"), ("two", "set.example")],
                "192.0.2.25",
                True,
            ),
        ),
        (
            FULL | {"OPTOUT_DKIM_SELECTORS": "one", "OPTOUT_SENDING_HOST": None},
            "option.example",
            None,
            ("option.example", "bounce.set.example", [("one", "option.example")], "smtp.set.example", False),
        ),
        (
            FULL | {"OPTOUT_DKIM_SELECTORS": ()},
            None,
            eml(),
            ("example.org", "mail.example.org", [("s1", "example.org")], "192.0.2.25", True),
        ),
        ({"MAIL_DEFAULT_SENDER": "no address"}, None, None, (None, None, [], None, False)),
        ({}, None, eml(From="nobody", Return_Path="<>", DKIM_Signature=None), (None, None, [], None, False)),
    ],
)
def test_a_case(config: dict[str, Any], domain: str | None, sample: bytes | None, expected: tuple[Any, ...]) -> None:
    case = Case.of({**SETTINGS, **config}, domain, sample)
    assert (case.author, case.bounce, case.selectors, case.sending_host, case.sender_is_explicit) == expected


RECEIVED = 'pass (mx.example: ok) client-ip=192.0.2.77; envelope-from="b@mail.example.org"; helo=out.example.org;'


def test_what_the_receiver_saw_tells_the_sending_host_and_its_name() -> None:
    case = Case.of(FULL | {"OPTOUT_SENDING_HOST": None}, None, eml(Received_SPF=RECEIVED))
    assert (case.sending_host, case.sender_is_explicit, case.helo) == ("192.0.2.77", True, "out.example.org")


def test_what_the_receiver_of_a_forwarded_sample_saw_is_the_forwarder() -> None:
    sample = eml(
        Received_SPF=RECEIVED,
        Authentication_Results="mx.example; spf=fail",
        ARC_Authentication_Results="i=1; forwarder.test; spf=pass",
    )
    case = Case.of(FULL | {"OPTOUT_SENDING_HOST": None}, None, sample)
    assert (case.sending_host, case.sender_is_explicit, case.helo) == ("smtp.set.example", False, None)
    assert case.bounce == "bounce.set.example"


@pytest.mark.parametrize(
    "headers",
    [
        # Mimecast received it, and gave it to Microsoft 365, which left its own name out.
        {"Authentication_Results": "spf=fail smtp.mailfrom=x\r\nAuthentication-Results: a.mimecast.com; spf=pass"},
        {"X_Forwarded_For": "jane@y.example joe@z.example"},
    ],
)
def test_what_came_through_another_server_does_not_tell_the_sending_host(headers: dict[str, str | None]) -> None:
    case = Case.of(FULL | {"OPTOUT_SENDING_HOST": None}, None, eml(Received_SPF=RECEIVED, **headers))
    assert (case.sending_host, case.bounce) == ("smtp.set.example", "bounce.set.example")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authentication_Results": "bimi.icloud.com; none\r\nAuthentication-Results: spf.icloud.com; spf=pass"},
        # What the sender's own servers write, and seal, while they take it in.
        {"Authentication_Results": "mx.example; spf=pass\r\nAuthentication-Results: out.x.example; auth=pass"},
        {"Authentication_Results": "mx.example; spf=pass\r\nAuthentication-Results: a.yandex.net; dkim=pass"},
        {"ARC_Authentication_Results": "i=1; mx.google.com; arc=none"},
        {"ARC_Authentication_Results": "i=1; ORIGINATING; auth=pass smtp.auth=jane smtp.mailfrom=jane@x.example"},
        {"ARC_Authentication_Results": "i=1; mx.microsoft.com 1; spf=none; dmarc=none; dkim=none; arc=none"},
        {
            "Authentication_Results": "spf=pass (sender IP is 192.0.2.77) smtp.mailfrom=x.example; dmarc=pass",
            "ARC_Authentication_Results": "i=1; mx.microsoft.com 1; spf=pass (sender ip is 192.0.2.77) "
            "smtp.rcpttodomain=outlook.com smtp.mailfrom=x.example; dmarc=pass",
        },
    ],
)
def test_servers_of_one_owner_are_no_forwarders(headers: dict[str, str | None]) -> None:
    case = Case.of(FULL | {"OPTOUT_SENDING_HOST": None}, None, eml(Received_SPF=RECEIVED, **headers))
    assert (case.sending_host, case.bounce) == ("192.0.2.77", "mail.example.org")


def test_the_name_in_helo_is_that_of_the_host_that_sent_the_sample() -> None:
    assert Case.of(FULL, None, eml(Received_SPF=RECEIVED)).helo is None


def test_who_signs_is_told_by_the_sample_alone() -> None:
    config = {**SETTINGS, **FULL}
    assert Case.of(config).signers == []
    assert Case.of(config, None, eml()).signers == ["example.org"]


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("bücher.example.org", "xn--bcher-kva.example.org"),
    ],
)
def test_a_domain_is_taken_as_its_a_label(text: str, domain: str) -> None:
    assert parse_domain(text) == domain


@pytest.mark.parametrize(
    "text", ["", "example", "a b.example.org", "x@example.org", "a\x00.org", "\udcff.org", "x" * 300]
)
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(ValueError, match="not a domain"):
        parse_domain(text)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("9.9.9.9", ("9.9.9.9", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("2620:fe::fe", ("2620:fe::fe", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_a_nameserver(text: str, server: tuple[str, int]) -> None:
    assert parse_nameserver(text) == server


@pytest.mark.parametrize("text", ["", "dns.example", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:²"])
def test_what_is_no_nameserver(text: str) -> None:
    with pytest.raises(ValueError):
        parse_nameserver(text)


def test_a_sample_tells_the_domains_and_the_selectors() -> None:
    case = Case.of(SETTINGS, message=eml())
    assert (case.author, case.bounce, case.selectors) == ("example.org", "mail.example.org", [("s1", "example.org")])


@pytest.mark.parametrize(
    "front", [b"\xef\xbb\xbf", b"\r\n\r\n", b"1234  \n", b"From bounce@x Tue Nov 24 08:00:00 2026\n"]
)
@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r\r\n"])
def test_a_sample_is_read_however_a_program_saved_it(front: bytes, ends: bytes) -> None:
    case = Case.of(SETTINGS, message=front + eml().replace(b"\r\n", ends))
    assert (case.author, case.bounce) == ("example.org", "mail.example.org")
    assert case.sample.bodies["text"] == [f"Not for you? {LINK}\r\n"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 1_000,
        b"no headers at all",
        b"Subject: no sender\r\n\r\nbody",
        b"From: a@example.org\r\n" + b"X: y\r\n" * 50_000 + b"\r\nbody",
        b"From: a@example.org\r\n\r\n" + b"x" * 25_000_001,
        b"From: a@example.org\r\n\r\n" + b"\n" * 1_000_001,
    ],
)
def test_what_is_no_message_is_said_to_be_none(raw: bytes) -> None:
    sample = Sample.read(raw)
    assert sample.unreadable and not sample.raw


def test_a_sample_with_hundreds_of_signatures_leads_to_a_few_questions() -> None:
    many = "\r\nDKIM-Signature: ".join(f"v=1; d=d{number}.example; s=s1" for number in range(500))
    assert len(Case.of(SETTINGS, message=eml(DKIM_Signature=many)).selectors) == 20


def test_a_sample_of_many_megabytes_is_read() -> None:
    pdf = base64.encodebytes(b"%PDF" * 2_000_000).decode().replace("\n", "\r\n")
    parts = (
        f"--x\r\nContent-Type: text/plain\r\n\r\nNot for you? {LINK}\r\n"
        f"--x\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{pdf}--x--\r\n"
    )
    sample = Sample.read(eml(parts, Content_Type='multipart/mixed; boundary="x"'))
    assert [text.strip() for text in sample.bodies["text"]] == [f"Not for you? {LINK}"]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("v=DKIM1; k=rsa; p=AB C=", {"v": "DKIM1", "k": "rsa", "p": "AB C="}),
        (" P = none ;p=reject;;x", {"p": "none"}),
        ("", {}),
    ],
)
def test_tag_lists(text: str, tags: dict[str, str]) -> None:
    assert parse_tags(text) == tags


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'pass (mx.example: ok) client-ip=192.0.2.1; envelope-from="b@x.example"; helo=out.example;',
            {"result": "pass", "client-ip": "192.0.2.1", "envelope-from": "b@x.example", "helo": "out.example"},
        ),
        ("Fail", {"result": "fail"}),
        (None, {}),
    ],
)
def test_what_received_spf_says(text: str | None, said: dict[str, str]) -> None:
    assert Sample.read(eml(Received_SPF=text)).received_spf == said
