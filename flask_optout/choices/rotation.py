"""Bring the choices that stand under older keys under the newest one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import sqlalchemy as sa

from ..errors import ConfigurationError
from ..links.keys import KeyRing
from .ledger import Ledger
from .store import Store
from .tables import Tables, put_newer

#: Rows in one transaction: what an interruption repeats at most, and how long others wait for a lock.
BATCH = 200
PATIENCE = 5


class Rotation:
    """Moves rows, batch by batch, from old digests to those of the newest key.

    Each batch is one transaction that leaves a choice either where it was or where it belongs, and both places are
    read meanwhile; so it can be killed at any time and run again, twice at once, and beside sends and presses.
    """

    def __init__(self, store: Store, tables: Tables, ring: KeyRing) -> None:
        self._store = store
        self._choice = tables.choice
        self._ring = ring
        self._ledger = Ledger(tables, ring)
        self._keys = {key.id: key for key in ring.keys}

    def waiting(self) -> int:
        """How many rows stand under older keys.

        :raises OptOutError: when the store does not answer, or holds choices under keys that do not fit the ring.
        """
        query = sa.select(sa.func.count()).select_from(self._choice).where(self._older)

        def count(connection: sa.Connection) -> int:
            self._ledger.check(connection)
            return connection.scalar(query) or 0

        return self._store.read(count, PATIENCE)

    def run(self) -> Iterator[int]:
        """Move everything; gives the number of rows that each batch moved.

        :raises OptOutError: as :meth:`waiting`.
        """
        # Another process may still write under an older key: go round until a whole round finds nothing.
        moving = True
        while moving:
            moving = False
            after: tuple[bytes, bytes] | None = None
            while rows := self._store.read(partial(self._next, after=after), PATIENCE):
                self._store.write(partial(self._move, rows=rows), PATIENCE)
                after = (rows[-1]["scope"], rows[-1]["digest"])
                moving = True
                yield len(rows)

    @property
    def _older(self) -> sa.ColumnElement[bool]:
        return self._choice.c.key_id != self._ring.current.id

    def _next(self, connection: sa.Connection, after: tuple[bytes, bytes] | None) -> list[dict[str, Any]]:
        self._ledger.check(connection)
        choice = self._choice
        query = sa.select(choice).where(self._older).order_by(choice.c.scope, choice.c.digest).limit(BATCH)
        if after is not None:
            query = query.where(sa.tuple_(choice.c.scope, choice.c.digest) > after)
        return [dict(row) for row in connection.execute(query).mappings()]

    def _move(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        choice = self._choice
        for row in rows:
            key = self._keys.get(row["key_id"])
            if key is None:
                raise ConfigurationError(
                    f"A choice is stored under the key {row['key_id'].hex()}, which OPTOUT_KEYS lacks.",
                    "Without that key the choice cannot be brought under the newest one.",
                    "Put the key back into OPTOUT_KEYS, in its old place.",
                )
            lifted = {name: self._ring.lift(row[name], key) for name in ("scope", "digest", "domain_tag")}
            new = {**row, **lifted, "key_id": self._ring.current.id}
            put_newer(connection, choice, new)
            connection.execute(
                choice.delete().where(
                    choice.c.scope == row["scope"],
                    choice.c.digest == row["digest"],
                    choice.c.sequence == row["sequence"],
                )
            )
        self._ledger.enter(connection)
