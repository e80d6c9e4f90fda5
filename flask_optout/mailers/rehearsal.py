"""What an SMTP server is asked about a mail to a muted person, who is sent none: all that comes before its text."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeGuard

#: On one connection: Exim hangs up after so many resets, beside one for each message that it has taken.
MOST_REHEARSALS = 10
#: As the standard library has it; a host's tests may put something else in its place.
SENDMAIL = smtplib.SMTP.sendmail


@contextmanager
def rehearsing(smtp: smtplib.SMTP) -> Iterator[None]:
    """Let :meth:`smtplib.SMTP.sendmail` say all but the text of a message, then RSET, whose answer tells nothing."""

    def data(text: object) -> tuple[int, bytes]:
        vars(smtp)["rehearsals"] = getattr(smtp, "rehearsals", 0) + 1
        return 250, smtp.rset()[1]

    smtp.data = data  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        del smtp.data


def can_rehearse(smtp: object) -> TypeGuard[smtplib.SMTP]:
    """Whether it is an ``smtplib.SMTP`` that has no way of its own to send, and is not worn out."""
    return getattr(getattr(smtp, "sendmail", None), "__func__", None) is SENDMAIL and not is_worn_out(smtp)


def is_worn_out(smtp: object) -> bool:
    """Whether this connection was rehearsed on so often that it takes a new one."""
    return getattr(smtp, "rehearsals", 0) >= MOST_REHEARSALS
