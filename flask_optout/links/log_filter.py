"""Take the tokens of personal links out of what is logged, such as the lines of access logs, which name every URL."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from .tokens import SHORTEST_TOKEN

MASK = "[personal link]"
TOKEN = re.compile(rf"[a-z2-7]{{{SHORTEST_TOKEN},}}", re.IGNORECASE)


def without_tokens(line: str) -> str:
    """The line with ``MASK`` in place of every word that could be a token."""
    return TOKEN.sub(MASK, line)


def mask_records() -> None:
    """Have the records of every logger of this process made without tokens, whatever handles them, now or later."""
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Masked):
        logging.setLogRecordFactory(_Masked(make))


class _Masked:
    """Makes records as ``make`` does, and takes the tokens out of their message and their traceback."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: object, **kwargs: object) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        try:
            line = record.getMessage()
        except Exception:  # of arguments that do not fit, which logging would show as they are
            line = f"{record.msg!r} % {record.args!r}"
        if (masked := without_tokens(line)) != line:
            record.msg, record.args = masked, ()
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            if (masked := without_tokens(trace)) != trace:
                record.exc_text, record.exc_info = masked, None
        return record
