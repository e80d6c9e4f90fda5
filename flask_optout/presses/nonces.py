"""The nonce of a page: proof that a press comes from a page that was made here, when, and for whose link."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from enum import Enum
from typing import NamedTuple

from ..links.tokens import SIGNATURE_SIZE, Claim, Signature
from .commands import COMMANDS, Command

#: Seconds; a tab may stay open for weeks, and an outdated nonce costs one more press.
LIFE = 30 * 86_400.0
#: Page, command, issue time in ms, visit.
VISIT_SIZE = 6
BODY_SIZE = 1 + 1 + 6 + VISIT_SIZE
SAID = (None, *COMMANDS.values())


class Page(Enum):
    """Which page a press came from: one that was opened, the result of a press, or the plea to press once more."""

    OPENED = 0
    RESULT = 1
    REPEAT = 2


class Nonce(NamedTuple):
    """Which page this is, when it was made (seconds since the epoch), of which visit, and by which command."""

    page: Page
    issued: float
    visit: str
    said: Command | None = None


def new_visit() -> str:
    return secrets.token_hex(VISIT_SIZE)


class Nonces:
    """Signs and reads nonces; the link is signed in, not carried.

    :param key: a derived key of their own.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._signature = Signature()

    def issue(self, claim: Claim, nonce: Nonce) -> str:
        issued = int(nonce.issued * 1000).to_bytes(6, "big")
        body = bytes((nonce.page.value, SAID.index(nonce.said))) + issued + bytes.fromhex(nonce.visit)
        signed = body + self._signature.get_signature(self._key, body + claim.payload)
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()

    def read(self, claim: Claim, text: str, now: float) -> Nonce | None:
        """What a nonce proves, or ``None`` when it is damaged, outdated or of another link's page."""
        try:
            signed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return None
        if len(signed) != BODY_SIZE + SIGNATURE_SIZE:
            return None
        body, signature = signed[:BODY_SIZE], signed[BODY_SIZE:]
        if not self._signature.verify_signature(self._key, body + claim.payload, signature):
            return None
        issued = int.from_bytes(body[2:8], "big") / 1000
        return Nonce(Page(body[0]), issued, body[8:].hex(), SAID[body[1]]) if now - issued <= LIFE else None

    def word(self, nonce: str, meaning: str) -> str:
        """What stands for a meaning in the form of this one page, so that no answer can be known in advance."""
        return "a" + hashlib.blake2b(f"{nonce}|{meaning}".encode(), digest_size=5, key=self._key).hexdigest()
