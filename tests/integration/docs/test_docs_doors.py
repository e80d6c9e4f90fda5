"""The manual's pages of other doors: each block of code does what the page says."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from flask.testing import FlaskClient

from flask_optout.addresses import parse
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import Host

DOCS = Path(__file__).parents[3] / "docs"
TOPIC = "arn:aws:sns:us-west-2:123456789012:complaints"
CERTIFICATE_URL = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-01d088a6f77103d0fe307c0069e40ed6.pem"
MAILTO = "optout+{token}@in.example.org"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def host(make: MakeHost) -> Iterator[Host]:
    public = EC_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    host = make(
        OPTOUT_MAILTO=MAILTO,
        SNS_TOPIC=TOPIC,
        POSTMARK_PASSWORD="swordfish",
        SENDGRID_KEY=base64.b64encode(public).decode(),
        MAILGUN_KEY="a webhook signing key",
    )
    names: dict[str, Any] = {"optout": host.optout, "__name__": "complaints"}
    exec("\n".join(blocks("complaints.md", "python")), names)
    names["certificate"] = lambda url: certificate()  # which would be fetched from Amazon
    host.app.register_blueprint(names["complaints"])
    with host.app.app_context():
        yield host


def certificate() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, RSA_KEY.public_key(), 1, now, now + datetime.timedelta(1))
    return builder.sign(RSA_KEY, hashes.SHA256())


def sns(message: Any, **changes: str) -> dict[str, str]:
    """What SNS posts.

    https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
    """
    fields = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-26T22:14:06.000Z",
        "SignatureVersion": changes.pop("version", "1"),
        "SigningCertURL": CERTIFICATE_URL,
        **changes,
    }
    signed = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    text = "".join(f"{name}\n{fields[name]}\n" for name in signed if name in fields).encode()
    kind = hashes.SHA256() if fields["SignatureVersion"] == "2" else hashes.SHA1()
    fields["Signature"] = base64.b64encode(RSA_KEY.sign(text, padding.PKCS1v15(), kind)).decode()
    return fields


def ses(**about: Any) -> dict[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html"""
    complaint = {
        "complainedRecipients": [{"emailAddress": "jane@example.org"}],
        "timestamp": "2026-11-26T20:10:05.000Z",
        "feedbackId": "000001378603177f-18c07c78-fa81-4a58-9dd1-fedc3cb8f49a-000000",
        "complaintSubType": None,
        "userAgent": "AnyCompany Feedback Loop (V0.01)",
        "complaintFeedbackType": "abuse",
        "arrivalDate": "2026-11-26T20:10:04.000Z",
        **about,
    }
    mail = {
        "timestamp": "2026-11-26T20:09:00.000Z",
        "source": "team@example.org",
        "destination": ["jane@example.org"],
    }
    return {"notificationType": "Complaint", "complaint": complaint, "mail": mail}


def post_ses(client: FlaskClient, message: Any, **changes: str) -> int:
    # Subscriptions and SES's first note hold a sentence, https://docs.aws.amazon.com/sns/latest/dg/http-formats.html
    given = json.dumps(sns(message, **changes))
    return client.post("/complaints/ses", data=given, content_type="text/plain; charset=UTF-8").status_code


SUBSCRIBE = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=t"
CHOSEN = "You have chosen to subscribe to the topic. To confirm, visit the SubscribeURL included in this message."
EVENT = {"notificationType": None, "eventType": "Complaint"}
BOUNCE = {"notificationType": "Bounce", "bounce": {"bouncedRecipients": [{"emailAddress": "jane@example.org"}]}}


def post_postmark(client: FlaskClient, event: Any, password: str = "swordfish") -> int:
    return client.post("/complaints/postmark", json=event, auth=("postmark", password)).status_code


def change(reason: str, origin: str = "Recipient", suppress: bool = True) -> dict[str, Any]:
    """https://postmarkapp.com/developer/webhooks/subscription-change-webhook"""
    return {
        "RecordType": "SubscriptionChange",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483" if origin == "Recipient" else None,
        "ServerID": 123456,
        "MessageStream": "outbound",
        "ChangedAt": "2026-11-26T10:53:34.416071Z",
        "Recipient": "jane@example.org",
        "Origin": origin,
        "SuppressSending": suppress,
        "SuppressionReason": reason if suppress else None,
        "Tag": None,
        "Metadata": {},
    }


