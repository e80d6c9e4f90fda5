"""Pseudonyms made with the data key, tokens of links, and their URLs.

A token holds a version, pseudonyms, domain tag, opportunity and signature; it opens one door and names nobody. It is
lower-case base32, so it survives case folding by mail systems. It does not expire and is not used up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial
from typing import NamedTuple
from urllib.parse import unquote

from itsdangerous.signer import HMACAlgorithm

from ..addresses import Address
from ..errors import BadToken, OpportunityError

#: The opportunity that stands for all invitations from this app.
ALL = "*"
VERSION = 1
HMAC = HMACAlgorithm(hashlib.sha256)
#: Bytes of the pseudonym of a person, an opportunity, a mail domain; of a signature (RFC 4868 section 2.1).
DIGEST_SIZE, SCOPE_SIZE, TAG_SIZE, SIGNATURE_SIZE = 16, 8, 4, 16
LONGEST_OPPORTUNITY = 128
#: Opportunities and mail domains whose pseudonyms are cached; each takes less than a kilobyte.
CACHED = 1_000
#: Version, number of people, their digests, domain tag, length of the opportunity, opportunity, signature.
SHORTEST_TOKEN = -(-(2 + 2 * DIGEST_SIZE + TAG_SIZE + 1 + 1 + SIGNATURE_SIZE) * 8 // 5)
LONGEST_TOKEN = -(-(2 + 4 * DIGEST_SIZE + TAG_SIZE + 1 + LONGEST_OPPORTUNITY + SIGNATURE_SIZE) * 8 // 5)
#: The positions of the digests in a token.
DIGESTS = [slice(at, at + DIGEST_SIZE) for at in range(2, 2 + 4 * DIGEST_SIZE, DIGEST_SIZE)]
#: Translates base32 to the digits of ``int(text, 32)``.
DIGITS = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyz234567", b"0123456789abcdefghijklmnopqrstuv")
ALPHABET = re.compile(rf"[a-z2-7]{{{SHORTEST_TOKEN},{LONGEST_TOKEN}}}")
#: A token after surplus slashes, and after characters of its path segment that cannot belong to it.
WHOLE = re.compile(rf"/*(?:[^/]*[^/a-z2-7])?({ALPHABET.pattern})", re.IGNORECASE | re.ASCII)
#: An octet in quoted-printable (RFC 2045 section 6.7), but not an "=" before the start of a token.
QUOTED_OCTET = re.compile(r"=(?!ae[ab])[0-9A-F]{2}", re.IGNORECASE)
#: The most characters of a path that are searched for a token.
LONGEST_PATH = 4_096
#: A language tag (RFC 5646 section 2.1), in the forms that name catalogues.
TAG = r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}"
#: The rest of a door's path: the language of the invitation, if it has one, and the token.
PATH = re.compile(rf"(?:({TAG})/)?([^/].*)", re.IGNORECASE | re.DOTALL)


class Mark(NamedTuple):
    """The key of a person's choice about an opportunity: the pseudonym of the opportunity, and that of both."""

    scope: bytes
    digest: bytes


class Door(StrEnum):
    """The destination of a link; a token made for one door opens no other."""

    LANDING = "landing"
    ONE_CLICK = "one-click"
    ASK = "ask"


class Claim(NamedTuple):
    """What a token proves: its holder was invited to ``opportunity`` by mail.

    ``person``: the marks of the invited address for this opportunity and all; ``base``: the same without its +tag.
    """

    payload: bytes
    opportunity: str
    person: tuple[Mark, Mark]
    base: tuple[Mark, Mark] | None
    domain_tag: bytes


