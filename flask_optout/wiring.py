"""The parts of one app, in ``app.extensions["optout"]``; each is made when it is first used."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import Blueprint, Flask, current_app
from sqlalchemy.orm import Session

from .choices.imports import Imports
from .choices.journal import Journal
from .choices.key_slots import KeySlots
from .choices.recovery import Recovery
from .choices.repository import Choices
from .choices.schema import create_tables
from .choices.store import Store
from .choices.tables import ChoiceTables
from .config import Keys
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
from .pages.languages import render, speaking, spoken
from .pages.routing import Place
from .presses.domain_alarm import Alarms
from .presses.history import RecentPresses
from .presses.judge import LAYERS, Layer
from .presses.nonces import Nonces
from .presses.tables import PressTables

LONGEST_QUEUE = 100


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


@dataclass(eq=False)
class State:
    """The parts of one app.

    ``engine`` and ``session`` give the current app's engine and the host's session, ``None`` when there is none yet;
    ``load`` what the host knows about an opportunity. ``operator`` guards the operator pages; without it, they do not
    exist.
    """

    app: Flask
    keys: Keys
    engine: Callable[[], sa.Engine]
    session: Callable[[], Session | None]
    tables: Tables
    load: Callable[[str], Any]
    operator: Callable[[], Any] | None
    clock: Callable[[], float] = time.time
    layers: Sequence[Layer] = LAYERS

    @cached_property
    def threads(self) -> ThreadPoolExecutor:
        """Send the mails that a page's answer must not wait for."""
        return ThreadPoolExecutor(2, thread_name_prefix="optout")

    @cached_property
    def places(self) -> BoundedSemaphore:
        """Requests that may wait for one of the threads; a flood is refused before it fills the memory."""
        return BoundedSemaphore(LONGEST_QUEUE)

    @cached_property
    def store(self) -> Store:
        return Store(self.engine, self.session)

    @cached_property
    def key_slots(self) -> KeySlots:
        used = self.tables.choices.choice, self.tables.log.email
        return KeySlots(self.store, self.tables.choices, used, *self.keys)

    @property
    def key(self) -> DataKey:
        """The data key; made in a store that never had one."""
        return self.choices.key()

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens(self.key)

    def claim(self, door: Door, path: str) -> Claim:
        """What the token in a path claims; a store without a data key has made no link, and gets none by this.

        :raises BadToken: for a link that cannot be read.
        """
        if self.key_slots.find() is None:
            raise bad_token()
        return (self.ask_tokens if door is Door.ASK else self.tokens).read(door, path)

    @cached_property
    def journal(self) -> Journal | None:
        path = self.app.config["OPTOUT_JOURNAL"]
        return None if path is None else Journal(Path(path), self.key)

    @cached_property
    def choices(self) -> Choices:
        journal = None if self.app.config["OPTOUT_JOURNAL"] is None else self._journal
        return Choices(self.store, self.tables.choices, self.key_slots, journal, self._forget_presses)

    def _forget_presses(self) -> None:
        self.presses.forget_expired()

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
    def recovery(self) -> Recovery:
        return Recovery(self.store, self.tables.choices, self._journal())

    @cached_property
    def place(self) -> Place:
        return Place.in_app(self.app)

    @cached_property
    def nonces(self) -> Nonces:
        return Nonces(self.key.derive("page"))

    @cached_property
    def visitor_secret(self) -> bytes:
        return self.key.derive("visitor")

    @cached_property
    def presses(self) -> RecentPresses:
        return RecentPresses(self.choices, self.tables.presses, self.alarms, lambda: self.clock())

    @cached_property
    def alarms(self) -> Alarms:
        between = self.email_log.invited_between
        return Alarms(self.store, self.tables.presses, self.key, between, lambda: self.clock())

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
        template = self.app.config["OPTOUT_MAILTO"]
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
        mailto = None if self.app.config["OPTOUT_MAILTO"] is None else self.mailto.address
        composer = Composer(self.links, _footer, self.app.config["OPTOUT_SPLIT"], mailto)
        return Gate(self.choices, composer, self.email_log, self.app.logger)

    @cached_property
    def email_log(self) -> EmailLog:
        return EmailLog(self.store, self.tables.log)

    @cached_property
    def people(self) -> People:
        return People(self.store, self.tables.log)

    @cached_property
    def resends(self) -> Resends:
        return Resends(self.store, self.tables.log)

    @cached_property
    def saved_filters(self) -> SavedFilters:
        return SavedFilters(self.store, self.tables.log)

    def forget(self) -> None:
        """Make all parts anew when they are next used, as after a restart of the process."""
        for name in [name for name, part in vars(State).items() if isinstance(part, cached_property)]:
            vars(self).pop(name, None)

    def register(self, blueprint: Blueprint, prefix: str, hidden: bool = False) -> None:
        """Register a blueprint of ours on the host or subdomain that links lead to; see :meth:`Place.register`."""
        self.place.register(self.app, blueprint, prefix, hidden)

    def create_tables(self) -> None:
        """Create what is missing of the tables, and the data key."""
        create_tables(self.store, self.tables.all())
        self.key_slots.open()

    @cached_property
    def _prefix(self) -> Callable[[Door], str]:
        build = self.place.adapter.build
        paths = {door: build(f"optout.{door.name.lower()}", {"token": "-"}) for door in Door}
        return {door: self.place.origin + path.removesuffix("-") for door, path in paths.items()}.__getitem__


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
