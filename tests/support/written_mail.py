"""Messages as hosts write them, and what a library makes of each, alone and as an invitation, on the wire."""

from __future__ import annotations

import random
import re
import smtplib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formataddr
from typing import Any

import flask_mail
import flask_mailman

from flask_optout.mailers import flask_mail as gated_mail
from flask_optout.mailers import flask_mailman as gated_mailman
from flask_optout.mailers import stdlib
from tests.support.hosts import Host, Mailbox

WORDS = [
    *("Einladung", "zur", "Prüfung,", "größerer", "Möglichkeiten", "Café", "Ñandú", "façade", "Привет", "участник"),
    *("исследования,", "研究への招待状", "دعوة", "للمشاركة", "הזמנה", "למחקר", "Πρόσκληση", "🎉", "join", "us,"),
    *("O'Neil", "&", "Sons", "Department", "of", "Photography", "(Film)", "5%", "off"),
]
HEADERS: dict[str, Callable[[random.Random], str]] = {
    "X-SMTPAPI": lambda dice: '{"category": ["' + '", "'.join(dice.choices("abc", k=dice.randrange(60))) + '"]}',
    "X-Mailgun-Variables": lambda dice: '{"id": "' + "x" * dice.randrange(600) + '"}',
    "References": lambda dice: " ".join(f"<{dice.random()}@example.org>" for _ in range(dice.randrange(1, 12))),
    "X-Campaign": lambda dice: "spring",
    "Organization": lambda dice: " ".join(dice.choices(WORDS, k=dice.randrange(1, 20))),
    "X-Link": lambda dice: "https://example.org/" + "a/" * dice.randrange(150),
    "Precedence": lambda dice: "bulk",
}


@dataclass(frozen=True)
class Written:
    """One message, in no library's terms."""

    subject: str
    sender: tuple[str, str]
    to: tuple[str, str]
    reply_to: tuple[str, str] | None
    text: str | None
    html: str | None
    headers: dict[str, str]
    attachments: list[tuple[str, str, bytes]] = field(default_factory=list)


def write(seed: int) -> Written:
    """A message of many kinds, always the same for a seed."""
    dice = random.Random(seed)

    def name() -> str:
        joint = dice.choice([" ", " ", ", ", " (", '" ', "  "])
        return joint.join(dice.choices(WORDS, k=dice.randrange(1, 12)))[: dice.randrange(1, 300)].strip()

    def text() -> str:
        lines = [" ".join(dice.choices(WORDS, k=dice.randrange(12))) for _ in range(dice.randrange(1, 9))]
        written = dice.choice(["\n", "\n", "\r\n"]).join(lines) + dice.choice(["", "\n", "\n\n"])
        return written or "Hi"  # what says nothing is no invitation

    html = f"<html><body><p>{text()}</p>{'<b>x</b>' * dice.choice([0, 3, 109, 110, 111, 125, 400])}</body></html>"
    kind = dice.randrange(3)
    names = dice.sample(sorted(HEADERS), dice.randrange(4))
    return Written(
        subject=" ".join(dice.choices(WORDS, k=dice.randrange(1, 17))),
        sender=(name(), "team@example.org"),
        to=(dice.choice(["", name()]), f"person{seed}@example.org"),
        reply_to=dice.choice([None, (name(), "help@example.org")]),
        text=text() if kind else None,
        html=html if kind != 1 else None,
        headers={name: HEADERS[name](dice) for name in names},
        attachments=dice.choice(
            [
                [],
                [],
                [("inv.ics", "text/calendar", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")],
                [("a.bin", "a/b", b"\0\1")],
            ]
        ),
    )


def flask_mail_sender(host: Host, invites: bool) -> Callable[[Written], None]:
    mail = gated_mail.Mail(host.app)

    def send(written: Written) -> None:
        args: dict[str, Any] = {
            "sender": written.sender,
            "recipients": [written.to if written.to[0] else written.to[1]],
            "reply_to": written.reply_to,
            "body": written.text,
            "html": written.html,
            "extra_headers": dict(written.headers),
            "date": 1e9,
        }
        message = flask_mail.Message(written.subject, **args)
        if invites:
            message = gated_mail.Invitation(written.subject, opportunity="beta-42", **args)
        for name, kind, data in written.attachments:
            message.attach(name, kind, data)
        mail.send(message)

    return send


def mailman_sender(host: Host, invites: bool) -> Callable[[Written], None]:
    gated_mailman.Mail(host.app)

    def send(written: Written) -> None:
        args: dict[str, Any] = {
            "from_email": formataddr(written.sender, "utf-8"),
            "to": [formataddr(written.to, "utf-8")],
            "reply_to": [formataddr(written.reply_to)] if written.reply_to else None,
            "headers": {**written.headers, "Date": "Thu, 26 Nov 2026 12:00:00 +0000"},
        }
        message = flask_mailman.EmailMultiAlternatives(written.subject, written.text, **args)
        if invites:
            message = gated_mailman.Invitation(written.subject, written.text, opportunity="beta-42", **args)
        if written.html:
            message.attach_alternative(written.html, "text/html")
        for name, kind, data in written.attachments:
            message.attach(name, data, kind)
        message.send()

    return send


def stdlib_sender(host: Host, invites: bool) -> Callable[[Written], None]:
    def send(written: Written) -> None:
        message = stdlib.Invitation(opportunity="beta-42") if invites else EmailMessage()
        message["Subject"] = written.subject
        for header, who in (("From", written.sender), ("To", written.to), ("Reply-To", written.reply_to)):
            if who:
                message[header] = Address(who[0], addr_spec=who[1])
        for name, value in written.headers.items():
            message[name] = value
        if written.text is not None:
            message.set_content(written.text)
        if written.html is not None:
            add = message.set_content if written.text is None else message.add_alternative
            add(written.html, subtype="html")
        for name, kind, data in written.attachments:
            message.add_attachment(data, *kind.split("/"), filename=name)
        with smtplib.SMTP(host.app.config["MAIL_SERVER"], host.app.config["MAIL_PORT"]) as smtp:
            if invites:
                host.optout.send_invitations([message], smtp.send_message)
            else:
                smtp.send_message(message)

    return send


SENDERS: dict[str, Callable[[Host, bool], Callable[[Written], None]]] = {
    "Flask-Mail": flask_mail_sender,
    "Flask-Mailman": mailman_sender,
    "smtplib": stdlib_sender,
}


@dataclass
class Wire:
    """A message on the wire: its header fields as they stand, and its parts."""

    fields: list[bytes]
    parts: list[tuple[bytes, bytes]]
    recipients: list[str]


def on_the_wire(smtp: Mailbox) -> Wire:
    [mail] = smtp.received
    smtp.received.clear()
    raw = mail.raw
    boundaries = re.findall(rb'boundary="([^"]+)"', raw)
    for number, boundary in enumerate(boundaries):
        raw = raw.replace(boundary, b"boundary%d" % number)
    head, _, body = raw.partition(b"\r\n\r\n")
    pieces = re.split(rb"\r\n--boundary\d+(?:--)?\r\n|^--boundary\d+\r\n", body)
    parts = [piece.partition(b"\r\n\r\n")[::2] if boundaries else (b"", piece) for piece in pieces]
    return Wire(re.split(rb"\r\n(?![ \t])", head), [(one, two) for one, two in parts], mail.rcpt_to)
