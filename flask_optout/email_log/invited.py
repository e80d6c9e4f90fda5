"""Who was invited, for what concerns everybody at one mail domain."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from .log_store import LogStore, id_at

#: Rows in one statement.
BATCH = 10_000


class Invited:
    """The recipients of the invitations in the Email Log."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def between(self, first: datetime.date, last: datetime.date) -> Iterator[str]:
        """The canonical addresses of the invitations from the first to the last day (UTC), one for each invitation.

        :raises StoreUnavailable: when the database does not answer.
        """
        email = self._store.tables.email.c
        after, before = _midnight(first) - 1, _midnight(last + datetime.timedelta(1))
        query = sa.select(email.id, email.mailbox).where(email.id < before).order_by(email.id).limit(BATCH)
        while rows := self._rows(query.where(email.id > after)):
            yield from (mailbox for _, mailbox in rows)
            after = rows[-1][0]

    def at(self, domain: str) -> list[tuple[str, str]]:
        """Recipient and opportunity of every invitation to a mail domain, each once.

        :param domain: as its A-label, in lower case.
        :raises StoreUnavailable: when the database does not answer.
        """
        email = self._store.tables.email.c
        query = sa.select(email.recipient, email.opportunity).distinct()
        found = self._rows(query.where(email.mailbox.endswith(f"@{domain}", autoescape=True)))
        return sorted((recipient, opportunity) for recipient, opportunity in found)

    def _rows(self, query: sa.Select[Any]) -> list[Any]:
        return self._store.read(lambda connection: list(connection.execute(query)))


def _midnight(day: datetime.date) -> int:
    return id_at(datetime.datetime.combine(day, datetime.time(), datetime.UTC))
