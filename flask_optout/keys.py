"""The key ring: keyed digests of people, keys for links, and which key wrote what."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from itsdangerous import Signer

from .addresses import Address
from .errors import ConfigurationError

#: The opportunity that stands for all invitations from this app.
ALL = "*"
DIGEST_SIZE = 16
SCOPE_SIZE = 8
TAG_SIZE = 4
ID_SIZE = 4


class Mark(NamedTuple):
    """Where one person's choice about one opportunity is kept: pseudonyms only, nothing that names either."""

    scope: bytes
    digest: bytes


@dataclass(frozen=True)
class Key:
    """One secret, and the keys derived from it: one for people, one for links, one public id."""

    secret: bytes = field(repr=False)
    id: bytes = field(init=False)
    people: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.derive("id")[:ID_SIZE])
        object.__setattr__(self, "people", self.derive("people"))

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose; no key of one purpose tells anything about another's."""
        signer = Signer(
            self.secret, salt=f"flask-optout.{purpose}", key_derivation="hmac", digest_method=hashlib.sha256
        )
        return signer.derive_key()

    def scope(self, opportunity: str) -> bytes:
        """The keyed pseudonym of an opportunity, 8 bytes; it gathers the choices made about it."""
        return self._hash(opportunity.encode(), SCOPE_SIZE, b"optout.scope")

    def domain_tag(self, address: Address) -> bytes:
        """The keyed pseudonym of a mail domain, 4 bytes."""
        return self._hash(address.domain.encode(), TAG_SIZE, b"optout.domain")

    def digester(self, opportunity: str) -> Callable[[str], bytes]:
        """A function from canonical address to digest: keyed BLAKE2b, 16 bytes (RFC 7693).

        The opportunity is length-prefixed, so that no opportunity and address run into one another.
        """
        name = opportunity.encode()
        prefix = hashlib.blake2b(
            len(name).to_bytes(4, "big") + name,
            digest_size=DIGEST_SIZE,
            key=self.people,
            person=b"optout.person",
        )

        def digest(canonical: str) -> bytes:
            state = prefix.copy()
            state.update(canonical.encode())
            return state.digest()

        return digest

    def digest(self, opportunity: str, canonical: str) -> bytes:
        return self.digester(opportunity)(canonical)

    def _hash(self, data: bytes, size: int, purpose: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=size, key=self.people, person=purpose).digest()


@dataclass(frozen=True)
class KeyRing:
    """The keys of one app, newest first: the first one mints and writes, all of them read."""

    keys: tuple[Key, ...]

    @classmethod
    def of(cls, secrets: Sequence[str | bytes]) -> KeyRing:
        """A ring from secrets, newest first.

        :raises ConfigurationError: when there is none, one is empty, or one stands there twice.
        """
        encoded = [secret.encode() if isinstance(secret, str) else secret for secret in secrets]
        if not encoded or not all(isinstance(secret, bytes) and secret for secret in encoded):
            raise ConfigurationError(
                "Neither OPTOUT_KEYS nor SECRET_KEY holds a usable key.",
                "Choices are kept under keyed pseudonyms and links are signed, so nothing works without a key.",
                "Set SECRET_KEY, or OPTOUT_KEYS to a list of keys with the newest first; "
                "python -c 'import secrets; print(secrets.token_hex())' makes one.",
            )
        if len(set(encoded)) < len(encoded):
            raise ConfigurationError(
                "OPTOUT_KEYS holds one key twice.",
                "The order of the keys says which is newest, so each may stand there once.",
                "Remove the second copy from OPTOUT_KEYS.",
            )
        return cls(tuple(Key(secret) for secret in encoded))

    @property
    def current(self) -> Key:
        return self.keys[0]

    def marks(self, address: Address, opportunity: str) -> list[list[Mark]]:
        """Every place where a choice that binds this invitation may stand.

        One list for each choice: about this opportunity and about all invitations, by the address and by the
        address without its tag. In each list one mark for each key, any of which may hold the newest answer.
        """
        people = [address.canonical] if address.base is None else [address.canonical, address.base]
        return [
            [Mark(key.scope(about), key.digest(about, person)) for key in self.keys]
            for about in dict.fromkeys((opportunity, ALL))
            for person in people
        ]

    def check(self, stored: set[bytes]) -> None:
        """Compare the ids of the keys that wrote the stored choices with this ring.

        :raises ConfigurationError: when the ring lacks one, since the choices made under it cannot be read.
        """
        missing = sorted(stored - {key.id for key in self.keys})
        if missing:
            raise ConfigurationError(
                f"OPTOUT_KEYS lacks the key {missing[0].hex()}, under which choices are stored.",
                "Without it nobody can tell who opted out, so no invitation leaves.",
                "Put the old key back behind the newest one in OPTOUT_KEYS (or SECRET_KEY_FALLBACKS).",
            )
