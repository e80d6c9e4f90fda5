"""The addresses of the mailto door: each mutes one person for one opportunity, and opens no page.

An address holds the two pseudonyms under which the choice is stored, and a message authentication code over them, as
55 characters of lower-case base32: a local part has at most 64 octets (RFC 5321 section 4.5.3.1.1).
"""

from __future__ import annotations

import hmac
import re

from ..addresses import Address
from .tokens import DIGEST_SIZE, SCOPE_SIZE, DataKey, Mark, bad_token, decode, encode, sign

#: Bytes of the authentication code: nobody can try 2**80 of them by mail.
MAC_SIZE = 10
TOKEN_LENGTH = -(-(SCOPE_SIZE + DIGEST_SIZE + MAC_SIZE) * 8 // 5)
LONGEST_LOCAL_PART = 64
#: The placeholder for the token in OPTOUT_MAILTO.
FIELD = "{token}"


class MailtoDoor:
    """Makes and reads the addresses of one app, whose setting OPTOUT_MAILTO is ``template``."""

    def __init__(self, key: DataKey, template: str) -> None:
        self._key = key
        self._secret = key.derive("link.mailto")
        self._template = template
        before, after = template.rpartition("@")[0].split(FIELD)
        self._local_part = re.compile(
            rf"{re.escape(before)}([a-z2-7]{{{TOKEN_LENGTH}}}){re.escape(after)}", re.IGNORECASE | re.ASCII
        )

    def make_address(self, person: Address, opportunity: str) -> str:
        """Return the address to which this person mails an opt-out from this opportunity."""
        return self._template.replace(FIELD, self._token(b"".join(self._key.mark(person, opportunity))))

    def read(self, recipient: str) -> Mark:
        """Return the mark that a mail to this address is about. The domain is not checked: it may be rewritten.

        :raises BadToken: when the address was not made here.
        """
        found = self._local_part.fullmatch(recipient.strip("<> \r\n\t").rpartition("@")[0].strip('"'))
        if found is None:
            raise bad_token()
        token = found[1].lower()
        payload = decode(token)[:-MAC_SIZE]
        if not hmac.compare_digest(self._token(payload), token):
            raise bad_token()
        return Mark(payload[:SCOPE_SIZE], payload[SCOPE_SIZE:])

    def _token(self, payload: bytes) -> str:
        return encode(payload + sign(self._secret, payload, MAC_SIZE))
