"""Messages as hosts write them, and what a library makes of each, alone and as an invitation, on the wire."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.hosts import Mailbox
from tests.support.library import Wanted

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


def write(seed: int) -> Wanted:
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
    return Wanted(
        subject=" ".join(dice.choices(WORDS, k=dice.randrange(1, 17))),
        sender=(name(), "team@example.org"),
        to=[(dice.choice(["", name()]), f"person{seed}@example.org")],
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