class DataKey:
    """The random key of one store, 32 bytes, from which its pseudonyms and the keys of its links are derived."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.id: bytes = self.derive("id")[:DIGEST_SIZE]
        self._people = self.derive("people")
        cached = lru_cache(CACHED)
        self.scope: Callable[[str], bytes] = cached(partial(self._make_pseudonym, b"optout.scope", SCOPE_SIZE))
        self.domain_tag: Callable[[str], bytes] = cached(partial(self._make_pseudonym, b"optout.domain", TAG_SIZE))
        self._prefix: Callable[[str], hashlib.blake2b] = cached(self._begin_digest)

    def derive(self, purpose: str) -> bytes:
        """Derive a 32-byte key for one purpose, from which no other key can be computed."""
        return derive_key(self.secret, purpose)

    def digest(self, opportunity: str, canonical: str) -> bytes:
        """Return the pseudonym of a canonical address for one opportunity: keyed BLAKE2b, 16 bytes (RFC 7693)."""
        state = self._prefix(opportunity).copy()
        state.update(canonical.encode())
        return state.digest()

    def digests(self, opportunity: str, people: Iterable[bytes]) -> list[bytes]:
        """Return the :meth:`digest` of each of many addresses."""
        begin = self._prefix(opportunity).copy
        digests: list[bytes] = []
        for person in people:
            state = begin()
            state.update(person)
            digests.append(state.digest())
        return digests

    def mark(self, address: Address, opportunity: str) -> Mark:
        """Return the mark of exactly this address and exactly this opportunity."""
        return Mark(self.scope(opportunity), self.digest(opportunity, address.canonical))

    def marks_of(self, entries: Iterable[tuple[Address, str]]) -> list[Mark]:
        """Return the marks of many entries, each once, in the order of the table."""
        return sorted({self.mark(address, opportunity) for address, opportunity in entries})

    def marks(self, address: Address, opportunity: str) -> list[Mark]:
        """Return the marks that can forbid an invitation: for it and for all, with and without the +tag."""
        scopes = self.scope(opportunity), self.scope(ALL)
        return [Mark(*each) for each in zip(scopes * 2, self.people(address, opportunity), strict=False)]

    def people(self, address: Address, opportunity: str) -> list[bytes]:
        """Return the digests of :meth:`marks`."""
        people = (address.canonical,) if address.base is None else (address.canonical, address.base)
        return [self.digest(about, who) for who in people for about in (opportunity, ALL)]

    def _make_pseudonym(self, purpose: bytes, size: int, text: str) -> bytes:
        return hashlib.blake2b(text.encode(), digest_size=size, key=self._people, person=purpose).digest()

    def _begin_digest(self, opportunity: str) -> hashlib.blake2b:
        # Prefixed by its length, so that the border between opportunity and address is unambiguous.
        name = opportunity.encode()
        start = len(name).to_bytes(4, "big") + name
        return hashlib.blake2b(start, digest_size=DIGEST_SIZE, key=self._people, person=b"optout.person")


def derive_key(secret: bytes, purpose: str, size: int = 32) -> bytes:
    """Derive a key for one purpose, from which neither the secret nor another key can be computed (RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), size, salt=None, info=f"flask-optout {purpose}".encode()).derive(secret)


def check_opportunity(opportunity: object) -> str:
    """Return the id of an opportunity after checking that links and digests can hold it.

    :raises OpportunityError: when it is not a string of 1 to 128 UTF-8 bytes, or holds a control character.
    """
    if not isinstance(opportunity, str):
        found = f"It is of the type {type(opportunity).__name__}"
    elif not opportunity.isprintable():  # lone surrogates are not printable either
        found = "It holds a control character"
    elif not 0 < (size := len(opportunity.encode())) <= LONGEST_OPPORTUNITY:
        found = f"It has {size} bytes"
    else:
        return opportunity
    raise OpportunityError(
        f"An opportunity's id is not a printable string of 1 to {LONGEST_OPPORTUNITY} bytes. {found}.",
        "The id stands in every link of its invitations and decides which choices belong to it.",
        "Give a short stable id, such as 'beta-42' or str(beta.id).",
    )


