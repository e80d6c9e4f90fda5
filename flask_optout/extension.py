"""The class that a host registers: configuration and wiring, and one-line methods."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from . import operators
from .addresses import Recipient, parse
from .ask import blueprint
from .cli import optout_cli
from .errors import ConfigurationError
from .log_settings import LOG_DEFAULTS
from .operators import Guard, as_check
from .redaction import LinkFilter
from .state import State, current_state
from .tables import Tables
from .tokens import Door

#: The access logs of servers that log through Python; Flask's own log names the URL where a view failed.
ACCESS_LOGS = ("werkzeug", "gunicorn.access")
LINK_FILTER = LinkFilter()
Loader = Callable[[str], Any]
DEFAULTS = {"OPTOUT_BASE_URL": None, "OPTOUT_KEYS": None, "OPTOUT_URL_PREFIX": "/optout", **LOG_DEFAULTS}


class OptOut:
    """Puts a "Not Interested?" link into every invitation of a Flask app, and obeys it.

    :param db: the host's Flask-SQLAlchemy object; the tables join its metadata at once.
    :param app: the app to initialise; otherwise call :meth:`init_app`, for as many apps as share ``db``.
    :param operator: who may read the Email Log; without it, it has no pages. Either a function without arguments,
        called for each request, whose answer is true for an operator (a string names them in the audit), or a
        decorator for views, such as ``login_required``, that lets operators through.
    :raises ConfigurationError: as :meth:`init_app`, or when the guard cannot be called.
    """

    def __init__(self, db: SQLAlchemy, app: Flask | None = None, *, operator: Guard | None = None) -> None:
        self._db = db
        self._operator = None if operator is None else as_check(operator)
        self._tables = Tables.on(db.metadata)
        self._loader: Loader | None = None
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Give the app the candidate's pages and the ``flask optout`` commands.

        :raises ConfigurationError: when it has an OptOut already, or a setting that cannot work.
        """
        if "optout" in app.extensions or blueprint.name in app.blueprints:
            raise ConfigurationError(
                "This Flask app already has an OptOut, or a blueprint named 'optout'.",
                "Two of them would answer for each other's links.",
                "Call init_app once for each app, and give your own blueprint another name.",
            )
        for name, default in DEFAULTS.items():
            app.config.setdefault(name, default)
        state = State(app, self._engine, self._tables, self._load, self._operator)
        state.check_settings()
        app.extensions["optout"] = state
        prefix = app.config["OPTOUT_URL_PREFIX"]
        app.register_blueprint(blueprint, url_prefix=prefix)
        if self._operator is not None:
            app.register_blueprint(operators.blueprint, url_prefix=f"{prefix}/operator")
        app.cli.add_command(optout_cli)
        for name in (*ACCESS_LOGS, app.name):
            logging.getLogger(name).addFilter(LINK_FILTER)

    def opportunity_loader(self, loader: Loader) -> Loader:
        """Register the function that tells a page about an opportunity, given its id.

        It returns an :class:`Opportunity`, or any mapping or object with a ``title`` and, if it likes, a
        ``summary`` and a ``link``; ``None`` for one that is gone.
        """
        self._loader = loader
        return loader

    def link(self, address: Recipient, opportunity: str) -> str:
        """The URL of the page where this person answers for this opportunity; nothing is stored.

        :param opportunity: its id, 1 to 128 bytes; ``"*"`` for all invitations.
        :raises AddressError: when the address is malformed.
        :raises OpportunityError: when the id cannot stand in a link.
        :raises ConfigurationError: when the base URL or the key is missing.
        """
        return current_state().links.url(Door.LANDING, parse(address), opportunity)

    def may_invite(self, address: Recipient, opportunity: str) -> bool:
        """Whether this person may be invited to this opportunity just now.

        For the app's own use: shown to an operator, it would tell who opted out.

        :raises OptOutError: when the address is malformed, or when nobody can tell.
        """
        return current_state().gate.may_invite(address, opportunity)

    def invitable(self, addresses: Iterable[Recipient], opportunity: str) -> Iterator[Recipient]:
        """Those who may be invited, in their order, lazily and in bounded memory.

        :raises OptOutError: at the first malformed address, or when nobody can tell.
        """
        return current_state().choices.invitable(addresses, opportunity)

    def _engine(self) -> sa.Engine:
        return self._db.engine

    def _load(self, id: str) -> Any:
        return None if self._loader is None else self._loader(id)
