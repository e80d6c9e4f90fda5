"""The app's mail server: what it refuses once it has the text, it refuses only for people who are not muted."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator, Mapping
from typing import Any

from .finding import Finding, Unsure, check, tell

SECONDS = 5.0


@check("message.size")
def size(config: Mapping[str, Any], octets: int) -> Iterator[Finding]:
    """Whether the server takes a message of this size, and says so before it has the text (RFC 1870)."""
    kind = smtplib.SMTP_SSL if config.get("MAIL_USE_SSL") else smtplib.SMTP
    try:
        with kind(config.get("MAIL_SERVER") or "localhost", config.get("MAIL_PORT") or 25, timeout=SECONDS) as smtp:
            smtp.ehlo()
            said = smtp.esmtp_features.get("size")
    except (OSError, smtplib.SMTPException) as error:
        raise Unsure(type(error).__name__) from None
    limit = int(said) if said and said.isdecimal() else 0
    if said is None:
        yield tell("message.size.unsaid")
    elif 0 < limit < octets:
        yield tell("message.size.small", limit=limit // 1_000, size=octets // 1_000)
    else:
        yield tell("message.size")
