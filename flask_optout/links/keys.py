"""The key ring: keyed digests of people, keys for links, and which key wrote what.

Pseudonyms are chained: the oldest key makes one from an address, and each newer key makes its own from the one
before. So a choice that was made under an old key, or through an old link, is found under the newest one without
anybody's address, and keys are only ever added, in front.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

from itsdangerous import Signer

from ..addresses import Address
from ..errors import ConfigurationError

#: The opportunity that stands for all invitations from this app.
ALL = "*"
DIGEST_SIZE = 16
SCOPE_SIZE = 8
TAG_SIZE = 4
ID_SIZE = 4
#: Opportunities, and mail domains, whose pseudonyms are remembered, as every link and every invitation asks for them,
#: and an app meets few again and again; less than a kilobyte each.
REMEMBERED = 1_000
#: As many bytes as the digests and signatures are worth (RFC 2104 section 3).
LEAST_KEY = 32
#: SECRET_KEY is the host's own and serves it already; below this it can be guessed.
LEAST_SECRET_KEY = 16
#: Words that stand in tutorials and templates where a key should be.
PLACEHOLDER = re.compile(
    r"(?:a|an|any|app|change|default|dev|development|example|flask|guess|here|hard|insert|is|it|key|me|my|never|not"
    r"|now|password|please|random|replace|secret|string|super|test|testing|that|the|this|to|value|very|will|with|you"
    r"|your|[0-9_\W])*",
    re.IGNORECASE,
)


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

    def __hash__(self) -> int:
        return hash(self.id)

    def weakness(self, least: int) -> str | None:
        """Why this secret can be guessed, or ``None``."""
        if PLACEHOLDER.fullmatch(self.secret.decode(errors="replace")):
            return "is a placeholder that everybody knows"
        return f"is shorter than {least} bytes" if len(self.secret) < least else None

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose; no key of one purpose tells anything about another's."""
        signer = Signer(
            self.secret, salt=f"flask-optout.{purpose}", key_derivation="hmac", digest_method=hashlib.sha256
        )
        return signer.derive_key()

    def scope(self, opportunity: str) -> bytes:
        """The keyed pseudonym of an opportunity, 8 bytes; it gathers the choices made about it."""
        return self._hash(opportunity.encode(), SCOPE_SIZE, b"optout.scope").digest()

    def domain_tag(self, domain: str) -> bytes:
        """The keyed pseudonym of a mail domain, 4 bytes."""
        return self._hash(domain.encode(), TAG_SIZE, b"optout.domain").digest()

    def digests(self, opportunity: str, people: Sequence[bytes]) -> list[bytes]:
        """The keyed digest of each canonical address about one opportunity: BLAKE2b, 16 bytes (RFC 7693).

        The opportunity is length-prefixed, so that no opportunity and address run into one another; hashed once, it
        is copied for each address, which is faster than to begin anew.
        """
        prefix = self._prefix(opportunity)
        digests: list[bytes] = []
        for person in people:
            state = prefix.copy()
            state.update(person)
            digests.append(state.digest())
        return digests

    @cached_property
    def _prefix(self) -> Callable[[str], hashlib.blake2b]:
        def prefix(opportunity: str) -> hashlib.blake2b:
            name = opportunity.encode()
            return self._hash(len(name).to_bytes(4, "big") + name, DIGEST_SIZE, b"optout.person")

        return lru_cache(REMEMBERED)(prefix)

    def digest(self, opportunity: str, canonical: str) -> bytes:
        state = self._prefix(opportunity).copy()
        state.update(canonical.encode())
        return state.digest()

    def rekey(self, pseudonym: bytes) -> bytes:
        """This key's pseudonym for what an older key calls ``pseudonym``; of the same size."""
        return self._hash(pseudonym, len(pseudonym), b"optout.rekey").digest()

    def _hash(self, data: bytes, size: int, purpose: bytes) -> hashlib.blake2b:
        state = self._keyed(size, purpose).copy()
        state.update(data)
        return state

    @cached_property
    def _keyed(self) -> Callable[[int, bytes], hashlib.blake2b]:
        """The key is a block of its own (RFC 7693 section 2.9), so that it is hashed once for each purpose."""
        return cache(lambda size, purpose: hashlib.blake2b(digest_size=size, key=self.people, person=purpose))


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
        keys = tuple(Key(secret) for secret in encoded)
        if len({key.id for key in keys}) < len(keys):
            raise ConfigurationError(
                "OPTOUT_KEYS holds two keys with the same id.",
                "The id says which key wrote what.",
                "Replace the newer of the two.",
            )
        return cls(keys)

    def refuse_weak(self, least: int, setting: str) -> None:
        """Refuse keys that can be guessed.

        :param least: how many bytes a key has at least.
        :param setting: where the keys come from.
        :raises ConfigurationError: when a key is short or a well-known placeholder; names its id.
        """
        for key in self.keys:
            weakness = key.weakness(least)
            if weakness is not None:
                raise ConfigurationError(
                    f"The key {key.id.hex()} of {setting} {weakness}.",
                    "Whoever guesses it can forge links and search a stolen database for addresses.",
                    f"Put a good key in front and keep the old one behind it in {setting} only if choices are "
                    f"stored under it; python -c 'import secrets; print(secrets.token_hex())' makes one.",
                )

    @property
    def current(self) -> Key:
        return self.keys[0]

    @property
    def ids(self) -> list[bytes]:
        """The ids of the keys, oldest first."""
        return [key.id for key in reversed(self.keys)]

    def link_keys(self, purpose: str) -> dict[Key, bytes]:
        """For each key a key for links; it depends on the older ones, as the pseudonyms in a link do."""
        return {
            key: key.derive("/".join((purpose, *(older.id.hex() for older in self.keys[place + 1 :]))))
            for place, key in enumerate(self.keys)
        }

    def lift(self, pseudonym: bytes, key: Key) -> bytes:
        """The newest key's pseudonym for what ``key`` calls ``pseudonym``."""
        # Mostly there is one key, and a link holds five pseudonyms.
        return pseudonym if key is self.keys[0] else self._levels(pseudonym, key)[-1]

    def digest(self, opportunity: str, canonical: str) -> bytes:
        return self.lift(self.keys[-1].digest(opportunity, canonical), self.keys[-1])

    def domain_tag(self, domain: str) -> bytes:
        return self._domain_tag(domain)

    @cached_property
    def _domain_tag(self) -> Callable[[str], bytes]:
        oldest = self.keys[-1]
        return lru_cache(REMEMBERED)(lambda domain: self.lift(oldest.domain_tag(domain), oldest))

    def scopes(self, opportunity: str) -> dict[Key, bytes]:
        """What each key calls an opportunity, newest first."""
        return dict(zip(self.keys, self._scopes(opportunity), strict=True))

    @cached_property
    def _scopes(self) -> Callable[[str], tuple[bytes, ...]]:
        oldest = self.keys[-1]
        return lru_cache(REMEMBERED)(lambda about: tuple(self._levels(oldest.scope(about), oldest)[::-1]))

    def scope(self, opportunity: str) -> bytes:
        """What the newest key calls an opportunity."""
        return self._scopes(opportunity)[0]

    def mark(self, address: Address, opportunity: str) -> Mark:
        """Where the choice of exactly this address about exactly this opportunity is written."""
        return Mark(self.scope(opportunity), self.digest(opportunity, address.canonical))

    def marks(self, address: Address, opportunity: str) -> list[list[Mark]]:
        """Every place where a choice that binds this invitation may stand.

        One list for each choice: about this opportunity and about all invitations, by the address and by the
        address without its tag. In each list one mark for each key, newest first, any of which may hold the newest
        answer until the keys are rotated.
        """
        people = [address.canonical] if address.base is None else [address.canonical, address.base]
        oldest = self.keys[-1]
        return [
            [
                Mark(scope, digest)
                for scope, digest in zip(
                    self.scopes(about).values(),
                    reversed(self._levels(oldest.digest(about, person), oldest)),
                    strict=True,
                )
            ]
            for about in dict.fromkeys((opportunity, ALL))
            for person in people
        ]

    def _levels(self, pseudonym: bytes, key: Key) -> list[bytes]:
        """``pseudonym`` as ``key`` and each newer key in turn call it."""
        levels = [pseudonym]
        for newer in reversed(self.keys[: self.keys.index(key)]):
            levels.append(newer.rekey(levels[-1]))
        return levels

    def check(self, stored: Sequence[bytes]) -> None:
        """Compare the ids of the keys under which choices are stored, oldest first, with this ring.

        :raises ConfigurationError: when the ring lacks one or has another order, since choices cannot be found then.
        """
        ids = self.ids
        if ids[: len(stored)] == list(stored):
            return
        absent = next((id for id in stored if id not in ids), None)
        if absent is not None:
            what = f"OPTOUT_KEYS lacks the key {absent.hex()}, under which choices are stored."
        else:
            moved = next(id for id, expected in zip(ids, stored, strict=False) if id != expected)
            what = f"OPTOUT_KEYS has the key {moved.hex()} in the wrong place."
        order = ", ".join(id.hex() for id in reversed(stored))
        raise ConfigurationError(
            what,
            "Keys build on one another, so nobody can tell who opted out, and no invitation leaves.",
            f"End OPTOUT_KEYS (or SECRET_KEY with SECRET_KEY_FALLBACKS) with the keys {order} in this order, and "
            "put new keys in front of them.",
        )
