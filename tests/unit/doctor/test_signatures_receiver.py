"""What the receiving server said of a sample: its verdicts, forwarders, and what it took for spam."""

from __future__ import annotations

import pytest

from flask_optout.doctor.case import Case, Sample
from flask_optout.doctor.examine import message
from flask_optout.doctor.signatures import assessments, receiver
from tests.support.findings import ids, the
from tests.support.samples import PREFIX, SETTINGS, eml

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
