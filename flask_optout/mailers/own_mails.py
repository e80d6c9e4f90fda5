"""Our own mails, which bring candidates their links; they leave through the host's mail library."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from email.utils import formataddr
from functools import partial
from typing import NamedTuple

from flask import current_app

from ..addresses import Address, Recipient
from ..errors import ConfigurationError
from ..invitations.compose import Letter
from ..links.tokens import Door
from ..pages.words import Opportunity, get_sender, render
from ..wiring import current_state


class Ready(NamedTuple):
    """A letter as a message of the host's mail library; ``rehearse`` sends the server all but its text."""

    hand_off: Callable[[], object]
    rehearse: Callable[[], object]


def deliver(letter: Letter) -> None:
    """Hand off a letter without asking the gate.

    :raises ConfigurationError: when the host has neither Flask-Mail nor Flask-Mailman.
    """
    serialise(letter).hand_off()


def serialise(letter: Letter) -> Ready:
    """Turn a letter into a message of the host's mail library.

    :raises ConfigurationError: when the host has neither Flask-Mail nor Flask-Mailman.
    """
    if "mail" in current_app.extensions:
        from . import flask_mail

        carrier = flask_mail.Invitation(opportunity=letter.opportunity)
        cleared = flask_mail.Cleared.like(carrier, letter)
        return Ready(partial(current_app.extensions["mail"].send, cleared), partial(flask_mail.rehearse, cleared))
    if "mailman" in current_app.extensions:
        from . import flask_mailman

        people = [
            formataddr(who) if isinstance(who, tuple) else who for who in (letter.sender, letter.reply_to) if who
        ]
        written = flask_mailman.Invitation(from_email=people[0], reply_to=people[1:], opportunity=letter.opportunity)
        if letter.html:
            written.attach_alternative(letter.html, "text/html")
        ready = flask_mailman.Cleared.like(written, letter)
        return Ready(ready.send, partial(flask_mailman.rehearse, ready))
    raise ConfigurationError(
        "This Flask app has neither Flask-Mail nor Flask-Mailman.",
        "The ask page and the Email Log send mails of their own, and know no other way.",
        "Set up one of them, as 'from flask_optout.mailers.flask_mail import Mail' and Mail(app).",
    )


def compose_link_letter(
    address: Address,
    opportunity: str,
    *links: tuple[Opportunity, str],
    sender: Recipient,
    reply_to: Recipient | None = None,
    about: str = "link",
) -> Letter:
    """Compose a letter of links only. It is no invitation, so it may go to anybody, whatever they chose.

    :param opportunity: the id of the first link's opportunity.
    :param links: pairs of an opportunity and the URL of this address's landing page.
    :param about: the template of its words, ``mail/_link_words.txt`` or ``mail/_notice_words.txt``.
    """
    context = {"links": links, "name": get_sender(sender).name, "about": about}
    return Letter(
        address=address,
        opportunity=opportunity,
        subject=render("mail/link_subject.txt", **context).strip(),
        text=render("mail/link.txt", **context),
        html=render("mail/link.html", **context),
        sender=sender,
        reply_to=reply_to,
        headers={"Auto-Submitted": "auto-generated"},
    )


def make_links(address: Address, opportunities: Iterable[str]) -> list[tuple[Opportunity, str]]:
    """Make a person's links for :func:`compose_link_letter`."""
    state = current_state()
    return [(state.load_opportunity(id), state.links.url(Door.LANDING, address, id)) for id in opportunities]


def get_default_sender() -> Recipient:
    """Return the sender of mails that the host's code did not write.

    :raises ConfigurationError: when MAIL_DEFAULT_SENDER is not set.
    """
    sender: Recipient | None = current_app.config.get("MAIL_DEFAULT_SENDER")
    if sender is None:
        raise ConfigurationError(
            "MAIL_DEFAULT_SENDER is not set.",
            "A mail with a candidate's link needs a sender.",
            "Set it to an address that candidates know.",
        )
    return sender
