"""The parts of one app, in ``app.extensions["optout"]``; each is made when it is first used."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import Blueprint, Flask, current_app
from sqlalchemy.orm import Session

from .choices.bulk import Filter
from .choices.imports import Imports
from .choices.journal import Journal
from .choices.key_slots import KeySlots
from .choices.recovery import Recovery
from .choices.repository import Choices
from .choices.schema import create_tables
from .choices.store import Store
from .choices.tables import ChoiceTables
from .config import Keys
from .email_log.invited import Invited
from .email_log.log_store import LogStore
from .email_log.people import People
from .email_log.records import EmailLog
from .email_log.resends import Resends
from .email_log.saved_filters import SavedFilters
from .email_log.tables import LogTables
from .errors import ConfigurationError
from .inbound.messages import receive
from .invitations.compose import Composer
from .invitations.gate import Gate
from .links.keys import DataKey
from .links.mailto import MailtoDoor
from .links.tokens import Claim, Door, Tokens, bad_token
from .links.urls import Links
from .pages.ask_limit import AskLimit
from .pages.background import Background
from .pages.languages import speaking, spoken
from .pages.rendering import render
from .pages.routing import Place
from .presses.domain_alarm import Alarms
from .presses.history import RecentPresses
from .presses.judge import LAYERS, Layer
from .presses.nonces import Nonces
from .presses.tables import PressTables

#: The endpoint behind each door.
ENDPOINTS = {Door.LANDING: "optout.landing", Door.ONE_CLICK: "optout.one_click", Door.ASK: "optout.ask"}


class Tables(NamedTuple):
    """All tables of Flask-OptOut on one metadata."""

    choices: ChoiceTables
    presses: PressTables
    log: LogTables

    @classmethod
    def on(cls, metadata: sa.MetaData) -> Tables:
        """The tables on this metadata; made once, however often it is called."""
        return cls(ChoiceTables.on(metadata), PressTables.on(metadata), LogTables.on(metadata))

    def all(self) -> list[sa.Table]:
        return [*self.choices.all(), *self.presses.all(), *self.log.all()]


class State:
    """The parts of one app.

    :param keys: the app's keys.
    :param engine: gives the engine of the current app.
    :param session: gives the host's session of the current app, or ``None`` when there is none yet.
    :param load: gives what the host knows about an opportunity.
    :param operator: the host's guard of the operator pages; without it, they do not exist.
    """

    def __init__(
        self,
        app: Flask,
        keys: Keys,
        engine: Callable[[], sa.Engine],
        session: Callable[[], Session | None],
        tables: Tables,
        load: Callable[[str], Any],
        operator: Callable[[], Any] | None,
    ) -> None:
        self._app = app
        self._keys = keys
        self.engine = engine
        self._session = session
        self.tables = tables
        self.load = load
        self.operator = operator
        self.clock: Callable[[], float] = time.time
        self.layers: Sequence[Layer] = LAYERS

    @cached_property
    def store(self) -> Store:
        return Store(self.engine, self._session)

    @cached_property
    def key_slots(self) -> KeySlots:
        used = self.tables.choices.choice, self.tables.log.email
        return KeySlots(self.store, self.tables.choices, used, *self._keys)

    @property
    def key(self) -> DataKey:
        """The data key; made in a store that never had one.

        :raises OptOutError: as :meth:`KeySlots.open`.
        """
        return self.key_slots.find() or self.key_slots.open()

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens(self.key)

    def claim(self, door: Door, path: str) -> Claim:
        """What the token in a path claims; a store without a data key has made no link, and gets none by this.

        :raises OptOutError: as :meth:`Tokens.read` and :meth:`KeySlots.find`.
        """
        if self.key_slots.find() is None:
            raise bad_token()
        return (self.ask_tokens if door is Door.ASK else self.tokens).read(door, path)

    @cached_property
    def journal(self) -> Journal | None:
        path = self._app.config["OPTOUT_JOURNAL"]
        return None if path is None else Journal(Path(path), self.key)

    @cached_property
    def choices(self) -> Choices:
        has_journal = self._app.config["OPTOUT_JOURNAL"] is not None
        journal = self._journal if has_journal else None
        return Choices(
            self.store, self.tables.choices, self.key_slots, journal, lambda: self.presses.forget_expired()
        )

    def _journal(self) -> Journal:
        if self.journal is None:
            raise ConfigurationError(
                "OPTOUT_JOURNAL is not set.",
                "Without a journal there is nothing to replay.",
                "Set OPTOUT_JOURNAL to a file that is backed up apart from the database.",
            )
        return self.journal

    @cached_property
    def imports(self) -> Imports:
        return Imports(self.choices)

    @cached_property
    def filter(self) -> Filter:
        return Filter(self.choices)

    @cached_property
    def recovery(self) -> Recovery:
        """What makes the database and the journal agree.

        :raises ConfigurationError: when there is no journal.
        """
        return Recovery(self.store, self.tables.choices, self._journal())

    @cached_property
    def _place(self) -> Place:
        return Place.in_app(self._app)

    @cached_property
    def nonces(self) -> Nonces:
        return Nonces(self.key.derive("page"))

    @cached_property
    def presses(self) -> RecentPresses:
        return RecentPresses(self.choices, self.tables.presses, self.alarms, lambda: self.clock())

    @cached_property
    def alarms(self) -> Alarms:
        invited = self.invited.between
        return Alarms(self.store, self.tables.presses, self.key, invited, lambda: self.clock())

    @cached_property
    def links(self) -> Links:
        return Links(lambda: self.tokens, self._prefix, spoken)

    @cached_property
    def ask_tokens(self) -> Tokens:
        """Operators see these tokens beside the address that they are about, so the pseudonyms in them are others."""
        return Tokens(DataKey(self.key.derive("ask")), (Door.ASK,))

    @cached_property
    def ask_links(self) -> Links:
        return Links(lambda: self.ask_tokens, self._prefix, spoken)

    @cached_property
    def mailto(self) -> MailtoDoor:
        """The addresses that take opt-outs by mail; :raises ConfigurationError: when there are none."""
        template = self._app.config["OPTOUT_MAILTO"]
        if template is None:
            raise ConfigurationError(
                "OPTOUT_MAILTO is not set.",
                "A mail is an opt-out only when it was sent to an address that an invitation names for it.",
                "Set it to such as 'optout+{token}@in.example.org'.",
            )
        return MailtoDoor(self.key, template)

    def receive(self, message: bytes, recipients: list[str], sender: str | None = None) -> bool:
        """As :func:`flask_optout.inbound.messages.receive`; a store without a data key has made no address."""
        if self.key_slots.find() is None:
            raise bad_token()
        return receive(self.choices, self.mailto, message, recipients, sender)

    @cached_property
    def gate(self) -> Gate:
        mailto = None if self._app.config["OPTOUT_MAILTO"] is None else self.mailto.address
        composer = Composer(self.links, _footer, self._app.config["OPTOUT_SPLIT"], mailto)
        return Gate(self.choices, composer, self.email_log, self._app.logger)

    @cached_property
    def _log_store(self) -> LogStore:
        return LogStore(self.store, self.tables.log)

    @cached_property
    def email_log(self) -> EmailLog:
        return EmailLog(self._log_store)

    @cached_property
    def invited(self) -> Invited:
        return Invited(self._log_store)

    @cached_property
    def people(self) -> People:
        return People(self._log_store)

    @cached_property
    def resends(self) -> Resends:
        return Resends(self._log_store)

    @cached_property
    def saved_filters(self) -> SavedFilters:
        return SavedFilters(self._log_store)

    @cached_property
    def ask_limit(self) -> AskLimit:
        return AskLimit(self._log_store)

    @cached_property
    def background(self) -> Background:
        return Background()

    def forget(self) -> None:
        """Make all parts anew when they are next used, as after a restart of the process."""
        for name in [name for name, part in vars(State).items() if isinstance(part, cached_property)]:
            vars(self).pop(name, None)

    def register(self, blueprint: Blueprint, prefix: str) -> None:
        """Register a blueprint of ours on the host or subdomain that links lead to."""
        self._place.register(self._app, blueprint, prefix)

    def create_tables(self) -> None:
        """Create what is missing of the tables, and the data key.

        :raises OptOutError: when the database does not take them, or a table cannot be used.
        """
        self.store.write(partial(create_tables, tables=self.tables.all()))
        self.key_slots.open()

    @cached_property
    def _prefixes(self) -> dict[Door, str]:
        return {
            door: self._place.origin + self._place.build(self._app, endpoint, {"token": "-"}).removesuffix("-")
            for door, endpoint in ENDPOINTS.items()
        }

    def _prefix(self, door: Door) -> str:
        return self._prefixes[door]


def current_state() -> State:
    """The parts of the current app.

    :raises ConfigurationError: when it has no OptOut, since then no invitation may leave.
    """
    state = current_app.extensions.get("optout")
    if not isinstance(state, State):
        raise ConfigurationError(
            "This Flask app has no OptOut.",
            "An invitation may leave only when the gate can tell who opted out.",
            "Call optout.init_app(app) where the app is made.",
        )
    return state


def _footer(kind: str, url: str, language: str) -> str:
    with speaking([language]):
        return render(f"mail/footer.{kind}", url=url)
