"""The pages of the programme: for operators the invitations, for candidates what they are invited to."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from flask_optout.mailers.flask_mail import Invitation

from .extensions import mail, optout
from .opportunities import CANDIDATES, OPPORTUNITIES

pages = Blueprint("programme", __name__)
optout.opportunity_loader(OPPORTUNITIES.get)


@pages.app_context_processor
def navigation() -> dict[str, Any]:
    return {"candidates": CANDIDATES}


@pages.get("/")
def invitations() -> str:
    """List every opportunity with every candidate, and say nothing about anybody's choice."""
    return render_template("invitations.html", opportunities=OPPORTUNITIES.values())


@pages.post("/opportunities/<id>/invitations")
def invite(id: str) -> Response:
    """Invite one candidate."""
    opportunity = OPPORTUNITIES.get(id) or abort(404)
    name, address = CANDIDATES.get(request.form["candidate"]) or abort(404)
    about = {"name": name, "opportunity": opportunity, "link": optout.link(address, id)}
    invitation = Invitation(
        f"Will you test our {opportunity.title}?",
        recipients=[(name, address)],
        body=render_template("mail/invitation.txt", **about),
        html=render_template("mail/invitation.html", **about),
        opportunity=id,
    )
    try:
        mail.send(invitation)
    except OSError:  # also an SMTPException: whoever is refused, whether or not they are muted
        flash(f"The mail server did not take it: {opportunity.title}, {name}. The Email Log says why.")
    else:
        # "Accepted", not "sent": whether it left is for the candidate alone to know.
        flash(f"Invitation accepted: {opportunity.title}, {name}.")
    return redirect(url_for(".invitations"), 303)


@pages.get("/opportunities/<opportunity_id>")
@optout.landing_page
def opportunity(opportunity_id: str) -> str:
    """Tell about an opportunity; behind a candidate's personal link, the toggle in it knows who is there."""
    return render_template("opportunity.html", opportunity=OPPORTUNITIES.get(opportunity_id) or abort(404))


@pages.post("/opportunities/<id>/join")
def join(id: str) -> str:
    """Thank somebody who wants to take part; a real app asks for their name here."""
    return render_template("thanks.html", opportunity=OPPORTUNITIES.get(id) or abort(404))
