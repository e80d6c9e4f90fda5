"""The mail that brings a candidate their link, and no invitation: it may go to anybody, whatever they chose."""

from __future__ import annotations

from ..addresses import Address, Recipient
from ..pages.languages import translate
from ..pages.rendering import render
from .compose import Letter


def link_letter(
    address: Address,
    opportunity: str,
    *links: tuple[str, str],
    sender: Recipient,
    reply_to: Recipient | None = None,
) -> Letter:
    """A letter with nothing in it but links.

    :param opportunity: that of the first link.
    :param links: each with the title of its opportunity, or an empty one, and the URL of this address's landing page.
    """
    return Letter(
        address=address,
        opportunity=opportunity,
        subject=translate("Your link"),
        text=render("mail/link.txt", links=links),
        html=render("mail/link.html", links=links),
        sender=sender,
        reply_to=reply_to,
        headers={"Auto-Submitted": "auto-generated"},
    )
