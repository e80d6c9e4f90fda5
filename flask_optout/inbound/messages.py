"""A mail to the mailto door: which one it was sent to, and whether it is an opt-out. None is ever answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from email.parser import BytesHeaderParser

from ..choices.repository import Choices, Statement
from ..errors import BadToken
from ..links.keys import Mark
from ..links.mailto import MailtoDoor
from ..links.tokens import bad_token

SOURCE = "mailto"
#: Where a mail server notes the recipient of the envelope, which To may not name.
RECIPIENT_HEADERS = ("X-Original-To", "Delivered-To", "Envelope-To")
#: What a null sender (RFC 5321 section 4.5.5) is written as in Return-Path, and by Postfix's pipe.
NULL_SENDERS = ("", "<>", "mailer-daemon")


def headers_of(message: bytes) -> Message:
    """The headers of a message; its body says nothing that counts."""
    return BytesHeaderParser().parsebytes(message)


def recipients_of(headers: Message) -> Iterator[str]:
    """Whom a message may have been delivered to, as its headers say."""
    for name in RECIPIENT_HEADERS:
        for value in headers.get_all(name, []):
            yield str(value)


def is_bounce(headers: Message, sender: str | None = None) -> bool:
    """Whether a mail server sent this message, and no person or program of one.

    :param sender: of the envelope, if it is known.
    """
    paths = [str(value) for value in headers.get_all("Return-Path", [])] if sender is None else [sender]
    if any(path.strip().lower() in NULL_SENDERS for path in paths):
        return True
    # RFC 3464 section 2, RFC 8098 section 3
    return headers.get_content_type() == "multipart/report"


def receive(choices: Choices, door: MailtoDoor, message: bytes, recipients: list[str], sender: str | None) -> bool:
    """Mute whom a mail was sent for; gives whether it was an opt-out, and not a bounce.

    :raises BadToken: when none of the recipients is an address of the door.
    :raises OptOutError: as :meth:`Choices.transact`.
    """
    mark = _first_mark(door, recipients)
    if is_bounce(headers_of(message), sender):
        return False
    choices.transact(lambda connection: (None, [Statement(mark, True, SOURCE)]))
    return True


def _first_mark(door: MailtoDoor, recipients: list[str]) -> Mark:
    for recipient in recipients:
        with suppress(BadToken):
            return door.read(recipient)
    raise bad_token()
