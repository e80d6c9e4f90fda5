"""How many links the ask page mails on one day: few to one candidate, so that nobody can flood them with it."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from ..choices.store import Store
from ..choices.tables import KeyTaken, insert
from ..email_log.ids import now


class AskLimit:
    """Counts by day and slot, a slot being a pseudonym that stands nowhere else; yesterday's are deleted."""

    def __init__(self, store: Store, asked: sa.Table) -> None:
        self._store = store
        self._asked = asked

    def allows(self, slots: Iterable[tuple[bytes, int]]) -> bool:
        """Whether each slot has had fewer than its number today; if so, count one more for each.

        :raises StoreUnavailable: when the database does not take it.
        """
        day = now().date()

        def take(connection: sa.Connection) -> bool:
            asked = self._asked.c
            connection.execute(self._asked.delete().where(asked.day < day))
            rows = []
            for slot, most in slots:
                counted = sa.select(sa.func.count()).where(asked.day == day, asked.slot == slot)
                number = connection.scalar(counted) or 0
                if number >= most:
                    return False
                rows.append({"day": day, "slot": slot, "number": number + 1})
            insert(connection, self._asked, *rows)
            return True

        try:
            return self._store.record(take)
        except KeyTaken:
            return False
