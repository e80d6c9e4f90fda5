"""What the Email Log holds of one person: their opportunities, an export of it, and its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from .records import LogPart, filled, running_minute, time_of
from .tables import ADDRESS_SIZE


class People(LogPart):
    """The Email Log person by person; a person is a canonical address."""

    def opportunities(self, mailbox: str, limit: int) -> list[str]:
        """What a person was invited to, of what is kept, the newest first."""
        email = self.tables.email.c
        query = sa.select(email.opportunity).where(email.mailbox == mailbox[:ADDRESS_SIZE])
        newest = query.group_by(email.opportunity).order_by(sa.func.max(email.id).desc()).limit(limit)
        return [opportunity for (opportunity,) in self.rows(newest)]

    def invitations(self, mailbox: str) -> list[dict[str, Any]]:
        """Every invitation until the running minute, oldest first, with a mark in place of personal links."""
        email = self.tables.email.c
        query = sa.select(self.tables.email).where(email.mailbox == mailbox[:ADDRESS_SIZE])
        found = []
        for row in self.rows(query.where(email.id < running_minute()).order_by(email.id)):
            values = row._asdict()
            del values["words"], values["domain"]  # which are for searching
            texts = {part: values[part] and filled(values[part]) for part in ("text", "html")}
            found.append({"time": _time(values.pop("id")), **values, **texts})
        return found

    def resends(self, mailbox: str) -> list[dict[str, Any]]:
        """Every time until the running minute that an invitation was sent to them again."""
        resend = self.tables.resend.c
        query = sa.select(resend.moment, resend.opportunity, resend.operator, resend.failure).order_by(resend.moment)
        rows = self.rows(query.where(resend.mailbox == mailbox[:ADDRESS_SIZE], resend.moment < running_minute()))
        return [
            {"time": _time(moment), "opportunity": opportunity, "operator": operator, "failure": failure}
            for moment, opportunity, operator, failure in rows
        ]

    def held(self, mailbox: str) -> tuple[int, int]:
        """How many invitations and resends there are of a person until the running minute."""
        email, resend = self.tables.email.c, self.tables.resend.c
        counts = (
            sa.select(sa.func.count()).where(column == mailbox[:ADDRESS_SIZE], moment < running_minute())
            for column, moment in ((email.mailbox, email.id), (resend.mailbox, resend.moment))
        )
        [(invitations, resends)] = self.rows(sa.select(*(count.scalar_subquery() for count in counts)))
        return invitations, resends

    def erase(self, mailbox: str, slots: Sequence[bytes]) -> None:
        """Remove a person's invitations, resends and asks, those of the running minute too; what they chose stays.

        :param slots: under which their asks are counted.
        """
        asked = self.tables.asked

        def delete(connection: sa.Connection) -> None:
            connection.execute(asked.delete().where(asked.c.slot.in_(slots)))
            for table in (self.tables.email, self.tables.resend):
                connection.execute(table.delete().where(table.c.mailbox == mailbox[:ADDRESS_SIZE]))

        self.store.write(delete)


def _time(id: int) -> str:
    return time_of(id).isoformat(timespec="minutes")
