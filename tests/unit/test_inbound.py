"""Which mails to the mailto door are opt-outs: everything but what a mail server wrote by itself."""

from __future__ import annotations

from email.parser import BytesHeaderParser

import pytest

from flask_optout.inbound import find_recipients, is_bounce

APPLE = b"Return-Path: <jane@x.org>\nFrom: jane@x.org\nSubject:\n\nApple Mail sent this email.\n"
OPT_OUTS = {
    "Apple Mail": APPLE,
    "no subject, no body": b"From: jane@x.org\n\n",
    "an auto-reply": b"Return-Path: <jane@x.org>\nAuto-Submitted: auto-replied\nPrecedence: bulk\n\nI am away.\n",
    "several parts": b"Return-Path: <j@x.org>\nContent-Type: multipart/mixed; boundary=b\n\n--b--\n",
    "a pipe of Exim's": b"From jane@x.org Fri Nov 27 10:00:00 2026\nSubject: unsubscribe\n\n",
    "nothing": b"",
    "a sender that would take long to read": b"Return-Path: " + b"(" * 60_000 + b"\n\n",
    "bytes": bytes(range(256)),
}
BOUNCES = {
    "null sender": b"Return-Path: <>\nFrom: jane@x.org\n\n",
    "null sender with a blank": b"Return-Path:  <> \n\n",
    "null sender with a comment": b"Return-Path: <> (added by postmaster@mx.example.org)\n\n",
    "null sender on a line of its own": b"Return-Path:\n <>\n\n",
    "a null sender by Postfix": b"Return-Path: <MAILER-DAEMON>\n\n",
    "a null sender by a forwarder": b"Return-Path: <MAILER-DAEMON@mx.example.org>\n\n",
    "a null sender in a pipe of Exim's": b"From MAILER-DAEMON Fri Nov 27 10:00:00 2026\nSubject: Away\n\n",
    "a report of delivery": b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b--\n",
    "a receipt": b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b--\n",
}


@pytest.mark.parametrize("case", [*OPT_OUTS, *BOUNCES])
def test_a_bounce_is_told_from_an_opt_out(case: str) -> None:
    mail = {**OPT_OUTS, **BOUNCES}[case]
    assert is_bounce(BytesHeaderParser().parsebytes(mail)) is (case in BOUNCES)


@pytest.mark.parametrize(
    ("sender", "bounce"),
    [("", True), ("MAILER-DAEMON", True), ("<>", True), ("mailer-daemon@x.org", True), ("j@x.org", False)],
)
def test_the_sender_of_the_envelope_is_believed_first(sender: str, bounce: bool) -> None:
    assert is_bounce(BytesHeaderParser().parsebytes(APPLE), sender) is bounce


def test_recipients_are_those_of_the_envelope_and_of_the_mail() -> None:
    headers = BytesHeaderParser().parsebytes(
        b"Delivered-To: box@x.org\nX-Original-To: a@x.org\nDelivered-To: b@x.org\n"
        b'Envelope-To: c@x.org,\n d@x.org\nTo: "Stop, please" <e@x.org>, f@x.org\n'
        # A stranger's mail takes no minute to read.
        b"To: " + b"a" * 60_000 + b"\n\n"
    )
    assert find_recipients(headers) == [
        "a@x.org",
        "box@x.org",
        "b@x.org",
        "c@x.org",
        "d@x.org",
        "e@x.org",
        "f@x.org",
    ]
