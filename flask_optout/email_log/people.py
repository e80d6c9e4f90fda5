"""The data of one person in the Email Log: their opportunities, an export, and its deletion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from .records import LogPart, fill, running_minute, time_of
from .tables import ADDRESS_SIZE


class People(LogPart):
    """The Email Log by person; a person is identified by a canonical address."""

    def find_opportunities(self, mailbox: str, limit: int) -> list[str]:
        """Return the ids of the opportunities that a person was invited to, by what is kept, newest first."""
        email = self.tables.email.c
        query = sa.select(email.opportunity).where(email.mailbox == mailbox[:ADDRESS_SIZE])
        newest = query.group_by(email.opportunity).order_by(sa.func.max(email.id).desc()).limit(limit)
        return [opportunity for (opportunity,) in self.rows(newest)]

    def collect(self, mailbox: str, *without: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return a person's invitations, without personal links, and resends, oldest first, up to the running minute.

        :param without: columns of the invitations to leave out.
        """

        def rows(table: sa.Table, moment: str, *hidden: str) -> list[dict[str, Any]]:
            shown = (column for column in table.c if column.name not in hidden)
            query = sa.select(*shown).where(table.c.mailbox == mailbox[:ADDRESS_SIZE])
            found = self.rows(query.where(table.c[moment] < running_minute()).order_by(table.c[moment]))
            dicts = (row._asdict() for row in found)
            return [{"time": time_of(row.pop(moment)).isoformat(timespec="minutes"), **row} for row in dicts]

        invitations = rows(self.tables.email, "id", "words", "domain", *without)  # two are for searches only
        for one in invitations:
            one.update((part, fill(one[part])) for part in ("text", "html") if one.get(part))
        return invitations, rows(self.tables.resend, "moment", "mailbox", "number")

    def erase(self, mailbox: str, slots: Sequence[bytes]) -> None:
        """Delete a person's invitations, resends and link requests (by slot), even those of the running minute."""
        asked = self.tables.asked

        def delete(connection: sa.Connection) -> None:
            connection.execute(asked.delete().where(asked.c.slot.in_(slots)))
            for table in (self.tables.email, self.tables.resend):
                connection.execute(table.delete().where(table.c.mailbox == mailbox[:ADDRESS_SIZE]))

        self.store.write(delete)
