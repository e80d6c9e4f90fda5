"""The one-click signal that a mail program sends for its user (RFC 8058)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

#: The body is a fixed signal of 26 octets, or some 200 as multipart (RFC 8058 section 3.2).
LONGEST_SIGNAL = 1_024
#: The answer to a request without the signal; nobody else in a host would say it.
UNSIGNED = "Nothing changed: the body is not List-Unsubscribe=One-Click.\n"
SIGNAL = ("List-Unsubscribe", "One-Click")
#: Scans for the signal instead of parsing, as the RFC's own example (section 8) is not valid multipart.
SIGNAL_PART = re.compile(
    rb'name="?List-Unsubscribe"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\nOne-Click[ \t]*\r?\n', re.IGNORECASE
)


def is_signal(body: bytes, mimetype: str) -> bool:
    """Whether this is the exact signal, in one of the shapes in which mail programs send it."""
    if len(body) > LONGEST_SIGNAL:
        return False
    if mimetype == "multipart/form-data":
        return SIGNAL_PART.search(body) is not None
    if mimetype in ("application/x-www-form-urlencoded", ""):
        return SIGNAL in parse_qsl(body.decode("latin-1").rstrip("\r\n"))
    return False
