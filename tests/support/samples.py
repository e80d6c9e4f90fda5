"""A sample of an invitation as it is delivered, to be spoilt header by header."""

from __future__ import annotations

from flask_optout import config

SETTINGS = {setting.name: setting.default for setting in config.SETTINGS}
PREFIX = "https://invite.example.org/optout/"
TOKEN = "a" * 120
LINK = PREFIX + TOKEN
SIGNED = "From:To:Subject:Date:Message-ID:List-Unsubscribe:List-Unsubscribe-Post:List-Id:Feedback-ID"
OURS = f"{PREFIX}one-click/{TOKEN}"
HEADERS = {
    "Authentication-Results": "mx.example; spf=pass smtp.mailfrom=mail.example.org; dkim=pass header.d=example.org; "
    "dmarc=pass header.from=example.org",
    "Return-Path": "<bounce@mail.example.org>",
    "DKIM-Signature": f"v=1; a=rsa-sha256; d=example.org; s=s1; h={SIGNED}; bh=AAAA; b=AAAA",
    "From": "The team <team@example.org>",
    "To": "Jane <jane@example.org>",
    "Subject": "Join us",
    "Date": "Tue, 24 Nov 2026 08:00:00 +0000",
    "Message-ID": "<1@example.org>",
    "List-Unsubscribe": f"<{OURS}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    "List-Id": "<beta-42.optout.invite.example.org>",
    "Auto-Submitted": "auto-generated",
    "Content-Type": "text/plain; charset=utf-8",
}


def eml(body: str = f"Not for you? {LINK}\r\n", /, **changes: str | None) -> bytes:
    """A message with some headers changed, or left out."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in {**HEADERS, **named}.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
