"""The class that a host registers; its methods delegate to the parts of the current app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from email.message import EmailMessage
from typing import Any

import sqlalchemy as sa
from flask import Flask
from markupsafe import Markup

from . import config
from .addresses import Recipient, parse
from .choices.bulk import invitable
from .choices.tables import keep_mutes
from .cli.commands import optout_cli
from .email_log.pages import Guard, register
from .errors import ConfigurationError
from .invitations.compose import FOOTER
from .invitations.gate import OnError
from .links.log_records import mask_records
from .links.tokens import Door, check_opportunity, normalize_tag
from .mailers.stdlib import send_invitations
from .pages.find_link import blueprint
from .pages.toggle import optout_toggle
from .pages.words import optout_url
from .wiring import Database, Hooks, Loader, State, Tables, current_state

#: The names that every template of the host can use.
TEMPLATE_NAMES: dict[str, Any] = {
    "optout_footer": Markup(FOOTER),
    "optout_toggle": optout_toggle,
    "optout_url": optout_url,
}


class OptOut:
    """Puts a "Not Interested?" link into a Flask app's invitations, and sends no more to people who press it.

    :param db: the host's Flask-SQLAlchemy or Flask-SQLAlchemy-Lite object; the tables join its metadata at once.
    :param app: the app to initialise; or call :meth:`init_app` later, once for each app that shares ``db``.
    :param operator: decides who may read the Email Log: a function without arguments, called for each request, that
        returns True, False or the operator's name. Without it the Email Log has no pages.
    :param metadata: the metadata to add the tables to; needed for Flask-SQLAlchemy-Lite, which has none of its own.
    :param bind_key: the bind key of the tables' database, if it is not the default one.
    :raises ConfigurationError: as :meth:`init_app`, or when there is no metadata.
    """

    def __init__(
        self,
        db: Database,
        app: Flask | None = None,
        *,
        operator: Guard | None = None,
        metadata: sa.MetaData | None = None,
        bind_key: str | None = None,
    ) -> None:
        keep_mutes()
        tables = Tables(_metadata(db, bind_key) if metadata is None else metadata)
        self._hooks = Hooks(db, bind_key, tables, operator)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Register the pages and the ``flask optout`` commands on an app.

        :raises ConfigurationError: when the app already has an OptOut, or a setting or the guard cannot work.
        """
        if "optout" in app.extensions or blueprint.name in app.blueprints:
            raise ConfigurationError(
                "This Flask app already has an OptOut, or a blueprint named 'optout'.",
                "Two of them would answer for each other's links.",
                "Call init_app once for each app, and give your own blueprint another name.",
            )
        state = State(app, config.apply(app), self._hooks)
        app.extensions["optout"] = state
        state.place.register(app, blueprint, app.config["OPTOUT_URL_PREFIX"])
        if (guard := self._hooks.operator) is not None:
            register(app, state.place, guard)
        app.context_processor(TEMPLATE_NAMES.copy)
        app.cli.add_command(optout_cli)
        mask_records()

    def opportunity_loader(self, loader: Loader) -> Loader:
        """Register the function that describes an opportunity, given its id, for pages and mails.

        It returns an :class:`Opportunity`, or any mapping or object with a ``title`` and optionally a ``summary``, a
        ``link``, a ``picture`` and the ``language`` of these texts; ``None`` for one that no longer exists.
        """
        self._hooks.load = loader
        return loader

    def landing_page(self, view: Loader) -> Loader:
        """Register the view of the app's own page for an opportunity, given its id; candidates' links then show it.

        ``{{ optout_toggle() }}`` in its template renders the toggle. While the candidate is muted, the link shows the
        mute and its undo instead, in ``optout/base.html``. If the view fails, or returns ``None`` or another status
        than 200, the link shows the page of Flask-OptOut.
        """
        self._hooks.landing_page = view
        return view

    def link(self, address: Recipient, opportunity: str, language: str | None = None) -> str:
        """Return the URL of the page where this person opts out of this opportunity, or undoes it; store nothing.

        :param opportunity: its id, 1 to 128 bytes; ``"*"`` for all invitations.
        :param language: the page's, as a tag such as ``"de"``; by default, the browser's.
        :raises OptOutError: when the address or the id is malformed, or the data key cannot be read.
        """
        return current_state().links.url(Door.LANDING, parse(address), opportunity, normalize_tag(language))

    def may_invite(self, address: Recipient, opportunity: str) -> bool:
        """Return whether this person may be invited now. Do not show it to operators: it reveals who opted out.

        :raises OptOutError: when the address is malformed, or the choices cannot be read.
        """
        return not current_state().choices.is_muted(parse(address), opportunity)

    def mute(self, address: Recipient, opportunity: str, source: str = "host") -> None:
        """Mute somebody who asked for it in another way. The call does not reveal what was stored before.

        :param opportunity: its id; ``"*"`` for all invitations.
        :param source: how they asked, such as ``"phone"``; stored as at most 16 letters, digits and hyphens.
        :raises OptOutError: when the address or the id is malformed, or the database cannot store it.
        """
        current_state().choices.add_mutes([(parse(address), check_opportunity(opportunity))], source)

    def receive(self, message: bytes, recipient: str, sender: str | None = None) -> bool:
        """Process a mail to ``OPTOUT_MAILTO``: mute the person whom its recipient identifies, unless it is a bounce.

        :param recipient: the envelope recipient.
        :param sender: the envelope sender; by default, the one in the header Return-Path.
        :return: whether it was an opt-out.
        :raises BadToken: when the recipient is not an address that this app has made.
        :raises OptOutError: when the database cannot store it.
        """
        return current_state().receive(message, recipient, sender)

    def invitable(self, addresses: Iterable[Recipient], opportunity: str) -> Iterator[Recipient]:
        """Yield the addresses that may be invited, in their order, lazily and in bounded memory.

        :raises OptOutError: at the first malformed address, or when the choices cannot be read.
        """
        return invitable(current_state().choices, addresses, opportunity)

    def send_invitations(
        self,
        messages: Iterable[EmailMessage],
        send: Callable[[EmailMessage], object],
        on_error: OnError | None = None,
    ) -> None:
        """Send messages of the standard library with ``send``; invitations only if the gate clears them.

        :param send: hands off one message. It is not called for a muted person, unless it is a method of an
            ``smtplib.SMTP``: then the mail server gets every command except the text.
        :param on_error: called with each message that could not be sent and its error; the others are sent. An
            exception that it raises ends the run.
        :raises NotAllSent: at the end, when some could not be sent and there is no ``on_error``.
        """
        send_invitations(messages, send, on_error)


def _metadata(db: Database, bind_key: str | None) -> sa.MetaData:
    metadatas: dict[str | None, sa.MetaData] | None = getattr(db, "metadatas", None)
    if metadatas is None:
        raise ConfigurationError(
            f"OptOut got a {type(db).__name__} object that has no metadata.",
            "The tables of Flask-OptOut join the host's metadata, so that migrations find them.",
            "Write OptOut(db, app) with your Flask-SQLAlchemy object or, with Flask-SQLAlchemy-Lite, "
            "OptOut(db, app, metadata=Model.metadata), with the base class of your models.",
        )
    default = metadatas[None]
    if bind_key not in metadatas:
        metadatas[bind_key] = sa.MetaData(naming_convention=default.naming_convention, info={"bind_key": bind_key})
    return metadatas[bind_key]
