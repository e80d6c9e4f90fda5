"""What makes a message an invitation: its link, its footer, its headers, its one recipient."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..addresses import Address, Recipient, parse
from ..errors import AddressError, ConfigurationError, InvitationError
from ..links.tokens import Door, checked_opportunity
from ..links.urls import Links
from ..pages.languages import tag_of

#: The headers that an invitation gets, and that nobody else may set on it (RFC 8058, 2369, 2919, 3834).
OWN_HEADERS = ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Auto-Submitted")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
#: Leaves a token of the longest opportunity's id below the 998 octets of a line (RFC 5322 section 2.1.1).
LONGEST_BASE_URL = 400
#: Where the html footer goes; a comment may hold a tag that is none.
END = re.compile(r"<!--.*?-->|</(body|html)\b", re.IGNORECASE | re.DOTALL)
LINE_ENDS = re.compile(r"(?:\r?\n)*\Z")
HEADER_NAME = re.compile(r"[!-9;-~]+")
#: Headers that name recipients beside the one: mail libraries address what stands in them, or show it to everybody.
ADDRESSING = re.compile(r"to|cc|bcc|resent-.*", re.IGNORECASE)


@dataclass(frozen=True)
class Draft:
    """An invitation as a host wrote it, in no mail library's terms."""

    recipients: Sequence[Recipient]
    opportunity: str
    subject: str
    text: str | None
    html: str | None
    sender: Recipient | None
    reply_to: Recipient | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether the mail library can deliver to a non-ASCII local part (RFC 6531).
    smtputf8: bool = True
    #: The recipient's, as a tag such as ``"de"`` or ``"pt-BR"``; without it, the footer speaks the one at hand.
    language: str | None = None


@dataclass(frozen=True)
class Letter:
    """An invitation as it leaves: for one person, with that person's links, which ``personal`` names."""

    address: Address
    opportunity: str
    subject: str
    text: str | None
    html: str | None
    sender: Recipient
    reply_to: Recipient | None
    headers: Mapping[str, str]
    personal: tuple[str, ...] = ()


