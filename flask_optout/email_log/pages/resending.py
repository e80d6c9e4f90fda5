"""Send it again: the same words, row and work whatever the candidate chose.

A candidate who is not muted gets the invitation once more, with a preface. A muted one gets their link and no
invitation, so that this is no way around a mute.
"""

from __future__ import annotations

import logging
import re

from flask import current_app, g, redirect, request
from werkzeug.wrappers import Response

from ...addresses import parse
from ...invitations.compose import Draft, Letter
from ...links.log_records import log
from ...links.tokens import Door, tag_of
from ...mailers.delivery import deliver, link_letter
from ...pages.languages import of_app, render, speaking
from ...pages.routing import optout_url
from ...wiring import current_state
from ..records import Email, reason
from ..resends import Refusal
from ..slots import filled
from .base import blueprint, found
from .entries import show_entry


@blueprint.post("/<int:id>/send-again")
def send_again(id: int) -> Response | str | tuple[str, int]:
    """Send the invitation again, to the address that it went to."""
    email = found(id)
    resends = current_state().resends
    again, neutral = _letters(email)
    begun = resends.begin(email, g.optout_operator)
    if isinstance(begun, Refusal):
        return show_entry(email), 409
    try:
        invitable = not current_state().choices.muted(parse(email.recipient), email.opportunity)
        deliver(again if invitable else neutral)
    except Exception as error:
        resends.record_failure(email, begun, error)
        text = f"An invitation could not be sent again ({reason(error)})."
        log(current_app.logger, logging.ERROR, "resend_failed", text)
        return show_entry(email, failure=reason(error)), 502
    if "HX-Request" in request.headers:
        return show_entry(email, done=begun)
    return redirect(f"{optout_url('optout_operator.entry', id=id, done=begun)}#sent-again", 303)


def _letters(email: Email) -> tuple[Letter, Letter]:
    """The invitation once more, with a fresh link in every slot and a preface, and the letter without it.

    Both speak the candidate's language, and not the operator's, whose request this is.
    """
    state = current_state()
    address, language = parse(email.recipient), tag_of(email.header("Content-Language"))
    url = state.links.url(Door.LANDING, address, email.opportunity, language)
    sender, reply_to = email.header("From") or "", email.header("Reply-To")
    with speaking([language, of_app()]):
        draft = Draft(
            recipients=[email.recipient],
            opportunity=email.opportunity,
            subject=email.subject,
            text=email.text_pieces and f"{render('mail/preface.txt')}\n\n{filled(email.text_pieces, url)}",
            html=email.html_pieces and _with_preface(filled(email.html_pieces, url)),
            sender=sender,
            reply_to=reply_to,
            language=language,
        )
        again = state.composer.letter(draft)
        title = state.opportunity(email.opportunity).title
        return again, link_letter(address, email.opportunity, (title, url), sender=sender, reply_to=reply_to)


def _with_preface(html: str) -> str:
    body = re.search(r"<body\b[^>]*>", html, re.IGNORECASE)
    start = body.end() if body else 0
    return html[:start] + render("mail/preface.html") + html[start:]
