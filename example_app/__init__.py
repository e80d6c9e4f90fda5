"""Firsthand, a beta-test programme that invites candidates by mail, and obeys those who are not interested."""

from typing import Any

from flask import Flask, Response

from . import mailbox, tour
from .extensions import db, mail, optout
from .pages import pages


def create_app(mail_server: mailbox.MailServer, **config: Any) -> Flask:
    """Make the app; all its mail goes to ``mail_server``."""
    app = Flask(__name__)
    app.config.from_mapping(
        MAIL_DEFAULT_SENDER=("Firsthand", "hello@firsthand.example"),
        MAIL_SERVER=mail_server.host,
        MAIL_PORT=mail_server.port,
        SESSION_COOKIE_SAMESITE="Lax",
        OPTOUT_FIND_LINK=True,
        **config,
    )
    db.init_app(app)
    mail.init_app(app)
    optout.init_app(app)
    with app.app_context():
        db.create_all()
    # An app with real candidates lets nobody but operators invite.
    app.register_blueprint(pages)
    app.after_request(restrict)
    # What follows stands in for the candidates' own mail programs, and for the reader of a story: no real app has it.
    app.extensions["mail_server"] = mail_server
    app.register_blueprint(mailbox.pages)
    app.register_blueprint(tour.pages)
    return app


def restrict(response: Response) -> Response:
    """Let pages load nothing but our own files; a page with a policy of its own keeps it."""
    response.headers.setdefault("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
    return response
