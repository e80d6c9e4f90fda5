"""The parts of a standard library's message: whom it goes to, and what it says."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Any

from ..addresses import Recipient
from ..errors import AddressError, InvitationError
from ..invitations.compose import Draft

#: Headers that a draft has fields for, or that say how the body is encoded.
STRUCTURE = re.compile(r"subject|from|reply-to|to|cc|bcc|mime-version|content-.*", re.IGNORECASE)


def draft(message: EmailMessage, opportunity: str, language: str | None) -> Draft:
    """What a message says, for the gate.

    :raises OptOutError: when its recipients or its text cannot be read.
    """
    values = [value for name in ("To", "Cc", "Bcc") for value in message.get_all(name, [])]
    to = [person for value in values for person in _people(value)]
    headers = {name: str(value) for name, value in message.items() if not STRUCTURE.fullmatch(name)}
    who = str(message["From"] or ""), str(message["Reply-To"] or "")
    text, html = _content(message, "plain"), _content(message, "html")
    return Draft(to, opportunity, str(message["Subject"] or ""), text, html, *who, headers, language=language)


def _people(value: Any) -> list[Recipient]:
    if value.defects or any(group.display_name for group in value.groups):
        raise AddressError(
            "The To, Cc or Bcc header of an invitation is not a plain list of addresses.",
            "What the standard library does not understand in it, it drops or guesses.",
            "Write addresses as 'jane@example.org' or 'Jane <jane@example.org>', with commas between them.",
        )
    return [(address.display_name, address.addr_spec) for address in value.addresses]


def _content(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    try:
        return str(part.get_content()) if part is not None and part.get_payload() else None
    except (LookupError, UnicodeError):
        raise InvitationError(
            "An invitation has a body part that cannot be read as text.",
            "The link must be visible in the message itself.",
            "Set the body with set_content() and a charset that Python knows.",
        ) from None
