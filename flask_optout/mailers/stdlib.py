"""The standard library adapter: an ``EmailMessage`` that invites, and a function that sends it in any way."""

from __future__ import annotations

import copy
import re
import smtplib
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from email.errors import NonASCIILocalPartDefect
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage, Message, MIMEPart
from email.policy import EmailPolicy
from email.utils import getaddresses
from functools import partial
from inspect import iscoroutine, iscoroutinefunction
from typing import Any, NoReturn, cast

from ..addresses import Recipient, unfold, unquote_local_part
from ..errors import AddressError, InvitationError
from ..invitations.compose import OWN_HEADERS, Draft, InvitationMixin, Letter, not_gated
from ..invitations.gate import OnError, finish, prove_recipient, serialising
from ..wiring import current_state
from .rehearsal import can_rehearse, rehearsing

ATTACHED = "attachment"
#: The original of the standard library, which a host's tests may replace.
SEND_MESSAGE = smtplib.SMTP.send_message
#: Headers for which a draft has fields, or that describe the encoding of the body.
STRUCTURE = re.compile(r"subject|from|reply-to|to|cc|bcc|mime-version|content-.*", re.IGNORECASE)


def _make_plain_method(name: str) -> Any:
    """Make a method that adds parts as plain ``EmailMessage`` objects, as an Invitation cannot be serialised."""

    def method(self: EmailMessage, *args: Any, **options: Any) -> None:
        plain = EmailMessage()
        plain.__dict__ = self.__dict__
        getattr(plain, name)(*args, **options)

    return method


class Invitation(InvitationMixin, EmailMessage):
    """An ``EmailMessage`` that invites to ``opportunity``, an id of 1 to 128 bytes, in ``language``, a tag."""

    def raw_items(self) -> NoReturn:  # every generator calls this
        raise not_gated("Hand it to optout.send_invitations().")


for _name in ("make_related", "make_alternative", "make_mixed", "add_related", "add_alternative", "add_attachment"):
    setattr(Invitation, _name, _make_plain_method(_name))


def send_invitations(
    messages: Iterable[EmailMessage], send: Callable[[EmailMessage], object], on_error: OnError | None = None
) -> None:
    """Do what :meth:`flask_optout.OptOut.send_invitations` says."""
    method: Any = send
    options: set[str] = set()
    while isinstance(method, partial):  # such as one that adds options for the mail server
        method, options = method.func, options | set(method.keywords)
    if iscoroutinefunction(method) or iscoroutinefunction(method.__call__) or "to_addrs" in options:
        raise _unfit()
    smtp: Any = getattr(method, "__self__", None)
    if getattr(method, "__func__", None) is not SEND_MESSAGE:
        smtp = None  # another function, which may send in another way

    def leave(message: EmailMessage, clear: bool) -> None:
        if not isinstance(message, _Cleared):
            current_state().gate.warn_if_ungated(lambda: [_read_content(message, kind) for kind in ("plain", "html")])
        if clear or can_rehearse(smtp):
            with nullcontext() if clear else rehearsing(smtp):
                sent = send(message)  # one line for both, as tracebacks quote it
            if iscoroutine(sent):
                sent.close()
                raise _unfit()

    current_state().gate.hand_off(messages, _make_draft, _make_cleared, leave, on_error)


def _unfit() -> InvitationError:
    return InvitationError(
        "The function that hands off invitations is async, or names recipients of its own.",
        "Nobody would await it, or a mail would reach somebody else than was checked.",
        "Give a plain function of one message, which sends it to the address in To.",
    )


class _Cleared(EmailMessage):
    """The message that leaves."""


def _make_cleared(invitation: EmailMessage, letter: Letter) -> EmailMessage:
    """Make the message that leaves. One that cannot be serialised fails here, before the gate is asked."""
    ready = _Cleared()
    policy: Any = invitation.policy.clone(linesep="\r\n")  # as mail servers and raw calls of vendors expect
    vars(ready).update(vars(invitation), policy=policy)
    if ready.is_multipart():
        ready.set_payload(copy.deepcopy(ready.get_payload()))
    for inner in ready.walk():
        if isinstance(inner, Invitation):  # a parser gives the parts the class of the whole
            inner.__class__ = EmailMessage  # type: ignore[assignment]
    for name in ("Cc", "Bcc", "Message-ID"):  # del copies the list of headers, which the invitation keeps
        del ready[name]
    _set_recipient(ready, letter, policy)
    ready["Message-ID"] = letter.message_id
    for name in OWN_HEADERS:
        ready[name] = letter.headers[name]
    signed = [one for of in ready.walk() if of.get_content_type() == "multipart/signed" for one in of.walk()]
    for kind, content in (("plain", letter.text), ("html", letter.html)):
        part = _find_body(ready, kind)
        if content and part is not None and content != _decode_text(part):
            if part in signed:
                raise InvitationError(
                    "An invitation is signed, and does not carry its link.",
                    "With the footer in it, the signature would be wrong.",
                    "Sign it in the function that hands it off, or place optout.link() in each part of it yourself.",
                )
            _replace(part, kind, content)
    if "Content-Language" in letter.headers and "Content-Language" not in ready:
        ready["Content-Language"] = letter.headers["Content-Language"]
    finish(ready)
    with serialising():
        ready.as_bytes(policy=cast(EmailPolicy, ready.policy).clone(utf8=True))
    return ready


