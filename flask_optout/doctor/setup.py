"""The set-up of the app at hand: what must be there before an invitation may leave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Flask, request

from ..addresses import parse
from ..email_log.search import Criteria
from ..errors import OptOutError
from ..links.tokens import Door
from ..pages.candidate import UNSIGNED
from ..pages.words import find_selector_error
from ..wiring import State
from .finding import KNOWN, Finding, attempt, tell

#: Seconds that a statement may wait for SQLite's lock, and for a place in the pool.
LONGEST_WAIT = 30.0
#: Where mail libraries stand in an app; the name of each, which its adapter has too, and how it sends an invitation.
LIBRARIES: dict[str, list[str]] = KNOWN["libraries"]


def check_setup(state: State) -> Iterator[Finding]:
    """What is wrong with the set-up."""
    config = state.app.config
    with state.app.app_context():
        yield tell("setup.keys" if config["OPTOUT_KEYS"] is not None else "setup.keys.shared")
        url = urlsplit(config["OPTOUT_BASE_URL"])
        yield tell("setup.base-url" if url.scheme == "https" else "setup.base-url.local", host=url.netloc)
        yield from attempt("setup.store", _check_store(state))
        yield from attempt("setup.journal", _check_journal(state))
        there = state.app.extensions
        mails = {name: there[key] for key, (name, _) in LIBRARIES.items() if key in there}
        if not mails:
            yield tell("setup.mail.none")
        for name, mail in mails.items():
            ours = any(kind.__module__.startswith("flask_optout.mailers.") for kind in type(mail).__mro__)
            end = ".ungated" if not ours else ".suppressed" if getattr(mail, "suppress", False) else ""
            yield tell(f"setup.mail{end}", name=name)
        with suppress(OptOutError):  # said of the store
            found = find_wall(state)
            yield tell("setup.wall") if found is None else tell("setup.wall.found", **found)
            yield from _check_language(state)
        yield tell("setup.operator.none" if state.hooks.operator is None else "setup.operator")
        yield tell("setup.loader.none" if state.hooks.load is None else "setup.loader")
        with suppress(OptOutError):  # said of the store
            days = config["OPTOUT_LOG_DAYS"]
            if not state.search.find(Criteria()).entries:
                yield tell("setup.sent.none", days=days)
            outdated = state.email_log.count_outdated(days + 1) > 0  # which leaves cron a day
            yield tell("setup.log.old" if outdated else "setup.log", days=days)


def _check_store(state: State) -> Iterator[Finding]:
    """Whether the choices can be kept and read, and whether a database that hangs ends a wait."""
    tables = state.tables.all()
    try:
        inspector = sa.inspect(engine := state.get_engine())
        lacking = [f"the table {table.name}" for table in tables if not inspector.has_table(table.name, table.schema)]
        yield from check_time_outs(engine)
    except sa.exc.SQLAlchemyError as error:
        yield tell("setup.store.unreachable", reason=type(error).__name__)
        return
    if lacking:
        missing = lacking if len(lacking) < len(tables) else "all tables of Flask-OptOut"
        yield tell("setup.tables.missing", missing=missing)
        return
    yield tell("setup.tables", kind=engine.dialect.name)
    state.choices.read([])
    yield tell("setup.store")


def _check_journal(state: State) -> Iterator[Finding]:
    """Whether choices are written a second time, outside the database."""
    if state.journal is not None:
        state.journal.newest_number()
    yield tell("setup.journal.none" if state.journal is None else "setup.journal")


def find_wall(state: State) -> dict[str, str] | None:
    """The wall before the pages of this app, as the facts of a finding, or ``None`` when there is none.

    Opens a page and sends a one-click request without its body (RFC 8058 section 3.2), in this process; neither
    reads or writes a choice. The host's own hooks run as they do for a candidate.

    :raises ConfigurationError: when the base URL or the keys cannot work.
    """
    walls = [_find_wall_at(state.app, path, base) for path, base in _find_places(state, Door.ONE_CLICK)]
    return None if None in walls else walls[0]


def _find_places(state: State, door: Door) -> list[tuple[str, str]]:
    """Where the app may get a link's request: the path that it sees, and the URL of its root.

    The server may have mounted it below the path of the base URL, or the app itself may answer for all of it.
    """
    url = state.links.url(door, parse("nobody@example.com"), "optout-check")
    base = state.app.config["OPTOUT_BASE_URL"].rstrip("/")
    return [(url.removeprefix(root), f"{root}/") for root in {base, base.removesuffix(urlsplit(base).path)}]


def _check_language(state: State) -> Iterator[Finding]:
    """Whether the app can tell the language of a candidate's page."""
    for path, base in _find_places(state, Door.LANDING):
        with state.app.test_request_context(path, base):
            if request.blueprint is None:
                continue
            with suppress(Exception):  # which the check for walls tells
                state.app.preprocess_request()  # the selector may read what it sets
            if (error := find_selector_error()) is not None:
                yield tell("setup.locale", reason=type(error).__name__)
                return


def _find_wall_at(app: Flask, path: str, base: str) -> dict[str, str] | None:
    client = app.test_client(use_cookies=False)
    what, answer = "page", client.get(path[:-1], base_url=base)
    if answer.status_code == 404:  # the page for a link that is not whole
        what, answer = "press", client.post(path, base_url=base)
        if answer.status_code == 400 and answer.text == UNSIGNED:
            return None
    status = f"{answer.status} to {urlsplit(answer.location).path}" if answer.location else answer.status
    return {"what": what, "status": status, "how": "csrf" if answer.status_code == 400 else "skip"}


def check_time_outs(engine: sa.Engine) -> Iterator[Finding]:
    """Which time-outs are missing on an engine, and the line that sets them; of other drivers nobody can tell.

    :raises sqlalchemy.exc.SQLAlchemyError: when the database cannot be reached.
    """
    kind, wait = engine.dialect.name.replace("mariadb", "mysql"), getattr(engine.pool, "_timeout", 0)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        ask = connection.exec_driver_sql
        if kind == "sqlite":
            ends = {"timeout": 0 < ask("PRAGMA busy_timeout").scalar_one() <= LONGEST_WAIT * 1_000}
            if (mode := ask("PRAGMA journal_mode").scalar_one()) not in ("wal", "memory"):
                yield tell("setup.wal", mode=mode)
        elif engine.driver in ("psycopg", "psycopg2"):
            given = driver.info.get_parameters() if engine.driver == "psycopg" else driver.info.dsn_parameters
            ends = {"connect_timeout": int(given.get("connect_timeout") or 0) > 0}
            ends["statement_timeout"] = ask("SHOW statement_timeout").scalar_one() != "0"
        elif engine.driver == "pymysql":
            names = ("connect_timeout", "_read_timeout", "_write_timeout")
            ends = {name.lstrip("_"): getattr(driver, name, None) is not None for name in names}
        else:
            return
    ends["pool_timeout"] = kind == "sqlite" or (wait is not None and wait <= LONGEST_WAIT)
    missing = [name for name, is_set in ends.items() if not is_set]
    yield tell("setup.time-outs.missing", missing=missing, options=kind) if missing else tell("setup.time-outs")
