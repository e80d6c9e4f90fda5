"""The headers that a host gives an invitation: which are refused, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..addresses import Recipient, holds_control
from ..errors import InvitationError

#: The headers that an invitation gets, and that nobody else may set on it (RFC 8058, 2369, 2919, 3834).
OWN_HEADERS = ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Auto-Submitted")
HEADER_NAME = re.compile(r"[!-9;-~]+")
#: Headers that name recipients beside the one: mail libraries address what stands in them, or show it to everybody.
ADDRESSING = re.compile(r"to|cc|bcc|resent-.*", re.IGNORECASE)


def unfolded(value: object) -> str:
    """A header value on one line; folded ones are legal (RFC 5322 section 2.2.3), other line breaks are not.

    :raises InvitationError: when it is not a string, or when it, or an encoded word in it, holds a line break or
        another control character.
    """
    if isinstance(value, str):
        value = re.sub(r"\r?\n(?=[ \t]+\S)", "", value)
        if not holds_control(value):
            return value
    raise broken_line()


def broken_line() -> InvitationError:
    """What is raised where a header value would become two lines."""
    return InvitationError(
        "A header of an invitation is not a string on one line.",
        "What follows a line break would become a header of its own.",
        "Remove line breaks and control characters from the subject, the names and the headers.",
    )


def checked_sender(sender: Recipient | None, reply_to: Recipient | None) -> Recipient:
    """The sender.

    :raises InvitationError: when there is none, or when a line break in it or in Reply-To would start a new header.
    """
    if not sender:
        raise InvitationError(
            "An invitation has no sender.",
            "No mail server takes a message from nobody.",
            "Give it a sender, or set MAIL_DEFAULT_SENDER.",
        )
    for who in (sender, reply_to):
        for part in (who,) if isinstance(who, str) else who or ():
            if unfolded(part) != part:  # legal, but mail libraries take a folded name for an injected header
                raise broken_line()
    return sender


def host_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The host's own headers, as written, less its Message-ID.

    :raises InvitationError: when one breaks the message, stands in for one of ours, or names another recipient.
    """
    for name, value in headers.items():
        if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
            raise InvitationError(
                "A header of an invitation has a name that is not one.",
                "It would break the message (RFC 5322 section 2.2).",
                "Use printable ASCII without spaces and colons for header names.",
            )
        if name.lower() in {own.lower() for own in OWN_HEADERS}:
            raise InvitationError(
                f"An invitation already has a {name} header.",
                "It would hide the link that Flask-OptOut puts there, and a header may stand only once (RFC 2369).",
                "Leave List-Unsubscribe, List-Unsubscribe-Post, List-Id and Auto-Submitted to Flask-OptOut.",
            )
        if ADDRESSING.fullmatch(name):
            raise InvitationError(
                f"An invitation has a {name} header of its own.",
                "An invitation goes to its recipient and shows nobody else's address.",
                "Leave To, Cc, Bcc and the Resent- headers out of the extra headers.",
            )
        unfolded(value)
    # A message that leaves has an id of its own, or a loop over one draft would send a thousand with the same.
    return {name: value for name, value in headers.items() if name.lower() != "message-id"}
