"""The standard library: an ``EmailMessage`` that invites, and what of it may leave, by smtplib or any other way."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import make_msgid
from typing import Any

from ..invitations.compose import OWN_HEADERS, Letter
from ..wiring import current_state
from .parts import draft
from .wire import VERBATIM, not_gated


class Invitation(EmailMessage):
    """An ``EmailMessage`` that invites to the opportunity with this id, 1 to 128 bytes.

    :param language: the recipient's, as a tag such as ``"de"``: of the footer, and of the page that its link opens.
    """

    def __init__(
        self, policy: EmailPolicy | None = None, *, opportunity: str = "", language: str | None = None
    ) -> None:
        super().__init__(policy)
        self.language = language
        self.opportunity = opportunity  # empty in its parts, which EmailMessage makes of its own class

    def raw_items(self) -> Iterator[tuple[str, Any]]:  # what every generator asks for
        if self.opportunity:
            raise not_gated("Send what 'for message in optout.cleared(messages):' gives.")
        return super().raw_items()


def cleared(messages: Iterable[EmailMessage]) -> Iterator[EmailMessage]:
    """The messages that may leave, each to be handed off before the next is asked for; no invitation to the muted.

    :raises OptOutError: when an invitation cannot be sent, or when nobody can tell whether it may be.
    """
    for message in messages:
        if isinstance(message, Invitation):
            gate = current_state().gate
            said = draft(message, message.opportunity, message.language)
            for letter, ready in [(letter, _ready(message, letter)) for letter in gate.letters(said)]:
                with gate.passing(letter, message_id=str(ready["Message-ID"])) as clear:
                    if clear:
                        yield ready
        else:
            yield message


def _ready(invitation: Invitation, letter: Letter) -> EmailMessage:
    """A message of its own; what cannot be serialised fails at once, before the gate is asked."""
    ready = EmailMessage()
    policy = VERBATIM + invitation.policy
    vars(ready).update(vars(invitation), policy=policy)
    ready.set_payload(copy.deepcopy(invitation.get_payload()))
    for name in ("Cc", "Bcc", "To", "Subject", "Message-ID"):  # each leaves the invitation its own list of headers
        del ready[name]
    ready["To"] = HeaderAddress(letter.address.name, addr_spec=letter.address.deliverable)
    ready["Subject"], ready["Message-ID"] = letter.subject, make_msgid()
    for name in OWN_HEADERS:
        ready[name] = letter.headers[name]
    for kind, content in (("plain", letter.text), ("html", letter.html)):
        if content and (part := ready.get_body((kind,))) is not None:
            part.set_content(content, subtype=kind)
    if "Content-Language" in letter.headers:  # after the parts, of which the message itself may be one
        del ready["Content-Language"]
        ready["Content-Language"] = letter.headers["Content-Language"]
    ready.as_bytes(policy=policy.clone(utf8=True))
    return ready
