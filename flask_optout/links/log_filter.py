"""Take the tokens of personal links out of log lines, such as those of an access log, which name every URL."""

from __future__ import annotations

import logging
import re

from .tokens import SHORTEST_TOKEN

MASK = "[personal link]"
TOKEN = re.compile(rf"[a-z2-7]{{{SHORTEST_TOKEN},}}", re.IGNORECASE)


def without_tokens(line: str) -> str:
    """The line with ``MASK`` in place of every word that could be a token."""
    return TOKEN.sub(MASK, line)


class LinkFilter(logging.Filter):
    """Takes tokens out of the lines of the logger that it is added to."""

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        if (masked := without_tokens(line)) != line:
            record.msg, record.args = masked, ()
        return True
