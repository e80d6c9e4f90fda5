"""The nonce of a page: proof that a press comes from a page that was made here, when, and for whose link."""

from __future__ import annotations

import hashlib
import secrets
from enum import Enum
from typing import NamedTuple

from itsdangerous import BadData, URLSafeSerializer

from ..links.tokens import Claim
from .commands import COMMANDS, Command

#: Seconds; a tab may stay open for weeks, and an outdated nonce costs one more press.
LIFE = 30 * 86_400.0

LANDING = "."


class Page(Enum):
    """Which page a press came from: one that was opened, the result of a press, or the plea to press once more."""

    OPENED = 0
    RESULT = 1
    REPEAT = 2


class Nonce(NamedTuple):
    """Which page this is, when it was made (seconds since the epoch), of which visit, and by which command.

    :param back: the URL of the host's page that a toggle stands on, where a press of it comes back to; ``LANDING``
        for that at the candidate's own link.
    """

    page: Page
    issued: float
    visit: str
    said: Command | None = None
    back: str = ""


def new_visit() -> str:
    return secrets.token_hex(6)


class Nonces:
    """Signs and reads nonces; the link is signed in, not carried.

    :param key: a derived key of their own.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _signed(self, claim: Claim) -> URLSafeSerializer:
        signing = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeSerializer(self._key, salt=claim.payload, signer_kwargs=signing)

    def issue(self, claim: Claim, nonce: Nonce) -> str:
        said = None if nonce.said is None else nonce.said.choice
        return str(
            self._signed(claim).dumps([nonce.page.value, int(nonce.issued * 1000), nonce.visit, said, nonce.back])
        )

    def read(self, claim: Claim, text: str, now: float) -> Nonce | None:
        """What a nonce proves, or ``None`` when it is damaged, outdated or of another link's page."""
        try:
            page, issued, visit, said, back = self._signed(claim).loads(text)
        except BadData:
            return None
        nonce = Nonce(Page(page), issued / 1000, visit, COMMANDS.get(said), back)
        return nonce if now - nonce.issued <= LIFE else None

    def word(self, nonce: str, meaning: str) -> str:
        """What stands for a meaning in the form of this one page, so that no answer can be known in advance."""
        return "a" + hashlib.blake2b(f"{nonce}|{meaning}".encode(), digest_size=5, key=self._key).hexdigest()