class Tokens:
    """Mints and reads the tokens of one data key."""

    def __init__(self, key: DataKey) -> None:
        # Operators see tokens of the ask page beside addresses, so these do not hold the pseudonyms of choices.
        self.keys: dict[Door, DataKey] = dict.fromkeys(Door, key) | {Door.ASK: DataKey(key.derive("ask"))}
        self._link_keys = {door: each.derive(f"link.{door}") for door, each in self.keys.items()}

    def mint(self, door: Door, address: Address, opportunity: str) -> str:
        """Mint the token of one person's link to one door."""
        key, name = self.keys[door], check_opportunity(opportunity).encode()
        digests = key.people(address, opportunity)
        start, length = bytes((VERSION, len(digests) // 2)), bytes((len(name),))
        return self._sign(door, b"".join((start, *digests, key.domain_tag(address.domain), length, name)))

    def reissue(self, door: Door, claim: Claim) -> str:
        """Mint the token that opens another door to the holder of this claim."""
        return self._sign(door, claim.payload)

    def _sign(self, door: Door, payload: bytes) -> str:
        return encode(payload + sign(self._link_keys[door], payload))

    def read(self, door: Door, path: str) -> Claim:
        """Return the claim of a token after checking that it was minted here and for this door.

        :param path: the token, with any characters that a mail program attached to either end of the link.
        :raises BadToken: when it was not.
        """
        text, key = _find_token(path), self.keys[door]
        octets = decode(text)
        tag_at = 2 + 2 * octets[1] * DIGEST_SIZE
        name_at = tag_at + TAG_SIZE + 1
        # The payload holds its own length, as letters that follow a token look like a part of it.
        end = name_at + sum(octets[name_at - 1 : name_at])
        payload, signed = octets[:end], octets[end : end + SIGNATURE_SIZE]
        is_ours = hmac.compare_digest(sign(self._link_keys[door], payload), signed)
        # Invalid UTF-8 becomes surrogates, which are not printable.
        opportunity = payload[name_at:].decode(errors="surrogateescape")
        is_sound = payload[0] == VERSION and octets[1] in (1, 2) and opportunity.isprintable()
        if not (is_ours and is_sound and _has_no_spare_bits(text, end + SIGNATURE_SIZE)):
            raise bad_token()
        this, everything = key.scope(opportunity), key.scope(ALL)
        one, two, three, four = DIGESTS
        person = Mark(this, payload[one]), Mark(everything, payload[two])
        base = None if payload[1] == 1 else (Mark(this, payload[three]), Mark(everything, payload[four]))
        return Claim(payload, opportunity, person, base, payload[tag_at : name_at - 1])


def sign(key: bytes, payload: bytes, size: int = SIGNATURE_SIZE) -> bytes:
    """Return a truncated HMAC-SHA-256: in full it would be a third of a link."""
    return HMAC.get_signature(key, payload)[:size]


def _find_token(path: str) -> str:
    """Return the token in a path, in lower case, without characters around it that cannot belong to it."""
    if ALPHABET.fullmatch(path):
        return path
    # It may be percent-encoded again by a link rewriter, or copied from HTML or quoted-printable source.
    text = html.unescape(unquote(unquote(path[:LONGEST_PATH])))
    if found := WHOLE.match(QUOTED_OCTET.sub(" ", text)):
        return found[1].lower()
    raise bad_token()


def encode(octets: bytes) -> str:
    """Encode as base32 (RFC 4648 section 6), in lower case and without padding."""
    return base64.b32encode(octets).rstrip(b"=").lower().decode()


def decode(text: str) -> bytes:
    """Decode the whole octets of base32; by way of a number, which is ten times as fast as :mod:`base64`."""
    number = int(text.encode().translate(DIGITS), 32)
    return (number >> 5 * len(text) % 8).to_bytes(5 * len(text) // 8, "big")


def _has_no_spare_bits(text: str, size: int) -> bool:
    """Whether the unused bits of the last character of so many octets are 0, as :func:`encode` leaves them."""
    last = -(-8 * size // 5) - 1
    return int(text[last].encode().translate(DIGITS), 32) % (1 << 5 * last + 5 - 8 * size) == 0


def bad_token() -> BadToken:
    """Return the one error for every link that cannot be read."""
    return BadToken(
        "This link is not whole or was not made here.",
        "Links are signed, so a changed link proves nothing.",
        "Open the whole link as it stands in the invitation.",
    )


@dataclass(frozen=True)
class Links:
    """The URLs of one app's doors.

    ``prefix`` returns a door's URL without the token; ``speaks`` returns whether a language has translations.
    """

    tokens: Callable[[], Tokens]
    prefix: Callable[[Door], str]
    speaks: Callable[[str], bool]

    def url(self, door: Door, address: Address, opportunity: str, language: str = "") -> str:
        """Return the URL of one person's link, with the page's language if it has translations."""
        token = self.tokens().mint(door, address, opportunity)
        return self.prefix(door) + join_path(language if language and self.speaks(language) else "", token)


def normalize_tag(language: object) -> str:
    """Return a language tag as links and catalogues spell it, or ``""`` for a value that is not a tag."""
    tag = str(language or "").replace("_", "-")
    return tag.lower() if re.fullmatch(TAG, tag, re.IGNORECASE) else ""


def split_path(path: str) -> tuple[str, str]:
    """Split a path into the language, or ``""``, and what should be the token."""
    found = PATH.fullmatch(path)
    return ((found[1] or "").lower(), found[2]) if found else ("", path)


def join_path(language: str, token: str) -> str:
    """Join what :func:`split_path` splits."""
    return f"{language}/{token}" if language else token
