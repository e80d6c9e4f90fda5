"""Logging: the format of our lines, and the masking of tokens in all lines, such as those of an access log."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ..errors import OptOutError
from .tokens import SHORTEST_TOKEN

MASK = "[personal link]"
TOKEN = re.compile(rf"[a-z2-7]{{{SHORTEST_TOKEN},}}", re.IGNORECASE)


def mask_tokens(line: str) -> str:
    """Replace every word that could be a token by ``MASK``."""
    return TOKEN.sub(MASK, line)


def mask_records() -> None:
    """Mask tokens in the records of every logger of this process as they are created, whatever handles them."""
    make = logging.getLogRecordFactory()
    if getattr(make, "func", None) is not _make_masked:
        logging.setLogRecordFactory(partial(_make_masked, make))


def log(logger: logging.Logger, level: int, event: str, text: object, exc_info: bool | Exception = False) -> None:
    """Log "optout.event: text". The event stays the same when the text is reworded; the text names nobody."""
    name = f"optout.{event}"
    # The name is part of the format string, not an argument, as Sentry groups by it.
    logger.log(level, f"{name}: %s", text, extra={"optout_event": name}, exc_info=exc_info or None, stacklevel=2)


def log_error(logger: logging.Logger, error: OptOutError) -> None:
    """Log one of our errors; its class names the event, such as "optout.store_unavailable"."""
    log(logger, logging.ERROR, re.sub("(?<!^)(?=[A-Z])", "_", type(error).__name__).lower(), error)


def _make_masked(make: Callable[..., logging.LogRecord], *args: object, **kwargs: object) -> logging.LogRecord:
    """Create a record with ``make``, and mask the tokens in its message and traceback."""
    record = make(*args, **kwargs)
    if TOKEN.search(_format(record)):
        record.args = _mask_args(record.args)
        if TOKEN.search(line := _format(record)):
            record.msg, record.args = mask_tokens(line), ()
    if record.exc_info:
        trace = logging.Formatter().formatException(record.exc_info)
        if (masked := mask_tokens(trace)) != trace:
            record.exc_text, record.exc_info = masked, None
    return record


def _format(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit the format; logging would show them unmasked
        return f"{record.msg!r} % {record.args!r}"


def _mask_args(args: Any) -> Any:
    """Mask each argument of a record by itself, as formatters of access logs read single ones."""
    if isinstance(args, tuple):
        return tuple(mask_tokens(value) if isinstance(value, str) else value for value in args)
    if isinstance(args, dict):
        args = copy.copy(args)
        args.update({name: mask_tokens(value) for name, value in args.items() if isinstance(value, str)})
    return args