def _set_recipient(ready: EmailMessage, letter: Letter, policy: EmailPolicy) -> None:
    """Keep the To header as the host wrote it if it leads to the address that was checked, else replace it."""
    local, _, domain = letter.address.deliverable.rpartition("@")
    own = HeaderAddress(letter.address.name, unquote_local_part(local), domain)
    written, plain = ready["To"], policy.header_factory("To", str(own))
    to = prove_recipient((written or plain, plain), _find_recipient, letter.address)
    if to is not written:
        del ready["To"]
        ready["To"] = to


def _find_recipient(header: Any) -> str:
    """Return the address that smtplib finds in a header, or ``""`` if the header itself names another."""
    [(_, found)], [named] = getaddresses([header]), header.addresses
    return found if smtplib.quoteaddr(found) == smtplib.quoteaddr(named.addr_spec) else ""


def _replace(part: Message, kind: str, content: str) -> None:
    """Replace the text of a part, keeping its charset, encoding and other headers where possible."""
    charset, encoding = part.get_content_charset("utf-8"), str(part.get("Content-Transfer-Encoding", "")).lower()
    try:
        content.encode(charset)
    except UnicodeError:  # the footer may be in another script
        charset, encoding = "utf-8", ""
    if "\n".encode(charset) != b"\n":  # the standard library would break its lines at wrong places
        charset = "utf-8"
    if not isinstance(part, MIMEPart) or not isinstance(part.policy, EmailPolicy):  # such as MIMEText
        del part["Content-Transfer-Encoding"]
        part.set_payload(content, charset)
        return
    kept = [(name, value) for name, value in part.items() if re.match("content-(?!type|transfer)", name, re.I)]
    params = dict(part["Content-Type"].params) if "Content-Type" in part else {}
    params.pop("charset", None)
    kept_as = encoding if encoding in ("8bit", "quoted-printable", "base64") else None
    policy = part.policy
    part.policy = policy.clone(max_line_length=policy.max_line_length or 78)  # without a limit, it encodes no text
    part.set_content(content, kind, charset, kept_as, params=params)
    part.policy = policy
    for name, value in kept:
        part[name] = value


def _make_draft(message: EmailMessage) -> Draft | None:
    if not isinstance(message, Invitation):
        return None
    if not isinstance(message.policy, EmailPolicy):
        raise InvitationError(
            "An invitation has another policy than those of EmailMessage, such as email.policy.compat32.",
            "Its headers are mere text then, and nobody can tell whom they address.",
            "Make it with email.policy.default or email.policy.SMTP.",
        )
    for value in message.values():  # an encoded word may hold a line break
        unfold(str(value), may_be_folded=False)
    to, cc, bcc = (
        [who for each in message.get_all(name, []) for who in _list_people(each)] for name in ("To", "Cc", "Bcc")
    )
    return Draft(
        recipients=to,
        opportunity=message.opportunity,
        subject=str(message["Subject"] or ""),
        text=_read_content(message, "plain"),
        html=_read_content(message, "html"),
        sender=str(message["From"] or ""),
        reply_to=str(message["Reply-To"] or ""),
        headers={name: str(value) for name, value in message.items() if not STRUCTURE.fullmatch(name)},
        language=message.language,
        cc=cc,
        bcc=bcc,
        attachments=[part.get_filename("") for part in message.walk() if part.get_content_disposition() == ATTACHED],
    )


def _list_people(value: Any) -> list[Recipient]:
    defects = [defect for defect in value.defects if not isinstance(defect, NonASCIILocalPartDefect)]
    if defects or any(group.display_name for group in value.groups):
        raise AddressError(
            "The To, Cc or Bcc header of an invitation is not a plain list of addresses.",
            "What the standard library does not understand in it, it drops or guesses.",
            "Write addresses as 'jane@example.org' or 'Jane <jane@example.org>', with commas between them.",
        )
    return [(address.display_name, address.addr_spec) for address in value.addresses]


def _read_content(message: Message, kind: str) -> str | None:
    part = _find_body(message, kind)
    try:
        return _decode_text(part) if part is not None else None
    except (LookupError, UnicodeError):
        raise InvitationError(
            "An invitation has a body part that cannot be read as text.",
            "The link must be visible in the message itself.",
            "Set the body with set_content() in UTF-8, as it does by itself.",
        ) from None


def _find_body(part: Message, kind: str) -> Message | None:
    """Find a body as ``EmailMessage.get_body`` does, but also in older classes of parts, such as ``MIMEText``."""
    if part.get_content_disposition() == ATTACHED:
        return None
    if part.get_content_maintype() != "multipart":
        return part if part.get_content_type() == f"text/{kind}" else None
    parts: Any = part.get_payload() if part.is_multipart() else []
    if part.get_content_subtype() == "related":  # only its root is a body (RFC 2387 section 3.2)
        start = part.get_param("start")
        parts = ([each for each in parts if each["Content-ID"] == start] or parts)[:1]
    return next((body for each in parts if (body := _find_body(each, kind)) is not None), None)


def _decode_text(part: Message) -> str | None:
    content = part.get_payload(decode=True)
    return content.decode(part.get_content_charset("ascii")) if isinstance(content, bytes) else None
