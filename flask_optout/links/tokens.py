"""Tokens of links and their URLs: a prefix, the language of the invitation if it was given, and the token.

A token is version, pseudonyms, domain tag, opportunity and signature; it opens one door and names nobody. It is
lower-case base32, so it survives case folding by mail systems. It does not expire and is not used up.
"""

from __future__ import annotations

import base64
import hmac
import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

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
#: A language tag (RFC 5646 section 2.1), as far as catalogues are named by it.
TAG = r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}"
#: A path behind a door: the language of the invitation, if it was given, and the token.
PATH = re.compile(rf"(?:({TAG})/)?([^/].*)", re.IGNORECASE | re.DOTALL)


class Door(StrEnum):
    """Where a link leads; a token made for one door opens no other."""

    LANDING = "landing"
    ONE_CLICK = "one-click"
    ASK = "ask"


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
    """HMAC-SHA-256 cut to some bytes (RFC 4868 section 2.1): a third of a link would be signature otherwise."""

    def __init__(self, size: int = SIGNATURE_SIZE) -> None:
        self._size = size

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256")[: self._size]


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

    ``keys``: by which key a door's tokens have their pseudonyms. Those of the ask page, which operators see beside
    addresses, have them by another key than choices.
    """

    def __init__(self, key: DataKey) -> None:
        self.keys: dict[Door, DataKey] = dict.fromkeys(Door, key) | {Door.ASK: DataKey(key.derive("ask"))}
        self._signature = Signature()
        self._link_keys = {door: each.derive(f"link.{door}") for door, each in self.keys.items()}

    def mint(self, door: Door, address: Address, opportunity: str) -> str:
        """The token of one person's link to one door."""
        key, name = self.keys[door], checked_opportunity(opportunity).encode()
        marks = key.marks(address, opportunity)
        version, length = bytes((VERSION, len(marks) // 2)), bytes((len(name),))
        digests = [mark.digest for mark in marks]
        return self._sign(door, b"".join((version, *digests, key.domain_tag(address.domain), length, name)))

    def reissue(self, door: Door, claim: Claim) -> str:
        """The token that opens another door to the holder of this claim."""
        return self._sign(door, claim.payload)

    def _sign(self, door: Door, payload: bytes) -> str:
        signature = self._signature.get_signature(self._link_keys[door], payload)
        return encoded(payload + signature)

    def read(self, door: Door, path: str) -> Claim:
        """What a token claims, after checking that it was minted here and for this door.

        :param path: the token, with what a mail program may have attached to either end of the link.
        :raises BadToken: for every token that was not; it never says why.
        """
        signed = decoded(_token_in(path))
        payload, signature = signed[:-SIGNATURE_SIZE], signed[-SIGNATURE_SIZE:]
        if not self._signature.verify_signature(self._link_keys[door], payload, signature):
            raise bad_token()
        return _unpacked(payload, self.keys[door])


def _unpacked(payload: bytes, key: DataKey) -> Claim:
    tag_at = 2 + 2 * payload[1] * DIGEST_SIZE
    name_at = tag_at + TAG_SIZE + 1
    is_whole = len(payload) > name_at and len(payload) == name_at + payload[name_at - 1]
    if payload[0] != VERSION or payload[1] not in (1, 2) or not is_whole:
        raise bad_token()
    try:
        opportunity = _named(payload[name_at:])
    except ValueError:
        raise bad_token() from None
    scopes = key.scope(opportunity), key.scope(ALL)
    base = _marks(scopes, payload, 2 + 2 * DIGEST_SIZE) if payload[1] == 2 else None
    return Claim(payload, opportunity, _marks(scopes, payload, 2), base, payload[tag_at : name_at - 1])


def _marks(scopes: tuple[bytes, bytes], payload: bytes, at: int) -> tuple[Mark, Mark]:
    then = at + DIGEST_SIZE
    return Mark(scopes[0], payload[at:then]), Mark(scopes[1], payload[then : then + DIGEST_SIZE])


def _token_in(path: str) -> str:
    """The token in a path, in lower case, without what cannot belong to it at either end."""
    if ALPHABET.fullmatch(path):
        return path
    # Percent-encoded once more by a link rewriter, or cut out of HTML or of quoted-printable text.
    text = html.unescape(unquote(unquote(path[:LONGEST_PATH])))
    if found := WHOLE.match(QUOTED_OCTET.sub(" ", text)):
        return found[1].lower()
    raise bad_token()


def encoded(octets: bytes) -> str:
    """Base32 (RFC 4648 section 6), in lower case and without padding."""
    return base64.b32encode(octets).rstrip(b"=").lower().decode()


def decoded(text: str) -> bytes:
    """What is :func:`encoded` in one canonical form; read as a number, which C does ten times as fast.

    :raises BadToken: when it is in another form.
    """
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


@dataclass(frozen=True)
class Links:
    """The URLs of one app's doors.

    ``tokens`` gives what mints the tokens; ``prefix`` the URL of a door without its token, ending in a slash;
    ``speaks`` says whether there are translations into a language.
    """

    tokens: Callable[[], Tokens]
    prefix: Callable[[Door], str]
    speaks: Callable[[str], bool]

    def url(self, door: Door, address: Address, opportunity: str, language: str = "") -> str:
        """The URL of one person's link.

        :param language: the tag of the language of its page; one without translations is left out.
        """
        token = self.tokens().mint(door, address, opportunity)
        return self.prefix(door) + joined(language if language and self.speaks(language) else "", token)

    @property
    def host(self) -> str:
        """The host of the links."""
        return urlsplit(self.prefix(Door.LANDING)).hostname or "localhost"


def tag_of(language: object) -> str:
    """A language tag in the spelling that links and catalogues have, or an empty one for what is none."""
    tag = str(language or "").replace("_", "-")
    return tag.lower() if re.fullmatch(TAG, tag, re.IGNORECASE) else ""


def split(path: str) -> tuple[str, str]:
    """The language before a token, or ``""``, and what should be the token."""
    found = PATH.fullmatch(path)
    return ((found[1] or "").lower(), found[2]) if found else ("", path)


def joined(language: str, token: str) -> str:
    """What :func:`split` takes apart."""
    return f"{language}/{token}" if language else token
