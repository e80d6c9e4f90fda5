"""The data key, which is stored in slots of ``optout_meta``: wrapped once by each key of the app."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import sqlalchemy as sa

from ..errors import ConfigurationError, StoreUnavailable
from ..links.tokens import SCOPE_SIZE, DataKey, derive_key
from .store import KeyTaken, Store, insert
from .tables import ChoiceTables, today, upsert

DATA_KEY_SIZE = 32
SLOT = "slot."
#: The row that only the first of two competing new data keys can insert; its value is the key's id.
FIRST = "data key"
#: The scope of the data key's own row in optout_choice; the digest of that row is the key's id.
KEY_SCOPE = bytes(SCOPE_SIZE)


class AppKey:
    """A key of the app, such as SECRET_KEY; ``id`` names it without revealing it."""

    def __init__(self, secret: str | bytes) -> None:
        # Undecodable bytes from the environment are lone surrogates.
        self.secret: bytes = secret.encode(errors="surrogatepass") if isinstance(secret, str) else secret
        self.id: str = derive_key(self.secret, "app key id", 8).hex()
        from cryptography.fernet import Fernet  # imported late, as it is slow to import

        self._fernet = Fernet(base64.urlsafe_b64encode(derive_key(self.secret, "app key")))

    def wrap(self, data_key: DataKey) -> str:
        """Return the data key, encrypted and signed with this key."""
        return self._fernet.encrypt(data_key.secret).decode()

    def unwrap(self, wrapped: str) -> DataKey:
        """Return the data key that this key wrapped; raise ConfigurationError if it is damaged."""
        from cryptography.fernet import InvalidToken

        try:
            return DataKey(self._fernet.decrypt(wrapped.encode()))
        except InvalidToken:
            raise ConfigurationError(
                f"The data key in optout_meta is damaged (slot {self.id}).",
                "Without it nobody can tell who opted out, so no invitation leaves.",
                "Restore the table optout_meta from a backup.",
            ) from None


def make_app_keys(secrets: Sequence[str | bytes | None]) -> tuple[AppKey, ...]:
    """Return an app's keys, newest first, each once; raise ConfigurationError if they cannot be used."""
    if not secrets or not all(isinstance(secret, str | bytes) and secret for secret in secrets):
        raise ConfigurationError(
            "OPTOUT_KEYS and SECRET_KEY hold no key, or one that is empty or no string.",
            "Choices are stored under keyed pseudonyms and links are signed, so nothing works without a key.",
            "Set SECRET_KEY, or OPTOUT_KEYS to a list of keys with the newest first; "
            "python -c 'import secrets; print(secrets.token_hex())' makes one.",
        )
    keys = [AppKey(secret) for secret in secrets if secret]
    return tuple({key.id: key for key in keys}.values())


