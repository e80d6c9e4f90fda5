"""Mint and read the token of a link: version, digests, domain tag, opportunity, signature; one salt per door.

A token names nobody. It is lower-case base32, so it survives case folding by mail systems, and it has exactly one
accepted spelling. It does not expire and is not used up.
"""

from __future__ import annotations

import base64
import hmac
import re
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import NamedTuple

from itsdangerous.signer import SigningAlgorithm

from ..addresses import Address
from ..errors import BadToken, OpportunityError
from .keys import ALL, DIGEST_SIZE, REMEMBERED, TAG_SIZE, Key, KeyRing, Mark

VERSION = 1
SIGNATURE_SIZE = 16
LONGEST_OPPORTUNITY = 128
#: What mail programs take into a link although it stands behind it.
TRAILING = ".,;:!?)>]'\""
#: Version, number of people, their digests, domain tag, length of the opportunity, opportunity, signature.
SHORTEST_TOKEN = -(-(2 + 2 * DIGEST_SIZE + TAG_SIZE + 1 + 1 + SIGNATURE_SIZE) * 8 // 5)
LONGEST_TOKEN = -(-(2 + 4 * DIGEST_SIZE + TAG_SIZE + 1 + LONGEST_OPPORTUNITY + SIGNATURE_SIZE) * 8 // 5)
#: The digits of base32 as those of a number to the base 32.
DIGITS = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyz234567", b"0123456789abcdefghijklmnopqrstuv")
ALPHABET = re.compile(rf"[a-z2-7]{{{SHORTEST_TOKEN},{LONGEST_TOKEN}}}")


class Door(StrEnum):
    """Where a link leads; a token made for one door opens no other."""

    LANDING = "landing"
    ONE_CLICK = "one-click"
    ASK = "ask"


#: The doors whose tokens hold the pseudonyms under which choices stand.
CANDIDATE_DOORS = (Door.LANDING, Door.ONE_CLICK)


class Claim(NamedTuple):
    """What a token proves: its holder was invited to ``opportunity`` by mail.

    ``key`` signed the token; the marks are those of the newest key, whichever it was.
    ``person`` holds the marks of the invited address, ``base`` those of the address without its tag, if it has one;
    in each the first is about the opportunity, the second about all invitations.
    """

    key: Key
    payload: bytes
    opportunity: str
    person: tuple[Mark, Mark]
    base: tuple[Mark, Mark] | None
    domain_tag: bytes


class Signature(SigningAlgorithm):
    """HMAC-SHA-256 cut to 128 bits (RFC 4868 section 2.1): a third of a link would be signature otherwise."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256")[:SIGNATURE_SIZE]


def checked_opportunity(opportunity: object) -> str:
    """The id of an opportunity as it stands in links and digests.

    :raises OpportunityError: when it is not a string of 1 to 128 UTF-8 bytes, or holds a control character.
    """
    if isinstance(opportunity, str) and opportunity.isprintable():
        try:
            size = len(opportunity.encode())
        except UnicodeEncodeError:
            size = 0
        if 0 < size <= LONGEST_OPPORTUNITY:
            return opportunity
    raise OpportunityError(
        "An opportunity's id is not a printable string of 1 to 128 bytes.",
        "The id stands in every link of its invitations and decides which choices belong to it.",
        "Give a short stable id, such as 'beta-42' or str(beta.id).",
    )


@lru_cache(REMEMBERED)
def _named(name: bytes) -> str:
    return checked_opportunity(name.decode())


class Tokens:
    """Mints with the newest key of the ring and reads with all of them.

    :param doors: the only ones that it makes and reads tokens for.
    """

    def __init__(self, ring: KeyRing, doors: tuple[Door, ...] = CANDIDATE_DOORS) -> None:
        self.ring = ring
        self.doors = doors
        self.signature: Signature = Signature()

    @cached_property
    def _link_keys(self) -> dict[Door, dict[Key, bytes]]:
        return {door: self.ring.link_keys(f"link.{door}") for door in self.doors}

    def mint(self, door: Door, address: Address, opportunity: str) -> str:
        """The token of one person's link to one door.

        :raises OpportunityError: as :func:`checked_opportunity`.
        """
        name = checked_opportunity(opportunity).encode()
        ring = self.ring
        people = [address.canonical] if address.base is None else [address.canonical, address.base]
        digests = [ring.digest(about, person) for person in people for about in (opportunity, ALL)]
        version, length = bytes((VERSION, len(people))), bytes((len(name),))
        payload = b"".join((version, *digests, ring.domain_tag(address.domain), length, name))
        return self._sign(ring.current, door, payload)

    def reissue(self, door: Door, claim: Claim) -> str:
        """The token that opens another door to the holder of this claim."""
        return self._sign(claim.key, door, claim.payload)

    def _sign(self, key: Key, door: Door, payload: bytes) -> str:
        signature = self.signature.get_signature(self._link_keys[door][key], payload)
        return base64.b32encode(payload + signature).rstrip(b"=").lower().decode()

    def read(self, door: Door, token: str) -> Claim:
        """What a token claims, after checking that it was minted here and for this door.

        :raises BadToken: for every token that was not; it never says why.
        """
        text = token.rstrip(TRAILING).lower()
        if not token.isascii() or ALPHABET.fullmatch(text) is None:  # lower() makes a k of the Kelvin sign
            raise _bad_token()
        signed = _decoded(text)
        payload, signature = signed[:-SIGNATURE_SIZE], signed[-SIGNATURE_SIZE:]
        for key, link_key in self._link_keys[door].items():
            if self.signature.verify_signature(link_key, payload, signature):
                return self._unpack(key, payload)
        raise _bad_token()

    def _unpack(self, key: Key, payload: bytes) -> Claim:
        if payload[0] != VERSION or payload[1] not in (1, 2):
            raise _bad_token()
        people = payload[1]
        tag_at = 2 + 2 * people * DIGEST_SIZE
        name_at = tag_at + TAG_SIZE + 1
        if len(payload) <= name_at or len(payload) != name_at + payload[name_at - 1]:
            raise _bad_token()
        try:
            opportunity = _named(payload[name_at:])
        except ValueError:
            raise _bad_token() from None
        person = self._marks(key, payload, 2, opportunity)
        base = self._marks(key, payload, 2 + 2 * DIGEST_SIZE, opportunity) if people == 2 else None
        return Claim(key, payload, opportunity, person, base, self.ring.lift(payload[tag_at : name_at - 1], key))

    def _marks(self, key: Key, payload: bytes, at: int, opportunity: str) -> tuple[Mark, Mark]:
        ring, then = self.ring, at + DIGEST_SIZE
        here = Mark(ring.scope(opportunity), ring.lift(payload[at:then], key))
        return here, Mark(ring.scope(ALL), ring.lift(payload[then : then + DIGEST_SIZE], key))


def _decoded(text: str) -> bytes:
    """Base32 (RFC 4648 section 6) in its one canonical form; as a number, which C reads ten times as fast."""
    spare = 5 * len(text) % 8
    number = int(text.encode().translate(DIGITS), 32)
    if spare > 4 or number & ((1 << spare) - 1):
        raise _bad_token()
    return (number >> spare).to_bytes(5 * len(text) // 8, "big")


def _bad_token() -> BadToken:
    return BadToken(
        "This link is not whole or was not made here.",
        "Links are signed, so a changed link proves nothing.",
        "Open the whole link as it stands in the invitation.",
    )