def base_url(setting: str) -> str:
    """Check OPTOUT_BASE_URL and drop its trailing slash.

    :raises ConfigurationError: when links that start with it could not work in a mail.
    """
    try:
        parts = urlsplit(setting)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    fits = (
        host
        and parts.scheme in ("http", "https")
        and len(setting) <= LONGEST_BASE_URL
        and re.fullmatch(r"[!-~]+", setting)
        and not re.search(r"[\"'<>\\^`{|}]", setting)
        and not (parts.username or parts.password or parts.query or parts.fragment or setting.endswith("#"))
    )
    if not fits:
        raise ConfigurationError(
            "OPTOUT_BASE_URL is not an absolute URL of scheme, host and, if need be, port and path.",
            "Every link in an invitation starts with it.",
            "Set it to where candidates reach this app, such as 'https://jobs.example.org'.",
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ConfigurationError(
            "OPTOUT_BASE_URL is plain http on a host that is not this machine.",
            "Mail programs show their own opt-out button only for https (RFC 8058), and a link is a credential.",
            "Serve the app over https and set OPTOUT_BASE_URL to its https URL.",
        )
    return setting.rstrip("/")


class Composer:
    """Turns a draft into letters.

    :param footer: renders the footer, as ``"txt"`` or ``"html"``, with a link in it, and in the language of this tag.
    :param split: whether a draft to several people becomes a letter for each, instead of being refused.
    """

    def __init__(self, links: Links, footer: Callable[[str, str, str], str], split: bool = False) -> None:
        self._links = links
        self._footer = footer
        self._split = split

    def letters(self, draft: Draft) -> list[Letter]:
        """A letter for each recipient; they are the same whether or not those people are muted.

        :raises AddressError: when a recipient is malformed, or the mail library cannot deliver to it.
        :raises InvitationError: when it has no recipient or more than it may, no sender, no text to carry the link,
            or a header that breaks the message or stands in for one of ours.
        """
        opportunity = checked_opportunity(draft.opportunity)
        language = _checked_language(draft.language)
        addresses = self._addresses(draft)
        sender = _checked_sender(draft)
        if not (draft.text or draft.html):
            raise InvitationError(
                "An invitation has neither a text nor an html part.",
                "The link must be visible in the message itself.",
                "Give it a body, an html part, or both.",
            )
        subject, headers = unfolded(draft.subject), _host_headers(draft.headers)
        if language and not any(name.lower() == "content-language" for name in headers):
            headers["Content-Language"] = language
        return [
            self._letter(draft, address, opportunity, subject, sender, headers, language) for address in addresses
        ]

    def _letter(
        self,
        draft: Draft,
        address: Address,
        opportunity: str,
        subject: str,
        sender: Recipient,
        headers: Mapping[str, str],
        language: str,
    ) -> Letter:
        doors = (Door.LANDING, Door.ONE_CLICK)
        url, one_click = (self._links.url(door, address, opportunity, language) for door in doors)
        return Letter(
            address=address,
            opportunity=opportunity,
            subject=subject,
            text=self._text(draft.text, url, language) if draft.text else draft.text,
            html=self._html(draft.html, url, language) if draft.html else draft.html,
            sender=sender,
            reply_to=draft.reply_to,
            headers={**headers, **self._headers(one_click, opportunity)},
            personal=(url, one_click),
        )

    def _addresses(self, draft: Draft) -> list[Address]:
        none = not draft.recipients or isinstance(draft.recipients, str)
        if none or (len(draft.recipients) > 1 and not self._split):
            raise InvitationError(
                "An invitation does not have exactly one recipient in a list.",
                "Its link is personal: whoever else got the message could answer for its recipient.",
                "Send one invitation for each candidate: recipients=[address], no cc, no bcc; or set "
                "OPTOUT_SPLIT = True, and each recipient gets a message of their own.",
            )
        addresses = [parse(recipient) for recipient in draft.recipients]
        if not (draft.smtputf8 or all(address.is_ascii for address in addresses)):
            raise AddressError(
                "A recipient has a character outside ASCII before the @.",
                "This mail library cannot deliver to it (RFC 6531), so the invitation would fail on its way.",
                "Ask this candidate for another address, or send through a library that speaks SMTPUTF8.",
            )
        people: dict[str, Address] = {}  # one who is named twice gets one message
        for address in addresses:
            people.setdefault(address.canonical, address)
        return list(people.values())

    def _text(self, text: str, url: str, language: str) -> str:
        text, linked = self._links.with_own_link(text, url)
        ends = LINE_ENDS.search(text)
        gap = "\n" * (2 - (ends[0].count("\n") if ends else 0))
        return text if linked else f"{text}{gap}{self._footer('txt', url, language)}"

    def _html(self, html: str, url: str, language: str) -> str:
        html, linked = self._links.with_own_link(html, url)
        if linked:
            return html
        ends = {(tag[1] or "").lower(): tag.start() for tag in END.finditer(html)}
        end = ends.get("body", ends.get("html", len(html)))
        return html[:end] + self._footer("html", url, language) + html[end:]

    def _headers(self, one_click: str, opportunity: str) -> dict[str, str]:
        return {
            "List-Unsubscribe": f"<{one_click}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-Id": f"<{_list_label(opportunity)}.optout.{self._links.host}>",
            "Auto-Submitted": "auto-generated",
        }


def unfolded(value: object) -> str:
    """A header value on one line; folded ones are legal (RFC 5322 section 2.2.3), other line breaks are not.

    :raises InvitationError: when it is not a string, or when a line break would start a new header.
    """
    if isinstance(value, str):
        value = re.sub(r"\r?\n(?=[ \t]+\S)", "", value)
        if not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            return value
    raise _broken_line()


def _broken_line() -> InvitationError:
    return InvitationError(
        "A header of an invitation is not a string on one line.",
        "What follows a line break would become a header of its own.",
        "Remove line breaks and control characters from the subject, the names and the headers.",
    )


def _checked_language(language: str | None) -> str:
    tag = tag_of(language)
    if language and not tag:
        raise InvitationError(
            "The language of an invitation is not a language tag.",
            "It decides which language the footer and the candidate's page speak.",
            "Give a tag such as 'de', 'pt-BR' or 'zh-Hant'.",
        )
    return tag


def _checked_sender(draft: Draft) -> Recipient:
    if not draft.sender:
        raise InvitationError(
            "An invitation has no sender.",
            "No mail server takes a message from nobody.",
            "Give it a sender, or set MAIL_DEFAULT_SENDER.",
        )
    for who in (draft.sender, draft.reply_to):
        for part in (who,) if isinstance(who, str) else who or ():
            # A folded name is legal, but the mail library takes it for an injected header.
            if unfolded(part) != part:
                raise _broken_line()
    return draft.sender


def _host_headers(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {}
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
        kept[name] = unfolded(value)
    # A message that leaves has an id of its own, or a loop over one draft would send a thousand with the same.
    return {name: value for name, value in kept.items() if name.lower() != "message-id"}


def _list_label(opportunity: str) -> str:
    """A label for List-Id (RFC 2919): the id itself where it can stand there, else a readable stem and a hash."""
    if re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?", opportunity):
        return opportunity
    stem = re.sub(r"[^a-z0-9]+", "-", opportunity.lower())[:32].strip("-")
    return "-".join(filter(None, (stem, hashlib.blake2b(opportunity.encode(), digest_size=5).hexdigest())))