@dataclass(eq=False)
class KeySlots:
    """Opens the data key of a store with the keys of the app, and caches it for the life of the process.

    ``used``: tables that are empty in a store that never had a data key. ``keys``, ``writes``, ``setting``: as in
    :class:`flask_optout.config.Keys`. ``is_open``: whether the newest key has a slot.

    Every method raises ConfigurationError when no key opens a slot, or rows are missing.
    """

    store: Store
    tables: ChoiceTables
    used: Sequence[sa.Table]
    keys: Sequence[AppKey]
    writes: int
    setting: str
    data_key: DataKey | None = field(default=None, init=False)
    is_open: bool = field(default=False, init=False)

    def find(self) -> DataKey | None:
        """Return the data key, or ``None`` in a store that never had one; write nothing."""
        if self.data_key is None:
            self.data_key = self.store.read(self._read)
        return self.data_key

    def open(self) -> DataKey:
        """Return the data key, creating it in a new store and wrapping it with the newest key if needed."""
        while (found := self.find()) is None:
            self._wrap(DataKey(secrets.token_bytes(DATA_KEY_SIZE)), self.keys[: self.writes], is_new=True)
        if not self.is_open:
            with suppress(StoreUnavailable):  # an older slot still opens, and the next call tries again
                self._wrap(found, self.keys[:1])
        return found

    def count_old(self) -> int:
        """Return how many keys other than the newest open the store."""
        return self.store.read(self._count_old)

    def rotate(self) -> int:
        """Delete the slots of all keys but the newest; return how many there were."""
        meta, slot = self.tables.meta, _make_slot(self.open(), self.keys[0])

        def write(connection: sa.Connection) -> int:
            old = self._count_old(connection)
            # Its own slot, too; else two processes whose newest keys differ would delete each other's.
            connection.execute(meta.delete().where(_is_slot(meta)))
            upsert(connection, meta, slot)
            return old

        return self.store.write(write)

    def _read(self, connection: sa.Connection) -> DataKey | None:
        used = [sa.select(sa.literal(1)).select_from(table).limit(1) for table in self.used]
        # Read before the slots, as another process may be creating the key.
        is_new = all(connection.scalar(query) is None for query in used)
        meta, choice = self.tables.meta, self.tables.choice.c
        query = sa.select(meta.c.name, meta.c.value).where(sa.or_(_is_slot(meta), meta.c.name == FIRST))
        known: dict[str, str] = dict(map(tuple, connection.execute(query)))
        if is_new and not known:
            return None
        slots = {name.removeprefix(SLOT): value for name, value in known.items() if name != FIRST}
        key = next((key for key in self.keys if key.id in slots), None)
        if key is None:
            raise self._locked(slots)
        data_key = key.unwrap(slots[key.id])
        owners = connection.scalars(sa.select(choice.digest).where(choice.scope == KEY_SCOPE))
        if data_key.id not in map(bytes, owners):
            raise choices_lost()
        self.is_open = self.keys[0].id in slots
        return data_key

    def _count_old(self, connection: sa.Connection) -> int:
        meta, newest = self.tables.meta, SLOT + self.keys[0].id
        query = sa.select(sa.func.count()).select_from(meta).where(_is_slot(meta), meta.c.name != newest)
        return connection.scalar(query) or 0

    def _locked(self, slots: Iterable[str]) -> ConfigurationError:
        why = "The choices cannot be read without it, so nobody can tell who opted out, and no invitation leaves."
        if not slots:
            return ConfigurationError(
                "The data key is missing in optout_meta, though the store has had one.",
                why,
                "Restore the tables optout_meta and optout_choice from one backup. To begin anew, empty both and the "
                "Email Log; links that were sent before open nothing any more.",
            )
        place = "OPTOUT_KEYS, behind the newest one" if self.setting == "OPTOUT_KEYS" else "SECRET_KEY_FALLBACKS"
        return ConfigurationError(
            f"No key of {self.setting} opens this database; it opens with the key {', '.join(sorted(slots))}.",
            why,
            "Put the key that this database was last used with, or that a restored backup was made with, back "
            f"into {place}; 'flask optout rotate-key' says when it may be removed. If this process lacks a setting "
            "that the app has, as a job may lack OPTOUT_KEYS, set it here.",
        )

    def _wrap(self, data_key: DataKey, keys: Sequence[AppKey], is_new: bool = False) -> None:
        """Add a slot for each of these keys, or none if another process was faster."""
        slots = [_make_slot(data_key, key) for key in keys]
        first = {"name": FIRST, "value": data_key.id.hex()}
        owner = {"scope": KEY_SCOPE, "digest": data_key.id, "muted": False, "source": "key", "day": today()}

        def write(connection: sa.Connection) -> None:
            if is_new:
                insert(connection, self.tables.meta, first)
                insert(connection, self.tables.choice, owner)
            insert(connection, self.tables.meta, *slots)

        with suppress(KeyTaken):
            self.store.write(write)
        self.is_open = True


def _make_slot(data_key: DataKey, key: AppKey) -> dict[str, str]:
    return {"name": SLOT + key.id, "value": key.wrap(data_key)}


def _is_slot(meta: sa.Table) -> sa.ColumnElement[bool]:
    return meta.c.name.startswith(SLOT, autoescape=True)


def choices_lost() -> ConfigurationError:
    """Return the error for a table of choices that was emptied or recreated, or belongs to another data key."""
    return ConfigurationError(
        "The choices stored in optout_choice are gone, or belong to another data key.",
        "Everybody who opted out would be invited again, so no invitation leaves.",
        "Restore the tables optout_choice and optout_meta from one backup. If both were emptied on purpose, restart "
        "every process of the app; links that were sent before open nothing any more.",
    )
