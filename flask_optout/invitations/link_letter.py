"""The mail that brings a candidate their link, and no invitation: it may go to anybody, whatever they chose."""

from __future__ import annotations

from ..addresses import Address, Recipient
from ..pages.languages import render, translate
from .compose import Letter


def link_letter(
    address: Address, opportunity: str, url: str, *, sender: Recipient, reply_to: Recipient | None = None
) -> Letter:
    """A letter with nothing in it but the link.

    :param url: the link to the landing page of this address and opportunity.
    """
    return Letter(
        address=address,
        opportunity=opportunity,
        subject=translate("Your link"),
        text=render("mail/link.txt", url=url),
        html=render("mail/link.html", url=url),
        sender=sender,
        reply_to=reply_to,
        headers={"Auto-Submitted": "auto-generated"},
    )
