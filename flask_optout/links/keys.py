"""The app's keys, the data key that they wrap, and the pseudonyms that are derived from it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from ..addresses import Address
from ..errors import ConfigurationError

#: The opportunity that stands for all invitations from this app.
ALL = "*"
#: Bytes of a pseudonym of a person, of an opportunity, of a mail domain.
DIGEST_SIZE, SCOPE_SIZE, TAG_SIZE = 16, 8, 4
DATA_KEY_SIZE = 32
#: Opportunities and mail domains whose pseudonyms are cached; each takes less than a kilobyte.
CACHED = 1_000


class Mark(NamedTuple):
    """Where a person's choice about an opportunity is stored: the pseudonyms of the opportunity and of both."""

    scope: bytes
    digest: bytes


class AppKey:
    """A key of the app, such as SECRET_KEY; it wraps the data key and nothing else.

    ``id``: 16 hexadecimal digits that name the key, from which it cannot be computed.
    """

    def __init__(self, secret: str | bytes) -> None:
        self.secret: bytes = secret.encode() if isinstance(secret, str) else secret
        self.id: str = _derived(self.secret, "app key id", 8).hex()
        from cryptography.fernet import Fernet  # not before it is needed, as its import takes long

        self._fernet = Fernet(base64.urlsafe_b64encode(_derived(self.secret, "app key")))

    def wrap(self, data_key: DataKey) -> str:
        """The data key, encrypted and signed by this key."""
        return self._fernet.encrypt(data_key.secret).decode()

    def unwrap(self, wrapped: str) -> DataKey:
        """The data key that this key has wrapped.

        :raises ConfigurationError: when it is damaged.
        """
        from cryptography.fernet import InvalidToken

        try:
            return DataKey(self._fernet.decrypt(wrapped.encode()))
        except InvalidToken:
            raise ConfigurationError(
                f"The data key in optout_meta is damaged (slot {self.id}).",
                "Without it nobody can tell who opted out, so no invitation leaves.",
                "Restore the table optout_meta from a backup.",
            ) from None


def app_keys(secrets: Sequence[str | bytes | None]) -> tuple[AppKey, ...]:
    """The keys of an app, newest first, each of them once.

    :raises ConfigurationError: when there is none, or one is empty or no string.
    """
    if not secrets or not all(isinstance(secret, str | bytes) and secret for secret in secrets):
        raise ConfigurationError(
            "OPTOUT_KEYS and SECRET_KEY hold no key, or one that is empty or no string.",
            "Choices are stored under keyed pseudonyms and links are signed, so nothing works without a key.",
            "Set SECRET_KEY, or OPTOUT_KEYS to a list of keys with the newest first; "
            "python -c 'import secrets; print(secrets.token_hex())' makes one.",
        )
    keys = [AppKey(secret) for secret in secrets if secret]
    return tuple({key.id: key for key in keys}.values())


class DataKey:
    """The random key of one store, from which all its pseudonyms and all signatures of its links are derived.

    ``scope`` gives the pseudonym of an opportunity, 8 bytes, under which the choices about it are stored;
    ``domain_tag`` that of a mail domain, 4 bytes.

    :param secret: 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.id: bytes = self.derive("id")[:DIGEST_SIZE]
        self._people = self.derive("people")
        cached = lru_cache(CACHED)
        self.scope: Callable[[str], bytes] = cached(partial(self._pseudonym, b"optout.scope", SCOPE_SIZE))
        self.domain_tag: Callable[[str], bytes] = cached(partial(self._pseudonym, b"optout.domain", TAG_SIZE))
        self._prefix: Callable[[str], hashlib.blake2b] = cached(self._begun)

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose, from which no other key can be computed."""
        return _derived(self.secret, purpose)

    def digest(self, opportunity: str, canonical: str) -> bytes:
        """The pseudonym of a canonical address for one opportunity: keyed BLAKE2b, 16 bytes (RFC 7693)."""
        return self.digests(opportunity, (canonical.encode(),))[0]

    def digests(self, opportunity: str, people: Sequence[bytes]) -> list[bytes]:
        """As :meth:`digest`, of many addresses; faster, as the opportunity is hashed once and the state copied."""
        prefix = self._prefix(opportunity)
        digests: list[bytes] = []
        for person in people:
            state = prefix.copy()
            state.update(person)
            digests.append(state.digest())
        return digests

    def mark(self, address: Address, opportunity: str) -> Mark:
        """Where the choice of exactly this address about exactly this opportunity is stored."""
        return Mark(self.scope(opportunity), self.digest(opportunity, address.canonical))

    def marks_of(self, entries: Iterable[tuple[Address, str]]) -> list[Mark]:
        """As :meth:`mark`, of many, each once and in the order of the table."""
        people: dict[str, set[bytes]] = {}
        for address, opportunity in entries:
            people.setdefault(opportunity, set()).add(address.canonical.encode())
        marks: list[Mark] = []
        for opportunity, names in people.items():
            scope = self.scope(opportunity)
            marks += [Mark(scope, digest) for digest in sorted(self.digests(opportunity, [*names]))]
        return sorted(marks)

    def marks(self, address: Address, opportunity: str) -> list[Mark]:
        """Where a choice may stand that forbids this invitation.

        About this opportunity and about all, by the address and, if it has a +tag, by the address without it.
        """
        people = (address.canonical,) if address.base is None else (address.canonical, address.base)
        return [Mark(self.scope(about), self.digest(about, who)) for who in people for about in (opportunity, ALL)]

    def _pseudonym(self, purpose: bytes, size: int, text: str) -> bytes:
        return self._hash(text.encode(), size, purpose).digest()

    def _begun(self, opportunity: str) -> hashlib.blake2b:
        # Prefixed by its length, so that no opportunity and address run into one another.
        name = opportunity.encode()
        return self._hash(len(name).to_bytes(4, "big") + name, DIGEST_SIZE, b"optout.person")

    def _hash(self, data: bytes, size: int, purpose: bytes) -> hashlib.blake2b:
        return hashlib.blake2b(data, digest_size=size, key=self._people, person=purpose)


def _derived(secret: bytes, purpose: str, size: int = 32) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), size, salt=None, info=f"flask-optout {purpose}".encode()).derive(secret)
