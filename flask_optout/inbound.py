"""A mail to the mailto door: which address it was sent to, and whether it is an opt-out. It is never answered."""

from __future__ import annotations

import re
from contextlib import suppress
from email.message import Message
from email.parser import BytesHeaderParser

from .choices.repository import Choices, Statement
from .errors import BadToken
from .links.mailto import MailtoDoor
from .links.tokens import bad_token

SOURCE = "mailto"
#: Headers with the recipient: of the envelope, if a mail server adds one, or as a mail program wrote it.
RECIPIENT_HEADERS = ("X-Original-To", "Delivered-To", "Envelope-To", "To")
#: A null sender (RFC 5321 section 4.5.5) in Return-Path, without brackets, and as Postfix's pipe writes it.
NULL_SENDERS = ("", "mailer-daemon")


def receive(
    choices: Choices, door: MailtoDoor, message: bytes, recipient: str | None, sender: str | None = None
) -> bool:
    """Mute the person to whose address at the door a mail was sent; return False for a bounce, which mutes nobody.

    :param recipient: the envelope's; by default from the headers.
    :param sender: likewise.
    :raises BadToken: when no recipient is an address of the door.
    :raises OptOutError: as :meth:`Choices.transact`.
    """
    headers = BytesHeaderParser().parsebytes(message)
    for each in find_recipients(headers) if recipient is None else [recipient]:
        with suppress(BadToken):
            mark = door.read(each)
            break
    else:
        raise bad_token()
    if is_bounce(headers, sender):
        return False
    choices.transact(lambda connection: (None, [Statement(mark, True, SOURCE)]))
    return True


def find_recipients(headers: Message) -> list[str]:
    """Return the addresses that a message may have been delivered to, by its headers."""
    # Exim names several in one header.
    values = (str(value) for name in RECIPIENT_HEADERS for value in headers.get_all(name, []))
    return [each for value in values for each in re.split(r"[\s<>,;]", value) if "@" in each]


def is_bounce(headers: Message, sender: str | None = None) -> bool:
    """Return whether a mail server sent this message, and not a person or their mail program."""
    # The first line of a mail from Exim's pipes, procmail and sendmail.
    unix_from = (headers.get_unixfrom() or "From -").split()[1:2]
    paths = headers.get_all("Return-Path", unix_from) if sender is None else [sender]
    senders = (re.sub(r"\([^()]*\)|[<>\s]", "", str(path)).partition("@")[0] for path in paths)
    # RFC 3464 section 2, RFC 8098 section 3
    return any(name.lower() in NULL_SENDERS for name in senders) or headers.get_content_type() == "multipart/report"
