"""One invitation of the Email Log: read it, download it, send it again.

Sent again, it is the same words, row and work whatever the candidate chose. One who is not muted gets the invitation
once more, with a preface. A muted one gets their link and no invitation, so that this is no way around a mute.
"""

from __future__ import annotations

import logging
import re
from email import policy
from email.message import EmailMessage

from flask import Response, abort, current_app, g, make_response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from ...addresses import holds_control, parse
from ...invitations.compose import Draft, Letter
from ...links.log_records import log
from ...links.tokens import Door, tag_of
from ...mailers.own_mails import link_letter, serialised
from ...pages.words import of_app, optout_url, render, speaking
from ...wiring import current_state
from ..records import Email, filled, reason
from ..resends import APART, Refusal, refusal
from ..tables import LARGEST_ID
from .base import blueprint, kept_for, page

#: Headers that say how parts are encoded, which is done anew.
OF_THE_PARTS = ("mime-version", "content-type", "content-transfer-encoding")
#: A message may quote anybody, so in its frame no script runs, no form is sent and no link is followed. A picture
#: from elsewhere would tell a counter that the candidate had opened the mail.
PREVIEW_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"


@blueprint.get("/<int:id>")
def entry(id: int) -> str:
    """Show one invitation: its text, its html in a frame where nothing runs, or its headers."""
    return _show(_found(id), done=request.args.get("done", type=int))


def _show(email: Email, done: int | None = None, failure: str | None = None) -> str:
    """The page of an invitation.

    :param done: the number of the resend that has just been done, if one was.
    :param failure: why one could not be handed off.
    """
    parts = [part for part in ("text", "html", "headers") if getattr(email, part)]
    part, state = request.args.get("part", ""), current_state()
    resends = state.resends.of(email)
    accepted = [resend for resend in resends if resend.failure is None]
    return page(
        "entry.html",
        email=email,
        expires=email.time + kept_for(),
        parts=parts,
        part=part if part in parts else parts[0],
        resends=resends,
        done=any(resend.number == done for resend in accepted),
        failure=failure,
        refused=refusal(resends),
        again=accepted[-1].time + APART if accepted else None,
        ask_url=state.links.url(Door.ASK, parse(email.recipient), email.opportunity),
    )


def _found(id: int) -> Email:
    """The invitation of this id; 404 without one."""
    email = current_state().email_log.get(id) if id <= LARGEST_ID else None
    if email is None:
        abort(404)
    return email


@blueprint.get("/<int:id>/html")
def preview(id: int) -> Response:
    """The html part, for the frame."""
    response = make_response(_found(id).html or "")
    response.headers["Content-Security-Policy"] = PREVIEW_CSP
    return response


@blueprint.get("/<int:id>.eml")
def download(id: int) -> Response:
    """The invitation as a mail file, as it is kept."""
    email = _found(id)
    message = EmailMessage(policy.SMTP)
    for line in email.headers.split("\n"):
        name, _, value = line.partition(": ")
        if name not in message and name.lower() not in OF_THE_PARTS:
            value = " ".join(value.splitlines())  # at line separators that SMTP does not know
            message[name] = value.replace("=?", "= ?") if holds_control(value) else value
    if email.text is not None:
        message.set_content(email.text)
    if email.html is not None and email.text is not None:
        message.add_alternative(email.html, subtype="html")
    elif email.html is not None:
        message.set_content(email.html, subtype="html")
    response = Response(message.as_bytes(), mimetype="message/rfc822")
    response.headers["Content-Disposition"] = f'attachment; filename="invitation-{id}.eml"'
    return response


@blueprint.post("/<int:id>/send-again")
def send_again(id: int) -> BaseResponse | str | tuple[str, int]:
    """Send the invitation again, to the address that it went to."""
    email = _found(id)
    resends = current_state().resends
    again, neutral = _letters(email)
    begun = resends.begin(email, g.optout_operator)
    if isinstance(begun, Refusal):
        return _show(email), 409
    try:
        hand_off, hand_off_neutral = serialised(again), serialised(neutral)  # both, whichever leaves
        muted = current_state().choices.muted(parse(email.recipient), email.opportunity)
        (hand_off_neutral if muted else hand_off)()
    except Exception as error:
        resends.record_failure(email, begun, error)
        text = f"An invitation could not be sent again ({reason(error)})."
        log(current_app.logger, logging.ERROR, "resend_failed", text)
        return _show(email, failure=reason(error)), 502
    if "HX-Request" in request.headers:
        return _show(email, done=begun)
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
        about = state.opportunity(email.opportunity)
        return again, link_letter(address, email.opportunity, (about, url), sender=sender, reply_to=reply_to)


def _with_preface(html: str) -> str:
    body = re.search(r"<body\b[^>]*>", html, re.IGNORECASE)
    start = body.end() if body else 0
    return html[:start] + render("mail/preface.html") + html[start:]