#: https://postmarkapp.com/developer/webhooks/spam-complaint-webhook
COMPLAINT = {
    "RecordType": "SpamComplaint",
    "ID": 42,
    "Type": "SpamComplaint",
    "TypeCode": 100001,
    "Name": "Spam complaint",
    "MessageStream": "outbound",
    "Email": "jane@example.org",
    "From": "team@example.org",
    "BouncedAt": "2026-11-26T10:53:34.416071Z",
    "Inactive": True,
    "CanActivate": False,
}


def post_sendgrid(client: FlaskClient, *events: str, tampered: bool = False) -> int:
    # www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
    body = json.dumps([{"email": "jane@example.org", "timestamp": 1513299569, "event": event} for event in events])
    signature = EC_KEY.sign(f"1600112502{body}".encode(), ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": "1600112503" if tampered else "1600112502",
    }
    kind = "application/json"
    return client.post("/complaints/sendgrid", data=body, headers=headers, content_type=kind).status_code


def post_mailgun(
    client: FlaskClient, event: str, key: str = "a webhook signing key", timestamp: str | int = "1529006854"
) -> int:
    """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks and webhook-payloads"""
    token = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    data = {
        "signature": {"timestamp": timestamp, "token": token, "signature": signature, "parent-signature": "0" * 64},
        "event-data": {
            "id": "CCXMjJ7nQi2N3BPigGOdgQ",
            "event": event,
            "timestamp": 1529006854.329574,
            "log-level": "warn",
            "recipient": "jane@example.org",
            "recipient-domain": "example.org",
            "account": {"id": "1234567890303a4bd1f33898"},
            "domain": {"name": "mail.example.org"},
            "flags": {"is-test-mode": False},
            "tags": [],
            "user-variables": {},
        },
    }
    return client.post("/complaints/mailgun", json=data).status_code


