"""Hand off a letter that is no invitation, such as the ask page's, by whichever mail library the host has."""

from __future__ import annotations

from email.utils import formataddr

from flask import current_app

from ..addresses import Recipient
from ..errors import ConfigurationError
from ..invitations.compose import Letter


def deliver(letter: Letter) -> None:
    """Hand off a letter as it is, past the gate.

    :raises ConfigurationError: when the host has neither Flask-Mail nor Flask-Mailman.
    """
    if "mail" in current_app.extensions:
        _by_flask_mail(letter)
    elif "mailman" in current_app.extensions:
        _by_flask_mailman(letter)
    else:
        raise ConfigurationError(
            "This Flask app has neither Flask-Mail nor Flask-Mailman.",
            "The ask page and the Email Log send mails of their own, and know no other way.",
            "Set up one of them, as 'from flask_optout.mailers.flask_mail import Mail' and Mail(app).",
        )


def default_sender() -> Recipient:
    """Who sends the letters that no host's code has written.

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


def _by_flask_mail(letter: Letter) -> None:
    from .flask_mail import Cleared, Invitation

    carrier = Invitation(opportunity=letter.opportunity, sender=letter.sender, reply_to=letter.reply_to)
    current_app.extensions["mail"].send(Cleared(carrier, letter))


def _by_flask_mailman(letter: Letter) -> None:
    from .flask_mailman import Cleared
    from .mailman_library import EmailMultiAlternatives

    reply_to = [_text(letter.reply_to)] if letter.reply_to else None
    carrier = EmailMultiAlternatives(from_email=_text(letter.sender), reply_to=reply_to)
    if letter.html:
        carrier.attach_alternative(letter.html, "text/html")
    Cleared(carrier, letter).send()


def _text(who: Recipient) -> str:
    return who if isinstance(who, str) else formataddr(who)
