"""How a sample is read."""

from __future__ import annotations

import base64

import pytest

from flask_optout.doctor.sample import Sample, Unreadable, tag_list
from tests.support.samples import LINK, eml


def test_a_sample_tells_the_domains_and_the_selectors() -> None:
    sample = Sample.read(eml())
    assert (sample.author, sample.bounce, sample.selectors) == (
        "example.org",
        "mail.example.org",
        [("s1", "example.org")],
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 1_000,
        b"no headers at all",
        b"Subject: no sender\r\n\r\nbody",
        b"From: a@example.org\r\n" + b"X: y\r\n" * 50_000 + b"\r\nbody",
        b"From: a@example.org\r\n\r\n" + b"x" * 25_000_001,
    ],
)
def test_what_is_no_message_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        Sample.read(raw)


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
    assert tag_list(text) == tags


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
