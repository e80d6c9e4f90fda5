"""The parts of one app, in ``app.extensions["optout"]``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, Protocol

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.orm import Session, scoped_session

from .choices.imports import Imports
from .choices.journal import Journal, Recovery
from .choices.key_slots import KeySlots
from .choices.repository import Choices
from .choices.store import Store
from .choices.tables import ChoiceTables, create_tables
from .config import Keys
from .email_log.people import People
from .email_log.records import EmailLog
from .email_log.resending import Resends
from .email_log.search import SavedFilters, Search
from .email_log.tables import LogTables
from .errors import ConfigurationError
from .inbound import receive
from .invitations.compose import Composer
from .invitations.gate import Gate
from .links.mailto import MailtoDoor
from .links.tokens import CACHED, Claim, DataKey, Door, Links, Tokens, bad_token
from .pages.routing import Place
from .pages.words import Opportunity, describe_opportunity, get_language, is_translated, render, speaking
from .presses.domain_alarm import Alarms, alarm_table
from .presses.evidence import Nonces
from .presses.history import RecentPresses, recent_table

#: Requests that may wait for a thread; more are refused, so that a flood cannot fill the memory.
LONGEST_QUEUE = 100
#: Seconds for which the loader's result is cached for the footers of mails.
ABOUT_AGE = 60
Loader = Callable[[str], Any]


class Database(Protocol):
    """What Flask-SQLAlchemy and Flask-SQLAlchemy-Lite have in common."""

    @property
    def engine(self) -> sa.Engine: ...
    @property
    def engines(self) -> Mapping[Any, sa.Engine]: ...
    @property
    def session(self) -> Session | scoped_session[Any]: ...


class Tables:
    """All tables of Flask-OptOut, created once on one metadata."""

    def __init__(self, metadata: sa.MetaData) -> None:
        self.choices: ChoiceTables = ChoiceTables(metadata)
        self.recent: sa.Table = recent_table(metadata)
        self.alarm: sa.Table = alarm_table(metadata)
        self.log: LogTables = LogTables(metadata)

    def all(self) -> list[sa.Table]:
        return [*self.choices.all(), self.recent, self.alarm, *self.log.all()]


@dataclass(eq=False)
class Hooks:
    """What the host passed to an OptOut, for all its apps. ``operator`` guards the operator pages, if there are."""

    db: Database
    bind_key: str | None
    tables: Tables
    operator: Callable[[], Any] | None
    load: Loader | None = None
    landing_page: Loader | None = None


class State:
    """The parts of one app. Using one may raise the errors of opening the data key."""

    def __init__(self, app: Flask, keys: Keys, hooks: Hooks) -> None:
        self.app = app
        self.keys = keys
        self.hooks = hooks
        self.tables: Tables = hooks.tables
        self.clock: Callable[[], float] = time.time
        self.place: Place = Place.in_app(app)
        self.begin()

    def begin(self) -> None:
        """Create all parts anew, as after a restart of the process.

        Parts that need the data key or threads are created on first use, as gevent may replace threads until then.
        """
        for name, part in vars(State).items():
            if isinstance(part, cached_property):
                vars(self).pop(name, None)
        tables, log, journal = self.tables.choices, self.tables.log, self.app.config["OPTOUT_JOURNAL"]
        self.store: Store = Store(self.get_engine, self.get_session)
        self.key_slots: KeySlots = KeySlots(self.store, tables, (tables.choice, log.email), *self.keys)
        self.journal: Journal | None = None if journal is None else Journal(Path(journal), lambda: self.key)
        parts = self.store, tables, self.key_slots, self.journal
        self.choices: Choices = Choices(*parts, lambda: self.presses.prune(), lambda: self.clock())
        self.imports: Imports = Imports(self.choices)
        self.links: Links = Links(lambda: self.tokens, lambda door: self._prefixes[door], is_translated)
        self.email_log: EmailLog = EmailLog(self.store, log)
        self.search: Search = Search(self.store, log)
        self.people: People = People(self.store, log)
        self.resends: Resends = Resends(self.store, log)
        self.saved_filters: SavedFilters = SavedFilters(self.store, log)

    def get_engine(self) -> sa.Engine:
        """Return the engine of the tables; a session cannot, as no class is mapped to them."""
        db, bind_key = self.hooks.db, self.hooks.bind_key
        context = nullcontext() if self._is_current() else self.app.app_context()
        try:
            with context:
                return db.engine if bind_key is None else db.engines[bind_key]
        except (KeyError, RuntimeError):  # Flask-SQLAlchemy does not know this app
            raise ConfigurationError(
                "The database of Flask-OptOut's tables is not configured.",
                "Nobody can tell who opted out, so no invitation leaves and no choice is recorded.",
                "Call db.init_app(app) of the db that OptOut got, and set SQLALCHEMY_DATABASE_URI or, for "
                "OptOut(db, bind_key=...), this key in SQLALCHEMY_BINDS; with Flask-SQLAlchemy-Lite, "
                "SQLALCHEMY_ENGINES has both.",
            ) from None

    def get_session(self) -> Session | None:
        """Return the host's session, if it has begun one."""
        if not self._is_current():
            return None
        session = self.hooks.db.session
        if isinstance(session, scoped_session):
            return session() if session.registry.has() else None
        return session

    def _is_current(self) -> bool:
        # A lazily filtered list may be read after the app's context has ended, or in that of another app.
        return bool(current_app) and current_app == self.app

    def load_opportunity(self, id: str) -> Opportunity:
        """Return the host's description of an opportunity."""
        return describe_opportunity(self.hooks.load, id)

    @cached_property
    def threads(self) -> ThreadPoolExecutor:
        """The threads that send mails for which a response must not wait."""
        return ThreadPoolExecutor(2, thread_name_prefix="optout")

    @cached_property
    def places(self) -> BoundedSemaphore:
        return BoundedSemaphore(LONGEST_QUEUE)

    @property
    def key(self) -> DataKey:
        """The data key, created in a store that never had one."""
        return self.choices.get_key()

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens(self.key)

    def read_claim(self, door: Door, path: str) -> Claim:
        """Return the claim of the token in a path; without a data key, raise BadToken rather than create one."""
        if (self.key_slots.data_key or self.key_slots.find()) is None:
            raise bad_token()
        return self.tokens.read(door, path)

    @property
    def recovery(self) -> Recovery:
        if self.journal is None:
            raise ConfigurationError(
                "OPTOUT_JOURNAL is not set.",
                "Without a journal there is nothing to replay.",
                "Set OPTOUT_JOURNAL to a file that is backed up apart from the database.",
            )
        return Recovery(self.store, self.tables.choices, self.journal)

    @cached_property
    def nonces(self) -> Nonces:
        return Nonces(self.key.derive("page"))

    @cached_property
    def visitor_secret(self) -> bytes:
        return self.key.derive("visitor")

    @cached_property
    def presses(self) -> RecentPresses:
        return RecentPresses(self.choices, self.tables.recent, self.alarms, lambda: self.clock())

    @cached_property
    def alarms(self) -> Alarms:
        between = self.email_log.find_invited
        return Alarms(self.store, self.tables.alarm, self.key, between, lambda: self.clock())

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

    def receive(self, message: bytes, recipient: str | None, sender: str | None = None) -> bool:
        """Call :func:`flask_optout.inbound.receive`; without a data key no address was made, so raise BadToken."""
        if self.key_slots.find() is None:
            raise bad_token()
        return receive(self.choices, self.mailto, message, recipient, sender)

    @cached_property
    def composer(self) -> Composer:
        by_mail = self.app.config["OPTOUT_MAILTO"] is not None
        return Composer(self.links, self._render_footer, self.mailto.make_address if by_mail else None)

    @cached_property
    def gate(self) -> Gate:
        return Gate(self.choices, self.composer, self.email_log, self.app.logger)

    def _render_footer(self, kind: str, url: str, opportunity: str, language: str) -> str:
        with speaking([language]):
            about = self._about(opportunity, get_language().tag, int(self.clock() // ABOUT_AGE))
            return render(f"mail/footer.{kind}", url=url, opportunity=about)

    @cached_property
    def _about(self) -> Callable[[str, str, int], Opportunity]:
        """Load an opportunity through a cache, as the footer of each of many invitations needs it."""
        return lru_cache(CACHED)(lambda opportunity, language, age: self.load_opportunity(opportunity))

    def create_tables(self) -> list[str]:
        """Create missing tables and the data key; return the names of what was created."""
        made = create_tables(self.store, self.tables.all())
        is_new = self.key_slots.find() is None
        self.key_slots.open()
        return made + ["the data key"] * is_new

    @cached_property
    def _prefixes(self) -> dict[Door, str]:
        build = self.place.adapter.build
        paths = {door: build(f"optout.{door.name.lower()}", {"token": "-"}) for door in Door}
        return {door: self.place.origin + path.removesuffix("-") for door, path in paths.items()}


def current_state() -> State:
    """Return the parts of the current app."""
    state = current_app.extensions.get("optout")
    if not isinstance(state, State):
        raise ConfigurationError(
            "This Flask app has no OptOut.",
            "An invitation may leave only when the gate can tell who opted out.",
            "Call optout.init_app(app) where the app is made; 'flask optout init' has the lines to paste.",
        )
    return state
