"""Resends by operators: how often one candidate may get the same invitation, and who had it sent."""

from __future__ import annotations

import datetime
from typing import Literal, NamedTuple

import sqlalchemy as sa

from ..choices.store import KeyTaken, insert
from .records import Email, LogPart, classify_error, make_id, now, time_of
from .tables import NAME_SIZE

#: Most resends of one opportunity's invitation to one candidate, and the time between them; the page
#: (templates/optout/operator/entry.html) and docs/email-log.md say both in words.
MOST_RESENDS = 3
APART = datetime.timedelta(days=1)


class Resend(NamedTuple):
    """One invitation sent again."""

    number: int
    moment: int
    operator: str
    failure: str | None

    @property
    def time(self) -> datetime.datetime:
        return time_of(self.moment)


class Resends(LogPart):
    """The resends of one app."""

    def find(self, email: Email) -> list[Resend]:
        """Return the resends to the candidate of this invitation for its opportunity."""
        resend = self.tables.resend.c
        query = sa.select(*(resend[name] for name in Resend._fields)).where(*self._candidate(email))
        return [Resend(*row) for row in self.rows(query.order_by(resend.number))]

    def begin(self, email: Email, operator: str) -> int | None:
        """Record a resend before it is sent; return its number, or ``None`` if it is not allowed now."""
        earlier = self.find(email)
        if find_refusal(earlier):
            return None
        number = len(earlier) + 1  # the primary key gives it to one of several simultaneous resends
        row = {"opportunity": email.opportunity, "mailbox": email.mailbox, "number": number}
        row |= {"moment": make_id(), "operator": operator[:NAME_SIZE]}
        try:
            self.store.record(lambda connection: insert(connection, self.tables.resend, row))
        except KeyTaken:
            return None
        return number

    def record_failure(self, email: Email, number: int, error: BaseException) -> None:
        """Record why a hand-off failed."""
        resend = self.tables.resend
        update = resend.update().where(*self._candidate(email), resend.c.number == number)
        self.change(update.values(failure=classify_error(error)))

    def prune(self) -> None:
        """Delete the resends of whose candidate and opportunity the Email Log keeps no invitation."""
        email, resend = self.tables.email.c, self.tables.resend.c
        kept = sa.exists().where(email.opportunity == resend.opportunity, email.mailbox == resend.mailbox)
        self.change(self.tables.resend.delete().where(~kept))

    def _candidate(self, email: Email) -> tuple[sa.ColumnElement[bool], ...]:
        resend = self.tables.resend.c
        return resend.opportunity == email.opportunity, resend.mailbox == email.mailbox


def find_refusal(earlier: list[Resend]) -> Literal["today", "often"] | None:
    """Return why it may not be sent again now, if so; failed attempts do not count."""
    sent = [resend for resend in earlier if resend.failure is None]
    if len(sent) >= MOST_RESENDS:
        return "often"
    if sent and now() - sent[-1].time < APART:
        return "today"
    return None
