"""The nonce of a page: proof that a press comes from a page that was made here, when, and for whose link."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from ..links.keys import DataKey
from ..links.tokens import SIGNATURE_SIZE, Claim, Signature
from .judge import Page

#: Seconds; a tab may stay open for weeks, and an outdated nonce costs one more press.
LIFE = 30 * 86_400.0
#: Page and issue time in ms.
BODY_SIZE = 1 + 6


class Nonce(NamedTuple):
    """Which page this is, and when it was made, in seconds since the epoch."""

    page: Page
    issued: float


class Nonces:
    """Signs and verifies nonces; the link is signed in, not carried."""

    def __init__(self, key: DataKey) -> None:
        self._key = key.derive("page")
        self._signature = Signature()

    def issue(self, claim: Claim, page: Page, now: float) -> str:
        body = bytes((page.value,)) + int(now * 1000).to_bytes(BODY_SIZE - 1, "big")
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
        nonce = Nonce(Page(body[0]), int.from_bytes(body[1:], "big") / 1000)
        return nonce if now - nonce.issued <= LIFE else None
