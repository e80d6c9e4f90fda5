"""What makes a message an invitation: its link, its footer, its headers, its one recipient."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit

from ..addresses import Address, Recipient, parse, unfold
from ..errors import AddressError, InvitationError, NotGated, OpportunityError
from ..links.tokens import ALL, ALPHABET, TAG, Door, Links, check_opportunity, join_path, normalize_tag, split_path

#: The end tags before which the html footer goes; those in comments and scripts are skipped (HTML, section 13.2.5).
END = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?][^>]*|<(script|style|textarea|title)\b.*?(?:</\1\b|\Z)|</(body|html)(?=[\s/>])",
    re.IGNORECASE | re.DOTALL,
)
#: The slot where a host wants the footer; a template writes it as ``{{ optout_footer }}``.
FOOTER = "<!-- optout_footer -->"
SLOT = re.compile(r"<!--\s*optout_footer\s*-->")
#: The headers that we set on an invitation, and the host may not (RFC 8058, 2369, 2919, 3834).
OWN_HEADERS = ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Auto-Submitted")
#: Those, and headers that name recipients: mail libraries send to these addresses, or show them to everybody.
RESERVED = re.compile("|".join([*OWN_HEADERS, "to|cc|bcc|resent-.*"]), re.IGNORECASE)


class InvitationMixin:
    """A mixin that makes a library's message an invitation to ``opportunity``, in the recipient's ``language``."""

    def __init__(self, *args: Any, opportunity: str = "", language: str | None = None, **kwargs: Any) -> None:
        if not opportunity:
            raise OpportunityError(
                "An Invitation does not say what it invites to.",
                "Its opportunity decides which choices apply to it: without one, nobody could opt out of it.",
                "Name it by a short stable id, as in Invitation(..., opportunity='camera').",
            )
        super().__init__(*args, **kwargs)
        self.opportunity = opportunity
        self.language = language


def not_gated(mend: str) -> NotGated:
    """Return the error for an invitation that is serialised by a mailer without the gate."""
    return NotGated(
        "An Invitation was handed to a mailer that does not know the gate.",
        "It would reach people who opted out, and carry no link.",
        mend,
    )


@dataclass(frozen=True)
class Draft:
    """An invitation as the host wrote it, independent of the mail library; its strings may be lazy."""

    recipients: Iterable[Recipient]
    opportunity: str
    subject: str
    text: str | None
    html: str | None
    sender: Recipient | None
    reply_to: Recipient | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether the mail library can deliver to a non-ASCII local part (RFC 6531).
    smtputf8: bool = True
    #: The recipient's language, as a tag such as ``"pt-BR"``; without it, the footer is in the current one.
    language: str | None = None
    cc: Sequence[Recipient] = ()
    bcc: Sequence[Recipient] = ()
    #: The file names of the attachments, for the Email Log.
    attachments: Sequence[str] = ()


@dataclass(frozen=True)
class Letter:
    """An invitation as it leaves, for one person."""

    address: Address
    opportunity: str
    subject: str
    text: str | None
    html: str | None
    sender: Recipient
    reply_to: Recipient | None
    headers: Mapping[str, str]
    #: As the host wrote it; ``None`` in our own mails.
    recipient: Recipient | None = None
    #: URLs: the landing page, one click and, if the letter may hold one, that for all; empty in our own mails.
    links: tuple[str, ...] = ()
    #: A new one; empty if the mail library is to make it.
    message_id: str = ""
    attachments: Sequence[str] = ()


@dataclass(frozen=True)
class Composer:
    """Turns a draft into a letter.

    ``footer`` renders a footer, given ``"txt"`` or ``"html"``, a link, an opportunity and a language. ``mailto``
    returns the address that takes a person's opt-out by mail; it is ``None`` if the host takes none.
    """

    links: Links
    footer: Callable[[str, str, str, str], str]
    mailto: Callable[[Address, str], str] | None

    def compose(self, draft: Draft) -> Letter:
        """Return the letter that leaves; it is the same whether or not its recipient is muted.

        :raises OptOutError: when the draft cannot be an invitation, or would not reach exactly one person.
        """
        recipient, address = _check_recipient(draft)
        draft = _check_draft(draft)
        about, language, sender = draft.opportunity, draft.language or "", draft.sender or ""
        links = [self.links.url(door, address, about, language) for door in (Door.LANDING, Door.ONE_CLICK)]
        by_mail = "" if self.mailto is None else f", <mailto:{self.mailto(address, about)}>"
        own = (
            f"<{links[1]}>{by_mail}",  # the preferred way first (RFC 2369 section 2)
            "List-Unsubscribe=One-Click",
            f"<{_make_list_label(about)}.optout.{urlsplit(links[0]).hostname}>",
            "auto-generated",
        )
        texts = draft.text, draft.html, draft.subject, *draft.headers.values()
        quoted = quote(self.links.prefix(Door.LANDING), safe="").lower()  # as in a click counter's URL
        if any(self.find_personal_links(text) or quoted in str(text).lower() for text in texts):  # maybe one for all
            links.append(self.links.url(Door.LANDING, address, ALL))
        return Letter(
            address=address,
            opportunity=about,
            subject=draft.subject,
            text=self._compose_body(draft.text, "txt", links, draft),
            html=self._compose_body(draft.html, "html", links, draft),
            sender=sender,
            reply_to=draft.reply_to,
            headers={**draft.headers, **dict(zip(OWN_HEADERS, own, strict=True))},
            recipient=recipient,
            links=tuple(links),
            message_id=_make_message_id(sender),
            attachments=draft.attachments,
        )

    def _compose_body(self, body: str | None, kind: str, links: Sequence[str], draft: Draft) -> str | None:
        """Put the footer into the slot of a body, or at the end if it has neither slot nor link.

        Links become this person's, as the body may be copied from another's invitation; a link that names a language
        keeps it, unless ours names another.
        """
        if not body:
            return body
        prefix = self.links.prefix(Door.LANDING)
        language, token = split_path(links[0].removeprefix(prefix))
        found = self.find_personal_links(body) if links[2:] else []
        found = [link for link in found if not links[2].endswith(link[2].lower())]
        for link in reversed(found):
            body = body[: link.start()] + prefix + join_path(language or link[1] or "", token) + body[link.end() :]
        before, *after = SLOT.split(body)
        if found and not after:
            return body
        footer = self.footer(kind, links[0], draft.opportunity, draft.language or "")
        if after:
            return f"{before}\n{footer}\n{''.join(after)}"
        if kind == "html":
            return _insert_footer(footer, body)
        line_ends = body[len(body.rstrip("\r\n")) :].count("\n")
        return body + "\n" * (2 - line_ends) + footer

    def find_personal_links(self, text: object) -> list[re.Match[str]]:
        """Return the candidates' links in a text, as matches of language and token."""
        prefix = self.links.prefix(Door.LANDING)
        if not (isinstance(text, str) and prefix.lower() in text.lower()):  # a fast check first
            return []
        ways = rf"(?!{Door.ASK}/)(?:{Door.ONE_CLICK}/)?(?:({TAG})/)?({ALPHABET.pattern})"
        return [*re.finditer(re.escape(prefix) + ways, text, re.IGNORECASE)]


