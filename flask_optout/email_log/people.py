"""What the Email Log holds of one person: their opportunities, an export of it, and its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from .records import shown
from .tables import ADDRESS_SIZE, LogPart, running_minute, time_of

#: Rows that are read at once.
PAGE = 100


class Held(NamedTuple):
    """How many rows there are of a person until the running minute; the same whatever the person chose."""

    invitations: int
    resends: int


class People(LogPart):
    """The Email Log person by person; a person is a canonical address."""

    def opportunities(self, mailbox: str, limit: int) -> list[str]:
        """What a person was invited to, of what is kept, the newest first."""
        email = self.tables.email.c
        query = sa.select(email.opportunity).where(email.mailbox == mailbox[:ADDRESS_SIZE])
        newest = query.group_by(email.opportunity).order_by(sa.func.max(email.id).desc()).limit(limit)
        return [opportunity for (opportunity,) in self.rows(newest)]

    def invitations(self, mailbox: str) -> Iterator[dict[str, Any]]:
        """Every invitation until the running minute, oldest first, with a mark in place of personal links."""
        email = self.tables.email.c
        query = sa.select(self.tables.email).where(email.mailbox == mailbox[:ADDRESS_SIZE]).order_by(email.id)
        query, last = query.where(email.id < running_minute()), -1
        while rows := self.rows(query.where(email.id > last).limit(PAGE)):
            for row in rows:
                values = row._asdict()
                last = values.pop("id")
                del values["words"], values["domain"]  # which are for searching
                texts = {name: text and shown(text) for name in ("text", "html") for text in [values[name]]}
                yield {"time": _time(last), **values, **texts}

    def resends(self, mailbox: str) -> list[dict[str, Any]]:
        """Every time until the running minute that an invitation was sent to them again."""
        resend = self.tables.resend.c
        query = sa.select(resend.moment, resend.opportunity, resend.operator, resend.failure)
        rows = self.rows(
            query.where(resend.mailbox == mailbox[:ADDRESS_SIZE], resend.moment < running_minute()).order_by(
                resend.moment
            )
        )
        return [
            {"time": _time(moment), "opportunity": opportunity, "operator": operator, "failure": failure}
            for moment, opportunity, operator, failure in rows
        ]

    def held(self, mailbox: str) -> Held:
        """What :meth:`erase` would say that it removed."""
        [held] = self.rows(self._held(mailbox))
        return Held(*held)

    def _held(self, mailbox: str) -> sa.Select[Any]:
        email, resend = self.tables.email.c, self.tables.resend.c
        ids = ((email.mailbox, email.id), (resend.mailbox, resend.moment))
        counts = (
            sa.select(sa.func.count()).where(column == mailbox[:ADDRESS_SIZE], id < running_minute())
            for column, id in ids
        )
        return sa.select(*(count.scalar_subquery() for count in counts))

    def erase(self, mailbox: str, slots: Sequence[bytes]) -> Held:
        """Remove a person's invitations, resends and asks, those of the running minute too; what they chose stays.

        :param slots: under which their asks are counted.
        """
        email, resend, asked = self.tables.email, self.tables.resend, self.tables.asked

        def delete(connection: sa.Connection) -> Held:
            held = Held(*connection.execute(self._held(mailbox)).one())
            connection.execute(asked.delete().where(asked.c.slot.in_(slots)))
            for table in (email, resend):
                connection.execute(table.delete().where(table.c.mailbox == mailbox[:ADDRESS_SIZE]))
            return held

        return self.store.write(delete)


def _time(id: int) -> str:
    return time_of(id).isoformat(timespec="minutes")
