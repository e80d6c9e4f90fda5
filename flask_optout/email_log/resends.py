"""Who had which invitation sent again, and how often that may be: the same for everybody, whatever they chose."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa

from ..choices.store import KeyTaken, insert
from .records import Email, reason
from .tables import NAME_SIZE, LogPart, new_id, now, time_of

#: How often one candidate gets the invitation to one opportunity again, and how long apart; the page
#: (templates/optout/operator/entry.html) and docs/email-log.md say both in words.
MOST_RESENDS = 3
APART = datetime.timedelta(days=1)


class Refusal(StrEnum):
    """Why an invitation may not be sent again now."""

    TODAY = "today"
    OFTEN = "often"


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
    """What one app's operators sent again."""

    def of(self, email: Email) -> list[Resend]:
        """All that was sent again to the candidate of this invitation for its opportunity."""
        resend = self.tables.resend.c
        query = sa.select(*(resend[name] for name in Resend._fields)).where(*self._candidate(email))
        return [Resend(*row) for row in self.rows(query.order_by(resend.number))]

    def begin(self, email: Email, operator: str) -> int | Refusal:
        """Note that an operator has this sent again, before it is; give its number, or why it may not be."""
        earlier = self.of(email)
        refused = refusal(earlier)
        if refused is not None:
            return refused
        row = {
            "opportunity": email.opportunity,
            "mailbox": email.mailbox,
            "number": len(earlier) + 1,  # which the key gives to one of several that begin at once
            "moment": new_id(),
            "operator": operator[:NAME_SIZE],
        }
        try:
            self.store.record(lambda connection: insert(connection, self.tables.resend, row))
        except KeyTaken:
            return Refusal.TODAY
        return len(earlier) + 1

    def record_failure(self, email: Email, number: int, error: BaseException) -> None:
        """Note why a hand-off failed."""
        resend = self.tables.resend
        update = resend.update().where(*self._candidate(email), resend.c.number == number)
        self.change(update.values(failure=reason(error)))

    def prune(self) -> None:
        """Forget the candidates of whom the Email Log keeps no invitation to the opportunity any more."""
        email, resend = self.tables.email.c, self.tables.resend.c
        kept = sa.exists().where(email.opportunity == resend.opportunity, email.mailbox == resend.mailbox)
        self.change(self.tables.resend.delete().where(~kept))

    def _candidate(self, email: Email) -> tuple[sa.ColumnElement[bool], ...]:
        resend = self.tables.resend.c
        return resend.opportunity == email.opportunity, resend.mailbox == email.mailbox


def refusal(earlier: list[Resend]) -> Refusal | None:
    """Why one more may not be sent now, if so; what could not be handed off does not count."""
    sent = [resend for resend in earlier if resend.failure is None]
    if len(sent) >= MOST_RESENDS:
        return Refusal.OFTEN
    if sent and now() - sent[-1].time < APART:
        return Refusal.TODAY
    return None
