"""The slots of ``optout_meta`` in which the data key is stored, wrapped once under each key of the app."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..errors import ConfigurationError, StoreUnavailable
from ..links.keys import DATA_KEY_SIZE, SCOPE_SIZE, AppKey, DataKey, Mark
from .store import Store
from .tables import ChoiceTables, KeyTaken, insert

SLOT = "slot."
#: The row whose primary key lets only the first of two new data keys be written; its value is the key's id.
FIRST = "data key"
#: The scope of the row of optout_choice that belongs to the data key; its digest is the key's id.
KEY_SCOPE = bytes(SCOPE_SIZE)


class _Stored(NamedTuple):
    """``slots``: the wrapped data key by the id of the app's key. ``owners``: ids of data keys that own choices.

    ``used``: whether invitations were sent or choices stored.
    """

    slots: dict[str, str]
    owners: set[bytes]
    used: bool = False


class KeySlots:
    """Opens the data key of a store with the keys of the app, and caches it for the life of the process.

    :param used: tables that are empty in a store that never had a data key.
    :param keys: the app's keys that may open a slot, newest first; each of the first ``writes`` gets one when the
        data key is made.
    :param setting: the name of the setting that holds the newest one.
    """

    def __init__(
        self,
        store: Store,
        tables: ChoiceTables,
        used: Sequence[sa.Table],
        keys: Sequence[AppKey],
        writes: int,
        setting: str,
    ) -> None:
        self._store = store
        self._tables = tables
        self._used = used
        self.keys = keys
        self._writes = writes
        self._setting = setting
        self._data_key: DataKey | None = None
        self._lacks_newest = False

    def find(self) -> DataKey | None:
        """The data key, or ``None`` in a store that never had one; writes nothing.

        :raises StoreUnavailable: when the database does not answer.
        :raises ConfigurationError: when no key opens a slot, or tables or rows are missing.
        """
        if self._data_key is None:
            self._data_key = self._open(self._store.read(self._read))
        return self._data_key

    def open(self) -> DataKey:
        """The data key; made in a store that never had one, and wrapped under the newest key if it was not.

        :raises StoreUnavailable: as :meth:`find`.
        :raises ConfigurationError: as :meth:`find`.
        """
        found = self.find()
        if found is None:
            self._insert(self._new(DataKey(secrets.token_bytes(DATA_KEY_SIZE))))
            found = self.find()
            assert found is not None
        if self._lacks_newest:
            with suppress(StoreUnavailable):  # as the older slot still opens; tried again at the next call
                self._add_newest(found)
        return found

    def rotate(self) -> int:
        """Delete the slots of all keys but the newest one; gives how many there were.

        :raises StoreUnavailable: as :meth:`find`.
        :raises ConfigurationError: as :meth:`find`.
        """
        data_key = self.open()
        if self._lacks_newest:
            self._add_newest(data_key)
        meta = self._tables.meta.c
        old = self._tables.meta.delete().where(
            meta.name.startswith(SLOT, autoescape=True), meta.name != SLOT + self.keys[0].id
        )
        return self._store.write(lambda connection: connection.execute(old).rowcount)

    def _read(self, connection: sa.Connection) -> _Stored:
        stored = self._rows(connection)
        if stored.slots or not (stored.owners or self._is_used(connection)):
            return stored
        # Another process may have made the key between two of these statements.
        return self._rows(connection)._replace(used=True)

    def _rows(self, connection: sa.Connection) -> _Stored:
        meta, choice = self._tables.meta.c, self._tables.choice.c
        slots = sa.select(meta.name, meta.value).where(meta.name.startswith(SLOT, autoescape=True))
        owners = sa.select(choice.digest).where(choice.scope == KEY_SCOPE)
        return _Stored(
            slots={name.removeprefix(SLOT): value for name, value in connection.execute(slots)},
            owners={bytes(id) for id in connection.scalars(owners)},
        )

    def _is_used(self, connection: sa.Connection) -> bool:
        one = (sa.select(sa.literal(1)).select_from(table).limit(1) for table in self._used)
        return any(connection.scalar(query) is not None for query in one)

    def _open(self, stored: _Stored) -> DataKey | None:
        if not stored.slots and not stored.owners and not stored.used:
            return None
        key = next((key for key in self.keys if key.id in stored.slots), None)
        if key is None:
            raise self._locked(stored)
        data_key = key.unwrap(stored.slots[key.id])
        if data_key.id not in stored.owners:
            raise choices_lost()
        self._lacks_newest = self.keys[0].id not in stored.slots
        return data_key

    def _add_newest(self, data_key: DataKey) -> None:
        self._insert([(self._tables.meta, self._slot(self.keys[0], data_key))])
        self._lacks_newest = False

    def _locked(self, stored: _Stored) -> ConfigurationError:
        why = "The choices cannot be read without it, so nobody can tell who opted out, and no invitation leaves."
        if not stored.slots:
            return ConfigurationError(
                "The data key is missing in optout_meta, but the store holds choices or has sent invitations.",
                why,
                "Restore the tables optout_meta and optout_choice from one backup. To begin anew, empty "
                "optout_choice and the Email Log as well; links that were sent before open nothing any more.",
            )
        ids = ", ".join(sorted(stored.slots))
        return ConfigurationError(
            f"No key of {self._setting} opens this database; it opens with the key {ids}.",
            why,
            "Put the key that this database was last used with, or that a restored backup was made with, back behind "
            "the newest one in OPTOUT_KEYS (or in SECRET_KEY_FALLBACKS); 'flask optout rotate-key' says when it may "
            "be removed.",
        )

    def _new(self, data_key: DataKey) -> list[tuple[sa.Table, dict[str, Any]]]:
        meta = self._tables.meta
        slots = [(meta, self._slot(key, data_key)) for key in self.keys[: self._writes]]
        return [(meta, {"name": FIRST, "value": data_key.id.hex()}), *slots, (self._tables.choice, _owner(data_key))]

    def _slot(self, key: AppKey, data_key: DataKey) -> dict[str, Any]:
        return {"name": SLOT + key.id, "value": key.wrap(data_key)}

    def _insert(self, rows: list[tuple[sa.Table, dict[str, Any]]]) -> None:
        """Insert all rows, or none where another process was faster."""

        def write(connection: sa.Connection) -> None:
            for table, row in rows:
                insert(connection, table, row)

        with suppress(KeyTaken):
            self._store.write(write)


def key_mark(data_key: DataKey) -> Mark:
    """Where the row of ``optout_choice`` stands that proves that the table belongs to this data key."""
    return Mark(KEY_SCOPE, data_key.id)


def _owner(data_key: DataKey) -> dict[str, Any]:
    today = datetime.datetime.now(datetime.UTC).date()
    return {**key_mark(data_key)._asdict(), "muted": False, "source": "key", "day": today}


def choices_lost() -> ConfigurationError:
    """The error for a table of choices that was emptied or made anew, or that belongs to another data key."""
    return ConfigurationError(
        "The choices stored in optout_choice are gone, or belong to another data key.",
        "Everybody who opted out would be invited again, so no invitation leaves.",
        "Restore the tables optout_choice and optout_meta from one backup. If both were emptied on purpose, restart "
        "every process of the app; links that were sent before open nothing any more.",
    )
