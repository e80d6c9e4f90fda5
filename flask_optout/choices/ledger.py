"""What the store remembers about itself: the version of its tables, and the keys under which choices are stored."""

from __future__ import annotations

import re

import sqlalchemy as sa

from ..errors import ConfigurationError
from ..links.keys import KeyRing
from .tables import SCHEMA, Tables, insert_if_absent

VERSION = "version"
#: The place of a key in its chain, the oldest being 0.
KEY = re.compile(r"key\.(\d+)")


class Ledger:
    """Notices tables that another release made, and a key ring that lacks or reorders keys.

    Without that, choices would be looked for where they are not, and everybody would seem to want to be invited.
    """

    def __init__(self, tables: Tables, ring: KeyRing) -> None:
        self._meta = tables.meta
        self._all = sa.select(tables.meta.c.name, tables.meta.c.value)
        self._ring = ring
        self._fitting: dict[str, str] = {}

    def check(self, connection: sa.Connection) -> None:
        """Compare what the store remembers with this release and this key ring.

        :raises ConfigurationError: when they do not fit.
        """
        self.compare(self._stored(connection))

    def compare(self, stored: dict[str, str]) -> None:
        """As :meth:`check`, of the names and values that a statement about choices brought along.

        :raises ConfigurationError: as :meth:`check`.
        """
        if stored != self._fitting:
            self._check(stored)
            self._fitting = stored

    def enter(self, connection: sa.Connection) -> None:
        """Remember this key ring, in the transaction that writes a choice under it.

        :raises ConfigurationError: as :meth:`check`.
        """
        stored = self._stored(connection)
        self._check(stored)
        wanted = {VERSION: str(SCHEMA), **{f"key.{place}": id.hex() for place, id in enumerate(self._ring.ids)}}
        missing = [{"name": name, "value": wanted[name]} for name in wanted if name not in stored]
        for row in missing:
            insert_if_absent(connection, self._meta, row)
        if missing:  # another process, with another ring, may have been faster
            self._check(self._stored(connection))

    def _stored(self, connection: sa.Connection) -> dict[str, str]:
        return {row.name: row.value for row in connection.execute(self._all)}

    def _check(self, stored: dict[str, str]) -> None:
        if stored.get(VERSION, str(SCHEMA)) != str(SCHEMA):
            raise ConfigurationError(
                f"The tables have version {stored[VERSION]}, and this release of Flask-OptOut uses version {SCHEMA}.",
                "It would misread the choices in them, so no invitation leaves.",
                "Run 'flask db upgrade' if you use Flask-Migrate, then 'flask optout init-db'; if the tables are the "
                "newer ones, install the release that made them.",
            )
        places = {int(found[1]): bytes.fromhex(stored[name]) for name in stored if (found := KEY.fullmatch(name))}
        self._ring.check([places[place] for place in sorted(places)])