def _insert_footer(footer: str, html: str) -> str:
    """Return the html with the footer at the end of its body."""
    end = max(map(html.rfind, ("</body>", "</BODY>")))
    if "".join(html[end:].split()).lower() not in ("</body>", "</body></html>"):  # the end of nearly every html
        ends = {(tag[2] or "").lower(): tag.start() for tag in END.finditer(html)}
        end = ends.get("body", ends.get("html", len(html)))
    before, after = html[:end], html[end:]
    # On lines of its own, or a line might exceed the 998 octets of RFC 5322 section 2.1.1.
    return before + "\n" * (not before.endswith("\n")) + footer + "\n" * bool(after) + after


def _check_recipient(draft: Draft) -> tuple[Recipient, Address]:
    """Return the only recipient as the host wrote it, and parsed."""
    for name in ("recipients", "cc", "bcc"):
        if isinstance(people := getattr(draft, name), str):
            raise _misaddressed(f"The {name} of an invitation is a string, and not a list of addresses.")
        if people and name != "recipients":
            raise _misaddressed(f"An invitation has a {name}.")
    if len(recipients := [*(draft.recipients or ())]) != 1:
        raise _misaddressed(f"An invitation has {len(recipients)} recipients.")
    address = parse(recipient := _to_text(recipients[0]))
    if not (draft.smtputf8 or address.deliverable.isascii()):
        raise AddressError(
            "A recipient has a character outside ASCII before the @, which takes SMTPUTF8 (RFC 6531).",
            "This mail library does not speak it, so the invitation would fail on its way.",
            "Ask this candidate for another address, or send through a library that speaks SMTPUTF8.",
        )
    return recipient, address


