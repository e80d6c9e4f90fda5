"""What the receiving server said of a sample: its verdicts, forwarders, and what it took for spam."""

from __future__ import annotations

import pytest

from flask_optout.doctor.case import Case, Sample
from flask_optout.doctor.examine import check_message
from flask_optout.doctor.signatures import assess, check_receiver
from tests.support.findings import ids, the
from tests.support.samples import PREFIX, SETTINGS, eml

GOOD = (
    "mx.example; spf=pass smtp.mailfrom=a@x.example; dkim=pass header.i=@x.example; dmarc=pass header.from=x.example"
)
BAD = "mx.example; spf=fail smtp.mailfrom=a@x.example; dkim=fail header.d=x.example; dmarc=fail header.from=x.example"


def told_by_receiver(**headers: str | None) -> set[str]:
    return ids(check_receiver(Sample.read(eml(**headers))))


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
        ("mx.example; none", "message.receiver.none"),
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
    found = list(check_message(Case.of(SETTINGS, message=sample), PREFIX))
    assert {"message.receiver.fail", "message.spam"} <= ids(found)
    assert "spf=fail, dkim=fail, dmarc=fail" in the(found, "message.receiver.fail").seen


def test_whose_signature_held_is_told_by_the_receiver_and_the_first_server() -> None:
    sample = Sample.read(
        eml(
            Authentication_Results="mx.example; dkim=pass header.i=@esp.test; dkim=fail header.d=x.example",
            ARC_Authentication_Results="i=1; forwarder.test; dkim=pass header.d=x.example",
        )
    )
    assert [each.held for each in assess(sample)] == [{"esp.test"}, {"x.example"}]
