"""What adapters share: header values that stay as they are, the refusal, the rehearsal."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from email.header import Header
from email.policy import EmailPolicy
from typing import Any

from ..errors import InvitationError, NotGated
from ..invitations.compose import OWN_HEADERS


class _Verbatim(EmailPolicy):
    """Leaves our header values alone: folding turns long URLs into encoded words, which no mail program reads."""

    def fold(self, name: str, value: Any) -> str:
        return f"{name}: {value}{self.linesep}" if name in OWN_HEADERS else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name in OWN_HEADERS:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        # What is not ASCII becomes encoded words (RFC 2047); the policy leaves short values as they are and fails.
        return super().fold_binary(name, value if value.isascii() else Header(value, "utf-8").encode(linesep="\r\n"))


VERBATIM = _Verbatim(linesep="\r\n")


class Inviting:
    """Goes in front of a library's message, and makes it an invitation.

    :param opportunity: its id, 1 to 128 bytes.
    :param language: the recipient's, as a tag such as ``"de"``: of the footer, and of the page that its link opens.
    """

    def __init__(self, *args: Any, opportunity: str, language: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opportunity = opportunity
        self.language = language


def not_gated(mend: str) -> NotGated:
    """What an invitation raises when it is serialised for a mailer that does not know the gate."""
    return NotGated(
        "An Invitation was handed to a mailer that does not know the gate.",
        "It would reach people who opted out, and carry no link.",
        mend,
    )


@contextmanager
def serialising() -> Iterator[None]:
    """Name what is wrong where the library meets a character that it cannot write.

    :raises InvitationError: in place of the library's error, which may quote an address.
    """
    try:
        yield
    except UnicodeError:
        raise InvitationError(
            "A header of an invitation has a character that cannot stand there.",
            "The mail library cannot write it, so the invitation would reach nobody.",
            "Look at the sender and Reply-To: a name with an @ or a comma needs quotes, a domain its ASCII form.",
        ) from None


def rehearse(smtp: smtplib.SMTP | None, sender: str, raw: bytes, options: Sequence[str] = ()) -> None:
    """Go as far as the sender: what the server says against that, it says for muted and unmuted alike."""
    if smtp is not None:
        with suppress(smtplib.SMTPRecipientsRefused):  # as there is none
            smtp.sendmail(sender, [], raw, options)
