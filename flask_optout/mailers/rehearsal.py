"""Rehearsals: for a muted person, the SMTP server gets every command of a mail before its text, but no mail."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeGuard

#: Per connection: Exim hangs up on a client that sends more than 11 RSETs between two messages.
MOST_REHEARSALS = 10
#: The original of the standard library, which a host's tests may replace.
SENDMAIL = smtplib.SMTP.sendmail


@contextmanager
def rehearsing(smtp: smtplib.SMTP) -> Iterator[None]:
    """Make :meth:`smtplib.SMTP.sendmail` send RSET in place of the text; the reply to RSET reveals nothing."""

    def data(text: object) -> tuple[int, bytes]:
        vars(smtp)["rehearsals"] = getattr(smtp, "rehearsals", 0) + 1
        return 250, smtp.rset()[1]

    smtp.data = data  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        vars(smtp).pop("data", None)  # gone already if a backend assigned one connection twice


def can_rehearse(smtp: object) -> TypeGuard[smtplib.SMTP]:
    """Return whether it is an ``smtplib.SMTP`` that sends in the standard way, and is not worn out."""
    return getattr(getattr(smtp, "sendmail", None), "__func__", None) is SENDMAIL and not is_worn_out(smtp)


def is_worn_out(smtp: object) -> bool:
    """Return whether this connection has had so many rehearsals that a new one is needed."""
    return getattr(smtp, "rehearsals", 0) == MOST_REHEARSALS
