"""A beta-test programme that invites candidates by mail, and obeys those who are not interested."""

from typing import Any

from flask import Blueprint, Flask, Response, abort, flash, redirect, render_template, request, url_for
from flask_sqlalchemy import SQLAlchemy
from werkzeug.wrappers import Response as BaseResponse

from flask_optout import OptOut
from flask_optout.mailers.flask_mail import Invitation, Mail

from .mailbox import MailServer
from .mailbox import pages as mailbox_pages
from .programme import CANDIDATES, OPPORTUNITIES

db = SQLAlchemy()
mail = Mail()
# Everybody is an operator here; an app with real candidates asks who is logged in.
optout = OptOut(db, operator=lambda: True)
optout.opportunity_loader(OPPORTUNITIES.get)
operator_pages = Blueprint("operator", __name__)


def create_app(mail_server: MailServer, **config: Any) -> Flask:
    """Make the app; all its mail goes to ``mail_server``."""
    app = Flask(__name__)
    app.config.from_mapping(
        MAIL_DEFAULT_SENDER=("The beta-test programme", "beta@example.org"),
        MAIL_SERVER=mail_server.host,
        MAIL_PORT=mail_server.port,
        SESSION_COOKIE_SAMESITE="Lax",
        **config,
    )
    db.init_app(app)
    mail.init_app(app)
    optout.init_app(app)
    with app.app_context():
        db.create_all()
    app.extensions["mail_server"] = mail_server
    # An app with real candidates lets nobody but operators in here, and has no mailboxes.
    app.register_blueprint(operator_pages)
    app.register_blueprint(mailbox_pages)
    app.after_request(restrict)
    return app


@operator_pages.get("/")
def index() -> str:
    """List every opportunity with every candidate, and say nothing about anybody's choice."""
    return render_template("operator.html", opportunities=OPPORTUNITIES, candidates=CANDIDATES)


@operator_pages.post("/opportunities/<id>/invite")
def invite(id: str) -> BaseResponse:
    """Invite one candidate."""
    opportunity = OPPORTUNITIES.get(id) or abort(404)
    name, address = CANDIDATES.get(request.form["candidate"]) or abort(404)
    mail.send(
        Invitation(
            f"Will you test our {opportunity.title}?",
            recipients=[(name, address)],
            body=render_template("mail/invitation.txt", name=name, opportunity=opportunity),
            html=render_template("mail/invitation.html", name=name, opportunity=opportunity),
            opportunity=id,
        )
    )
    # "Accepted", not "sent": whether it left is for the candidate alone to know.
    flash(f"Invitation accepted: {opportunity.title}, {name}.")
    return redirect(url_for(".index"), 303)


def restrict(response: Response) -> Response:
    """Let pages load nothing but our own files; a page with a policy of its own keeps it."""
    response.headers.setdefault("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
    return response
