"""What one app's OptOut is made of; it lives in ``app.extensions["optout"]`` and is wired when first used."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Blueprint, Flask, current_app, has_request_context, request
from sqlalchemy.orm import Session

from .choices.bulk import Filter
from .choices.host_transaction import HostTransaction
from .choices.journal import Journal
from .choices.recovery import Recovery
from .choices.repository import PATIENCE, Choices
from .choices.rotation import Rotation
from .choices.schema import bring_up
from .choices.store import Store
from .choices.tables import Tables
from .email_log.log_settings import check_log_settings
from .email_log.log_store import LogStore
from .email_log.records import EmailLog
from .email_log.resends import Resends
from .email_log.saved_filters import SavedFilters
from .errors import ConfigurationError
from .invitations.compose import LOOPBACK, Composer, base_url
from .invitations.gate import Gate
from .links.keys import LEAST_KEY, LEAST_SECRET_KEY, Key, KeyRing
from .links.tokens import Door, Tokens
from .links.urls import Links
from .pages.ask_limit import AskLimit
from .pages.background import Background
from .pages.languages import speaking
from .pages.rendering import render
from .pages.routing import Place
from .pages.visits import VisitLog
from .presses.domain_alarm import Alarms
from .presses.history import RecentPresses
from .presses.judge import LAYERS, Layer
from .presses.nonces import Nonces

#: The endpoint behind each door.
ENDPOINTS = {Door.LANDING: "optout.landing", Door.ONE_CLICK: "optout.one_click", Door.ASK: "optout.ask"}


class State:
    """The parts of one app's OptOut.

    :param engine: gives the engine of the app at hand.
    :param session: gives the host's session of the app at hand, or ``None`` when there is none yet.
    :param load: gives what the host knows about an opportunity.
    :param operator: gives the name of the operator at hand, or ``None`` when it is none; without it, no pages.
    """

    def __init__(
        self,
        app: Flask,
        engine: Callable[[], sa.Engine],
        session: Callable[[], Session | None],
        tables: Tables,
        load: Callable[[str], Any],
        operator: Callable[[], str | None] | None,
    ) -> None:
        self._app = app
        self._engine = engine
        self._session = session
        self._tables = tables
        self.load = load
        self.operator = operator
        self._walls = 0
        self.clock: Callable[[], float] = time.time
        self.layers: Sequence[Layer] = LAYERS

    @cached_property
    def ring(self) -> KeyRing:
        config = self._app.config
        keys, setting, least = config["OPTOUT_KEYS"], "OPTOUT_KEYS", LEAST_KEY
        if keys is None:
            keys = [config.get("SECRET_KEY"), *(config.get("SECRET_KEY_FALLBACKS") or [])]
            setting, least = "SECRET_KEY", LEAST_SECRET_KEY
        ring = KeyRing.of([keys] if isinstance(keys, str | bytes) else keys)
        if setting == "OPTOUT_KEYS" and config.get("SECRET_KEY") in (keys[0], ring.current.secret):
            raise ConfigurationError(
                "The first key of OPTOUT_KEYS is SECRET_KEY.",
                "Whoever learns the one would have the other, and could find out who opted out.",
                "Put a key of its own in front of it, such as python -c 'import secrets; print(secrets.token_hex())' "
                "makes.",
            )
        try:
            ring.refuse_weak(least, setting)
        except ConfigurationError as weak:
            # Where links lead to this machine, nobody else can open a forged one.
            base = urlsplit(config["OPTOUT_BASE_URL"] or "").hostname
            if not (self._app.debug or self._app.testing or base in LOOPBACK):
                raise
            self._app.logger.warning("%s", weak)
        return ring

    @cached_property
    def store(self) -> Store:
        return Store(self._engine, self._app.config["OPTOUT_TIMEOUT"], HostTransaction(self._session))

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens(self.ring)

    @cached_property
    def journal(self) -> Journal | None:
        path = self._app.config["OPTOUT_JOURNAL"]
        return None if path is None else Journal(Path(path), self.ring, self._app.config["OPTOUT_TIMEOUT"])

    @cached_property
    def choices(self) -> Choices:
        return Choices(self.store, self._tables, self.ring, self.journal)

    @cached_property
    def filter(self) -> Filter:
        return Filter(self.choices, self._tables, self.ring)

    @cached_property
    def recovery(self) -> Recovery:
        """What brings the database and the journal together.

        :raises ConfigurationError: when there is no journal.
        """
        if self.journal is None:
            raise ConfigurationError(
                "OPTOUT_JOURNAL is not set.",
                "Without a journal there is nothing to replay.",
                "Set OPTOUT_JOURNAL to a file that is backed up apart from the database.",
            )
        return Recovery(self.store, self._tables, self.ring, self.journal)

    @cached_property
    def rotation(self) -> Rotation:
        return Rotation(self.store, self._tables, self.ring)

    @cached_property
    def _place(self) -> Place:
        return Place.in_app(self._app)

    @cached_property
    def nonces(self) -> Nonces:
        return Nonces(self.tokens)

    @cached_property
    def presses(self) -> RecentPresses:
        return RecentPresses(self.choices, self.store, self._tables, lambda: self.clock())

    @cached_property
    def alarms(self) -> Alarms:
        return Alarms(self.store, self._tables, self.ring)

    @cached_property
    def visits(self) -> VisitLog | None:
        folder = self._app.config["OPTOUT_VISIT_LOG"]
        return None if folder is None else VisitLog(Path(self._app.instance_path, folder), self.ring)

    @cached_property
    def links(self) -> Links:
        return Links(self.tokens, self._prefix)

    @cached_property
    def ask_tokens(self) -> Tokens:
        """Operators see these tokens beside the address that they are about, so the pseudonyms in them are others."""
        return Tokens(KeyRing(tuple(Key(key.derive("ask")) for key in self.ring.keys)), (Door.ASK,))

    @cached_property
    def ask_links(self) -> Links:
        return Links(self.ask_tokens, self._prefix)

    @cached_property
    def gate(self) -> Gate:
        composer = Composer(self.links, _footer, self._app.config["OPTOUT_SPLIT"])
        return Gate(self.choices, composer, self.email_log, self._app.logger)

    @cached_property
    def _log_store(self) -> LogStore:
        return LogStore(self.store, self._tables.log)

    @cached_property
    def email_log(self) -> EmailLog:
        return EmailLog(self._log_store)

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

    def register(self, blueprint: Blueprint, prefix: str) -> None:
        """Put a blueprint of ours where links lead."""
        self._place.register(self._app, blueprint, prefix)

    def first_wall(self) -> bool:
        """Whether nobody has asked this before: what is in a candidate's way is reported once."""
        self._walls += 1
        return self._walls == 1

    @property
    def tables(self) -> Tables:
        return self._tables

    def engine(self) -> sa.Engine:
        """The engine of the app at hand."""
        return self._engine()

    def create_tables(self) -> None:
        """Create what is missing of the tables.

        :raises OptOutError: when the database does not take them, or a table cannot be used.
        """
        self.store.write(partial(bring_up, tables=self._tables), PATIENCE)

    def check_settings(self) -> None:
        """Refuse, at start-up, settings that cannot work.

        :raises ConfigurationError: when one is there and wrong.
        """
        timeout = self._app.config["OPTOUT_TIMEOUT"]
        if not isinstance(timeout, int | float) or not 0 < timeout < 60:
            raise ConfigurationError(
                "OPTOUT_TIMEOUT is not a number of seconds between 0 and 60.",
                "It bounds how long a send or a candidate's page waits for the database.",
                "Leave it out for 2 seconds, or set it to a number such as 5.",
            )
        if self._app.config["OPTOUT_BASE_URL"]:
            base_url(self._app.config["OPTOUT_BASE_URL"])
        if self._app.config["OPTOUT_KEYS"] is not None:
            self.ring  # noqa: B018
        check_log_settings(self._app.config)

    def _prefix(self, door: Door) -> str:
        base = self._base_url()
        if base not in self._prefixes:
            adapter = self._place.adapter(self._app)
            self._prefixes[base] = {
                door: base + adapter.build(endpoint, {"token": "-"}).removesuffix("-")
                for door, endpoint in ENDPOINTS.items()
            }
        return self._prefixes[base][door]

    @cached_property
    def _prefixes(self) -> dict[str, dict[Door, str]]:
        return {}

    def _base_url(self) -> str:
        setting = self._app.config["OPTOUT_BASE_URL"]
        if setting:
            return base_url(setting)
        # A request's Host header is anybody's to write, and must not choose where links lead; on this machine
        # alone it is taken, for development.
        if has_request_context() and urlsplit(request.host_url).hostname in LOOPBACK:
            return request.url_root.rstrip("/")
        raise ConfigurationError(
            "OPTOUT_BASE_URL is not set.",
            "Links in mails need a fixed address; the Host header of a request can be forged.",
            "Set OPTOUT_BASE_URL to where candidates reach this app, such as 'https://jobs.example.org'.",
        )


def current_state() -> State:
    """What the app at hand is wired with.

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