CASES: dict[str, tuple[Callable[[FlaskClient], int], int, bool]] = {
    "SES complaint": (lambda client: post_ses(client, ses()), 204, True),
    "SES complaint, newer signature": (lambda client: post_ses(client, ses(), version="2"), 204, True),
    "SES complaint without a type": (lambda client: post_ses(client, ses(complaintFeedbackType=None)), 204, True),
    "SES event": (lambda client: post_ses(client, {**ses(), **EVENT}), 204, True),
    "SES not spam": (lambda client: post_ses(client, ses(complaintFeedbackType="not-spam")), 204, False),
    "SES bounce": (lambda client: post_ses(client, BOUNCE), 204, False),
    "SES confirmation": (
        lambda client: post_ses(client, CHOSEN, Type="SubscriptionConfirmation", Token="t", SubscribeURL=SUBSCRIBE),
        204,
        False,
    ),
    "SES end of a subscription": (
        lambda client: post_ses(client, CHOSEN, Type="UnsubscribeConfirmation", Token="t", SubscribeURL=SUBSCRIBE),
        204,
        False,
    ),
    "SES first note to a topic": (
        lambda client: post_ses(client, "Successfully validated SNS topic for Amazon SES event publishing."),
        204,
        False,
    ),
    "SES no certificate": (
        lambda client: client.post("/complaints/ses", json={"TopicArn": TOPIC, "Type": "Notification"}).status_code,
        403,
        False,
    ),
    "SES another topic": (lambda client: post_ses(client, ses(), TopicArn="arn:aws:sns:us-west-2:1:x"), 403, False),
    "SES another certificate": (
        lambda client: post_ses(client, ses(), SigningCertURL="https://sns.us-west-2.amazonaws.com.evil.org/x.pem"),
        403,
        False,
    ),
    "SES tampered": (
        lambda client: client.post("/complaints/ses", json={**sns(BOUNCE), "Message": json.dumps(ses())}).status_code,
        403,
        False,
    ),
    "Postmark complaint": (lambda client: post_postmark(client, COMPLAINT), 204, True),
    "Postmark unsubscribe": (lambda client: post_postmark(client, change("ManualSuppression")), 204, True),
    "Postmark bounce": (lambda client: post_postmark(client, change("HardBounce")), 204, False),
    "Postmark suppression by hand": (
        lambda client: post_postmark(client, change("ManualSuppression", origin="Customer")),
        204,
        True,
    ),
    "Postmark resubscribe": (lambda client: post_postmark(client, change("", "Customer", False)), 204, False),
    "Postmark without password": (lambda client: post_postmark(client, COMPLAINT, "guess"), 403, False),
    "SendGrid complaint": (lambda client: post_sendgrid(client, "delivered", "spamreport"), 204, True),
    "SendGrid unsubscribe": (lambda client: post_sendgrid(client, "unsubscribe"), 204, True),
    "SendGrid group unsubscribe": (lambda client: post_sendgrid(client, "group_unsubscribe"), 204, True),
    "SendGrid bounce": (lambda client: post_sendgrid(client, "bounce", "dropped", "group_resubscribe"), 204, False),
    "SendGrid tampered": (lambda client: post_sendgrid(client, "spamreport", tampered=True), 403, False),
    "Mailgun complaint, a number for its time": (
        lambda client: post_mailgun(client, "complained", timestamp=1529006854),
        204,
        True,
    ),
    "Mailgun complaint": (lambda client: post_mailgun(client, "complained"), 204, True),
    "Mailgun unsubscribe": (lambda client: post_mailgun(client, "unsubscribed"), 204, True),
    "Mailgun failure": (lambda client: post_mailgun(client, "failed"), 204, False),
    "Mailgun tampered": (lambda client: post_mailgun(client, "complained", key="guess"), 403, False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_report_of_a_mail_provider(host: Host, case: str) -> None:
    post, status, mutes = CASES[case]
    assert post(host.app.test_client()) == status
    for opportunity in ("beta-42", "study-7"):
        assert host.optout.may_invite("jane@example.org", opportunity) is not mutes


def test_a_report_about_no_address_is_taken_all_the_same(host: Host) -> None:
    about = ses(complainedRecipients=[{"emailAddress": "no address"}, {"emailAddress": "jane@example.org"}])
    assert post_ses(host.app.test_client(), about) == 204
    assert not host.optout.may_invite("jane@example.org", "beta-42")


@pytest.mark.parametrize(("source", "mutes"), [("jane@example.org", True), ("", False)])
def test_a_mail_that_ses_has_received(host: Host, source: str, mutes: bool) -> None:
    """https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html"""
    address = current_state().mailto.make_address(parse("jane@example.org"), "beta-42")
    received = {
        "notificationType": "Received",
        "receipt": {"recipients": ["else@in.example.org", address], "action": {"type": "SNS", "encoding": "UTF8"}},
        "mail": {"source": source, "destination": [address]},
        "content": "From: jane@example.org\r\nSubject: \r\n\r\nApple Mail sent this email.\r\n",
    }
    assert post_ses(host.app.test_client(), received) == 204
    assert host.optout.may_invite("jane@example.org", "beta-42") is not mutes
    assert host.optout.may_invite("jane@example.org", "study-7")


def test_the_calls_of_the_other_pages(host: Host) -> None:
    address = current_state().mailto.make_address(parse("bob@example.org"), "beta-42")
    for page in ("by-phone.md", "mailto.md", "find-link.md"):
        for block in blocks(page, "python"):
            exec(block, {"optout": host.optout, "recipient": address})
    assert not host.optout.may_invite("jane@example.org", "beta-42")
    assert host.optout.may_invite("jane@example.org", "study-7")
    assert not host.optout.may_invite("bob@example.org", "beta-42")


def test_the_commands_of_the_other_pages(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = current_state().mailto.make_address(parse("bob@example.org"), "beta-42")
    given = {"addresses.txt": "ann@example.org\n\n Kim <kim@example.org>\n", "mail": "From: bob@example.org\n\n"}
    pages = ("by-phone.md", "mailto.md", "people.md")
    commands = [line for page in pages for block in blocks(page, "shell") for line in block.splitlines()]
    assert len(commands) == 5
    for command in commands:
        line, _, file = command.partition(" < ")
        words = [word.strip('"') for word in line.partition(" > ")[0].replace("$ORIGINAL_RECIPIENT", address).split()]
        result = host.app.test_cli_runner().invoke(args=words[1:], input=given.get(file, "y\n"))
        assert result.exit_code == 0, result.output
    assert not any(host.optout.may_invite(f"{name}@example.org", "beta-42") for name in ("ann", "kim", "bob", "jane"))
