"""Tokens of links: version, pseudonyms, domain tag, opportunity, signature; a token opens one door.

A token names nobody. It is lower-case base32, so it survives case folding by mail systems. It does not expire and is
not used up.
"""

from __future__ import annotations

import base64
import hmac
import html
import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from itsdangerous.signer import SigningAlgorithm

from ..addresses import Address
from ..errors import BadToken, OpportunityError
from .keys import ALL, CACHED, DIGEST_SIZE, TAG_SIZE, DataKey, Mark

VERSION = 1
SIGNATURE_SIZE = 16
LONGEST_OPPORTUNITY = 128
#: Version, number of people, their digests, domain tag, length of the opportunity, opportunity, signature.
SHORTEST_TOKEN = -(-(2 + 2 * DIGEST_SIZE + TAG_SIZE + 1 + 1 + SIGNATURE_SIZE) * 8 // 5)
LONGEST_TOKEN = -(-(2 + 4 * DIGEST_SIZE + TAG_SIZE + 1 + LONGEST_OPPORTUNITY + SIGNATURE_SIZE) * 8 // 5)
#: The digits of base32 as those of a number to the base 32.
DIGITS = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyz234567", b"0123456789abcdefghijklmnopqrstuv")
ALPHABET = re.compile(rf"[a-z2-7]{{{SHORTEST_TOKEN},{LONGEST_TOKEN}}}")
#: A whole token behind characters that cannot belong to it, in the same segment of the path.
WHOLE = re.compile(rf"(?:[^/]*[^/a-z2-7])?({ALPHABET.pattern})(?![a-z2-7])", re.IGNORECASE | re.ASCII)
#: An octet as quoted-printable writes it (RFC 2045 section 6.7), and not "=" before a token, which begins so.
QUOTED_OCTET = re.compile(r"=(?!ae[ab])[0-9A-F]{2}", re.IGNORECASE)
#: Characters of a path that are searched for a token.
LONGEST_PATH = 4_096


class Door(StrEnum):
    """Where a link leads; a token made for one door opens no other."""

    LANDING = "landing"
    ONE_CLICK = "one-click"
    ASK = "ask"


#: The doors whose tokens hold the pseudonyms under which choices stand.
CANDIDATE_DOORS = (Door.LANDING, Door.ONE_CLICK)


class Claim(NamedTuple):
    """What a token proves: its holder was invited to ``opportunity`` by mail.

    ``person`` holds the marks of the invited address, ``base`` those of the address without its tag, if it has one;
    in each the first is about the opportunity, the second about all invitations.
    """

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
    if not isinstance(opportunity, str):
        found = f"It is of the type {type(opportunity).__name__}"
    elif not opportunity.isprintable():  # as lone surrogates, too
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


@lru_cache(CACHED)
def _named(name: bytes) -> str:
    return checked_opportunity(name.decode())


class Tokens:
    """Mints and reads the tokens of one data key.

    :param doors: the only ones that it makes and reads tokens for.
    """

    def __init__(self, key: DataKey, doors: tuple[Door, ...] = CANDIDATE_DOORS) -> None:
        self.key = key
        self.doors = doors
        self._signature = Signature()
        self._link_keys = {door: key.derive(f"link.{door}") for door in doors}

    def mint(self, door: Door, address: Address, opportunity: str) -> str:
        """The token of one person's link to one door."""
        name = checked_opportunity(opportunity).encode()
        marks = self.key.marks(address, opportunity)
        version, length = bytes((VERSION, len(marks) // 2)), bytes((len(name),))
        digests = [mark.digest for mark in marks]
        return self._sign(door, b"".join((version, *digests, self.key.domain_tag(address.domain), length, name)))

    def reissue(self, door: Door, claim: Claim) -> str:
        """The token that opens another door to the holder of this claim."""
        return self._sign(door, claim.payload)

    def _sign(self, door: Door, payload: bytes) -> str:
        signature = self._signature.get_signature(self._link_keys[door], payload)
        return base64.b32encode(payload + signature).rstrip(b"=").lower().decode()

    def read(self, door: Door, path: str) -> Claim:
        """What a token claims, after checking that it was minted here and for this door.

        :param path: the token, with what a mail program may have attached to either end of the link.
        :raises BadToken: for every token that was not; it never says why.
        """
        signed = _decoded(_token_in(path))
        payload, signature = signed[:-SIGNATURE_SIZE], signed[-SIGNATURE_SIZE:]
        if not self._signature.verify_signature(self._link_keys[door], payload, signature):
            raise bad_token()
        return self._unpack(payload)

    def _unpack(self, payload: bytes) -> Claim:
        tag_at = 2 + 2 * payload[1] * DIGEST_SIZE
        name_at = tag_at + TAG_SIZE + 1
        is_whole = len(payload) > name_at and len(payload) == name_at + payload[name_at - 1]
        if payload[0] != VERSION or payload[1] not in (1, 2) or not is_whole:
            raise bad_token()
        try:
            opportunity = _named(payload[name_at:])
        except ValueError:
            raise bad_token() from None
        person = self._marks(payload, 2, opportunity)
        base = self._marks(payload, 2 + 2 * DIGEST_SIZE, opportunity) if payload[1] == 2 else None
        return Claim(payload, opportunity, person, base, payload[tag_at : name_at - 1])

    def _marks(self, payload: bytes, at: int, opportunity: str) -> tuple[Mark, Mark]:
        scope, then = self.key.scope, at + DIGEST_SIZE
        return Mark(scope(opportunity), payload[at:then]), Mark(scope(ALL), payload[then : then + DIGEST_SIZE])


def _token_in(path: str) -> str:
    """The token in a path, in lower case, without what cannot belong to it at either end."""
    if ALPHABET.fullmatch(path):
        return path
    # Percent-encoded once more by a link rewriter, or cut out of HTML or of quoted-printable text.
    text = html.unescape(unquote(unquote(path[:LONGEST_PATH])))
    if found := WHOLE.match(QUOTED_OCTET.sub(" ", text)):
        return found[1].lower()
    raise bad_token()


def _decoded(text: str) -> bytes:
    """Base32 (RFC 4648 section 6) in its one canonical form; as a number, which C reads ten times as fast."""
    spare = 5 * len(text) % 8
    number = int(text.encode().translate(DIGITS), 32)
    if spare > 4 or number & ((1 << spare) - 1):
        raise bad_token()
    return (number >> spare).to_bytes(5 * len(text) // 8, "big")


def bad_token() -> BadToken:
    """The one error for every link that cannot be read."""
    return BadToken(
        "This link is not whole or was not made here.",
        "Links are signed, so a changed link proves nothing.",
        "Open the whole link as it stands in the invitation.",
    )
