"""The slots of ``optout_meta`` in which the data key is stored, wrapped once under each key of the app."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

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
Row = dict[str, Any]


@dataclass(eq=False)
class KeySlots:
    """Opens the data key of a store with the keys of the app, and caches it for the life of the process.

    Every method raises StoreUnavailable when the database does not answer, and ConfigurationError when no key opens a
    slot, or tables or rows are missing.

    ``used``: tables that are empty in a store that never had a data key. ``keys``: the app's keys that may open a
    slot, newest first; each of the first ``writes`` gets one when the data key is made. ``setting``: the name of the
    setting that holds the newest one.
    """

    store: Store
    tables: ChoiceTables
    used: Sequence[sa.Table]
    keys: Sequence[AppKey]
    writes: int
    setting: str
    _data_key: DataKey | None = field(default=None, init=False)
    _lacks_newest: bool = field(default=False, init=False)

    def find(self) -> DataKey | None:
        """The data key, or ``None`` in a store that never had one; writes nothing."""
        if self._data_key is None:
            self._data_key = self.store.read(self._read)
        return self._data_key

    def open(self) -> DataKey:
        """The data key; made in a store that never had one, and wrapped under the newest key if it was not."""
        found = self.find()
        if found is None:
            self._make()
            found = self.find()
            assert found is not None
        if self._lacks_newest:
            with suppress(StoreUnavailable):  # as the older slot still opens; tried again at the next call
                self._add_newest(found)
        return found

    def old(self) -> int:
        """How many keys but the newest one open the store."""
        query = sa.select(sa.func.count()).select_from(self.tables.meta).where(*self._is_old)
        return self.store.read(lambda connection: connection.scalar(query) or 0)

    def rotate(self) -> int:
        """Delete the slots of all keys but the newest one; gives how many there were."""
        data_key = self.open()
        if self._lacks_newest:
            self._add_newest(data_key)
        old = self.tables.meta.delete().where(*self._is_old)
        return self.store.write(lambda connection: connection.execute(old).rowcount)

    def _read(self, connection: sa.Connection) -> DataKey | None:
        slots, owners = self._rows(connection)
        if not slots:
            used = (sa.select(sa.literal(1)).select_from(table).limit(1) for table in self.used)
            if not owners and all(connection.scalar(query) is None for query in used):
                return None
            # Another process may have made the key between two of these statements.
            slots, owners = self._rows(connection)
        key = next((key for key in self.keys if key.id in slots), None)
        if key is None:
            raise self._locked(slots)
        data_key = key.unwrap(slots[key.id])
        if data_key.id not in owners:
            raise choices_lost()
        self._lacks_newest = self.keys[0].id not in slots
        return data_key

    def _rows(self, connection: sa.Connection) -> tuple[dict[str, str], set[bytes]]:
        """The wrapped data key by the id of the app's key, and the ids of the data keys that own choices."""
        meta, choice = self.tables.meta.c, self.tables.choice.c
        slots = connection.execute(sa.select(meta.name, meta.value).where(self._is_slot))
        wrapped = {name.removeprefix(SLOT): value for name, value in slots}
        owners = connection.scalars(sa.select(choice.digest).where(choice.scope == KEY_SCOPE))
        return wrapped, {bytes(id) for id in owners}

    @property
    def _is_slot(self) -> sa.ColumnElement[bool]:
        return self.tables.meta.c.name.startswith(SLOT, autoescape=True)

    @property
    def _is_old(self) -> tuple[sa.ColumnElement[bool], ...]:
        return self._is_slot, self.tables.meta.c.name != SLOT + self.keys[0].id

    def _locked(self, slots: Iterable[str]) -> ConfigurationError:
        why = "The choices cannot be read without it, so nobody can tell who opted out, and no invitation leaves."
        if not slots:
            return ConfigurationError(
                "The data key is missing in optout_meta, but the store holds choices or has sent invitations.",
                why,
                "Restore the tables optout_meta and optout_choice from one backup. To begin anew, empty "
                "optout_choice and the Email Log as well; links that were sent before open nothing any more.",
            )
        behind = (
            "behind the newest one in OPTOUT_KEYS" if self.setting == "OPTOUT_KEYS" else "into SECRET_KEY_FALLBACKS"
        )
        return ConfigurationError(
            f"No key of {self.setting} opens this database; it opens with the key {', '.join(sorted(slots))}.",
            why,
            "Put the key that this database was last used with, or that a restored backup was made with, back "
            f"{behind}; 'flask optout rotate-key' says when it may be removed.",
        )

    def _make(self) -> None:
        data_key = DataKey(secrets.token_bytes(DATA_KEY_SIZE))
        owner = {**key_mark(data_key)._asdict(), "muted": False, "source": "key", "day": today()}
        slots = [self._slot(key, data_key) for key in self.keys[: self.writes]]
        self._insert([{"name": FIRST, "value": data_key.id.hex()}, *slots], [owner])

    def _add_newest(self, data_key: DataKey) -> None:
        self._insert([self._slot(self.keys[0], data_key)], [])
        self._lacks_newest = False

    def _slot(self, key: AppKey, data_key: DataKey) -> Row:
        return {"name": SLOT + key.id, "value": key.wrap(data_key)}

    def _insert(self, meta: list[Row], owners: list[Row]) -> None:
        """Insert all rows, or none where another process was faster."""

        def write(connection: sa.Connection) -> None:
            insert(connection, self.tables.meta, *meta)
            if owners:
                insert(connection, self.tables.choice, *owners)

        with suppress(KeyTaken):
            self.store.write(write)


def today() -> datetime.date:
    """The day of a choice, in UTC."""
    return datetime.datetime.now(datetime.UTC).date()


def key_mark(data_key: DataKey) -> Mark:
    """Where the row of ``optout_choice`` stands that proves that the table belongs to this data key."""
    return Mark(KEY_SCOPE, data_key.id)


def choices_lost() -> ConfigurationError:
    """The error for a table of choices that was emptied or made anew, or that belongs to another data key."""
    return ConfigurationError(
        "The choices stored in optout_choice are gone, or belong to another data key.",
        "Everybody who opted out would be invited again, so no invitation leaves.",
        "Restore the tables optout_choice and optout_meta from one backup. If both were emptied on purpose, restart "
        "every process of the app; links that were sent before open nothing any more.",
    )
