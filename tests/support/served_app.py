"""A host for real servers: configured by its environment, it invites on POST /invite/<address>."""

from __future__ import annotations

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_optout import OptOut
from flask_optout.mailers.flask_mail import Invitation, Mail

app = Flask(__name__)
app.config.from_prefixed_env("HOST")
db = SQLAlchemy(app)
mail = Mail(app)
optout = OptOut(db, app)


@app.post("/invite/<address>")
def invite(address: str) -> str:
    mail.send(Invitation("Join us", [address], "Come and try it.", opportunity="beta-42"))
    return "accepted"
