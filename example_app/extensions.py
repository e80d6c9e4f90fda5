"""The extensions of the app; ``create_app`` gives each of them the app."""

from flask_sqlalchemy import SQLAlchemy

from flask_optout import OptOut
from flask_optout.mailers.flask_mail import Mail

db = SQLAlchemy()
mail = Mail()
# Everybody is this operator here; an app with real candidates asks who is logged in.
optout = OptOut(db, operator=lambda: "Olga")
