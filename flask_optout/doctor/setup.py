"""The set-up of the app at hand: what must be there before an invitation may leave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from ..email_log.search import Criteria
from ..errors import OptOutError
from ..wiring import State
from .finding import Finding, of_error, tell
from .walls import find_wall

#: Seconds that a statement may wait for SQLite's lock, and for a place in the pool.
LONGEST_WAIT = 30.0
#: Where mail libraries stand in an app, and their names.
LIBRARIES = {"mail": "flask_mail", "mailman": "flask_mailman"}


def setup(app: Flask, state: State) -> Iterator[Finding]:
    """What is wrong with the set-up."""
    with app.app_context():
        own = app.config["OPTOUT_KEYS"] is not None
        yield tell("setup.keys" if own else "setup.keys.shared")
        url = urlsplit(app.config["OPTOUT_BASE_URL"])
        yield tell("setup.base-url" if url.scheme == "https" else "setup.base-url.local", host=url.netloc)
        yield from _store(state)
        yield from _journal(state)
        yield from _mail(app)
        yield from _wall(app)
        yield tell("setup.operator.none" if state.hooks.operator is None else "setup.operator")
        yield tell("setup.loader.none" if state.hooks.load is None else "setup.loader")
        yield from _log(state, app.config["OPTOUT_LOG_DAYS"])


def _store(state: State) -> Iterator[Finding]:
    """Whether the choices can be kept and read, and whether a database that hangs ends a wait."""
    try:
        engine = state.engine()
        with engine.connect() as connection:
            lacking = list(_lacking(sa.inspect(connection), state.tables.all()))
        waits = list(time_outs(engine))
    except SQLAlchemyError as error:
        yield tell("setup.store.unreachable", reason=type(error).__name__)
        return
    yield from waits
    yield tell("setup.tables.missing" if lacking else "setup.tables", missing=lacking, kind=engine.dialect.name)
    if lacking:
        return
    try:
        state.choices.read([])
        yield tell("setup.store")
    except OptOutError as error:
        yield of_error("setup.store", error)


def _lacking(inspector: sa.Inspector, tables: list[sa.Table]) -> Iterator[str]:
    absent = [table for table in tables if not inspector.has_table(table.name, table.schema)]
    if absent == tables:
        yield "all tables of Flask-OptOut"
        return
    for table in tables:
        if table in absent:
            yield f"the table {table.name}"
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name, table.schema)}
        for name in sorted({column.name for column in table.columns} - columns):
            yield f"the column {table.name}.{name}"
        primary = inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]
        if set(primary) != {column.name for column in table.primary_key}:
            yield f"the primary key of {table.name}"


def _journal(state: State) -> Iterator[Finding]:
    """Whether choices are written a second time, outside the database."""
    try:
        kept = state.journal
        if kept is not None:
            kept.number()
        yield tell("setup.journal.none" if kept is None else "setup.journal")
    except OptOutError as error:
        yield of_error("setup.journal", error)


def _mail(app: Flask) -> Iterator[Finding]:
    """Whether the app's mail passes the gate."""
    mails = {name: app.extensions[key] for key, name in LIBRARIES.items() if key in app.extensions}
    if not mails:
        yield tell("setup.mail.none")
    for name, mail in mails.items():
        ours = any(kind.__module__.startswith("flask_optout.mailers.") for kind in type(mail).__mro__)
        end = ".ungated" if not ours else ".suppressed" if getattr(mail, "suppress", False) else ""
        yield tell(f"setup.mail{end}", name=name)


def _wall(app: Flask) -> Iterator[Finding]:
    """Whether the host's own hooks let candidates and mail programs through."""
    with suppress(OptOutError):  # said of the store
        found = find_wall(app)
        yield tell("setup.wall") if found is None else tell("setup.wall.found", **found)


def _log(state: State, days: int) -> Iterator[Finding]:
    """Whether invitations pass the gate, and whether the Email Log is pruned."""
    with suppress(OptOutError):  # said of the store
        if not state.search.page(Criteria()).entries:
            yield tell("setup.sent.none", days=days)
        outdated = state.email_log.outdated(days + 1) > 0  # which leaves cron a day
        yield tell("setup.log.old" if outdated else "setup.log", days=days)


def time_outs(engine: sa.Engine) -> Iterator[Finding]:
    """Which time-outs are missing on an engine, and the line that sets them.

    :raises sqlalchemy.exc.SQLAlchemyError: when the database cannot be reached.
    """
    kind = engine.dialect.name.replace("mariadb", "mysql")
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection

        def said(statement: str) -> Any:
            return connection.exec_driver_sql(statement).scalar_one()

        match kind:
            case "sqlite":
                ends = {"timeout": 0 < said("PRAGMA busy_timeout") <= LONGEST_WAIT * 1_000}
                if (mode := said("PRAGMA journal_mode")) not in ("wal", "memory"):
                    yield tell("setup.wal", mode=mode)
            case "postgresql":
                info = driver.info
                given = info.get_parameters() if hasattr(info, "get_parameters") else info.dsn_parameters
                ends = {"connect_timeout": int(given.get("connect_timeout") or 0) > 0}
                ends["statement_timeout"] = said("SHOW statement_timeout") not in ("0", 0)
            case "mysql":
                # PyMySQL and mysqlclient's kin keep two of them by another name; None means that nothing ends a wait.
                names = ("connect_timeout", "read_timeout", "write_timeout")
                ends = {name: getattr(driver, name, getattr(driver, f"_{name}", True)) for name in names}
            case _:
                return
    ends["pool_timeout"] = kind == "sqlite" or getattr(engine.pool, "_timeout", 0) <= LONGEST_WAIT
    missing = [name for name, is_set in ends.items() if not is_set]
    yield tell("setup.time-outs.missing", missing=missing, options=kind) if missing else tell("setup.time-outs")