def _misaddressed(what: str) -> InvitationError:
    return InvitationError(
        what,
        "Its link is personal: whoever else got the message could answer for its recipient.",
        "Make one Invitation for each candidate, with that address alone, without cc and bcc, and send each of them.",
    )


def _to_text(value: Any) -> Any:
    """Return a lazy string, or the lazy strings in a pair, as plain strings; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(map(_to_text, value))
    if isinstance(value, str):
        return str.__str__(value)  # str() of an Enum member differs, and Markup escapes what is added
    return str(value) if hasattr(value, "casefold") else value


def _check_draft(draft: Draft) -> Draft:
    """Check a draft; return it with plain strings, and with the headers that its letter gets beside ours."""
    texts = {name: _to_text(getattr(draft, name)) for name in ("subject", "text", "html", "sender", "reply_to")}
    draft = replace(draft, **texts)
    if {type(each) for each in (draft.text, draft.html) if each} != {str}:
        raise InvitationError(
            "An invitation has neither a text nor an html part, or one that is not a string.",
            "The link must be visible in the message itself.",
            "Give it a body, an html part, or both; bytes have a decode() method.",
        )
    if not draft.sender:
        raise InvitationError(
            "An invitation has no sender.",
            "No mail server takes a message from nobody.",
            "Give it a sender, or set MAIL_DEFAULT_SENDER.",
        )
    unfold(draft.subject)
    for who in (draft.sender, draft.reply_to):
        for part in (who,) if isinstance(who, str) else who or ():
            unfold(part, may_be_folded=False)  # mail libraries take a folded name for header injection
    if draft.opportunity == ALL:
        raise OpportunityError(
            "An invitation says that it invites to '*'.",
            "An invitation is to one opportunity, and '*' stands for all: opting out of it would opt out of all.",
            "Name the opportunity by a short stable id, such as 'camera'.",
        )
    opportunity, language = _to_text(check_opportunity(draft.opportunity)), normalize_tag(draft.language)
    if draft.language and not language:
        raise InvitationError(
            "The language of an invitation is not a language tag.",
            "It decides which language the footer and the candidate's page speak.",
            "Give a tag such as 'de', 'pt-BR' or 'zh-Hant'.",
        )
    headers = _check_headers({name: _to_text(value) for name, value in draft.headers.items()})
    if language and not any(name.lower() == "content-language" for name in headers):
        headers["Content-Language"] = language
    return replace(draft, opportunity=opportunity, language=language, headers=headers)


def _make_message_id(sender: Recipient) -> str:
    """Make a random Message-ID at the sender's domain; :func:`email.utils.make_msgid` would reveal the time."""
    domain = "localhost"
    with suppress(AddressError):
        domain = parse(sender).domain
    return f"<{secrets.token_hex(16)}@{domain}>"


def _make_list_label(opportunity: str) -> str:
    """Make a label for List-Id (RFC 2919): the id itself if it is valid there, else a readable stem and a hash."""
    if re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?", opportunity):
        return opportunity
    stem = re.sub(r"[^a-z0-9]+", "-", opportunity.lower())[:32].strip("-")
    return f"{stem}-{hashlib.blake2b(opportunity.encode(), digest_size=5).hexdigest()}".lstrip("-")


def _check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Check the host's own headers; drop its Message-ID, which a loop over one draft would send again."""
    for name, value in headers.items():
        if not isinstance(name, str) or not re.fullmatch(r"[!-9;-~]+", name):
            raise InvitationError(
                "A header of an invitation has a name that is not one.",
                "It would break the message (RFC 5322 section 2.2).",
                "Use printable ASCII without spaces and colons for header names.",
            )
        if RESERVED.fullmatch(name):
            raise InvitationError(
                f"An invitation has a {name} header of its own.",
                "It would hide the link that Flask-OptOut puts there, as a header may stand only once (RFC 2369), or "
                "show another address than the recipient's.",
                "Leave To, Cc, Bcc, Resent-, List-Unsubscribe, List-Unsubscribe-Post, List-Id and Auto-Submitted out "
                "of the extra headers.",
            )
        unfold(value)
    return {name: value for name, value in headers.items() if name.lower() != "message-id"}
