"""The set-up of the app at hand: what must be there before an invitation may leave."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

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
    try:
        found = find_wall(app)
    except OptOutError:  # said of the store
        return
    if found is None:
        yield tell("setup.wall")
        return
    mend, _, code = found.mend.partition("\n")
    yield tell("setup.wall.found", (), textwrap.dedent(code), what=found.what, why=found.why, mend=mend)


def _log(state: State, days: int) -> Iterator[Finding]:
    """Whether the Email Log is pruned."""
    try:
        outdated = state.email_log.outdated(days + 1) > 0  # which leaves cron a day
    except OptOutError:  # said of the store
        return
    yield tell("setup.log.old" if outdated else "setup.log", days=days)


def time_outs(engine: sa.Engine) -> Iterator[Finding]:
    """Which time-outs are missing on an engine, and the line that sets them.

    :raises sqlalchemy.exc.SQLAlchemyError: when the database cannot be reached.
    """
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        match engine.dialect.name:
            case "sqlite":
                missing, options = _sqlite(connection), "sqlite"
                yield from _wal(connection)
            case "postgresql":
                missing, options = _postgresql(connection, driver), "postgresql"
            case "mysql" | "mariadb":
                missing, options = _mysql(driver), "mysql"
            case _:
                return
    if engine.dialect.name != "sqlite" and getattr(engine.pool, "_timeout", 0) > LONGEST_WAIT:
        missing.append("pool_timeout")
    if missing:
        yield tell("setup.time-outs.missing", missing=missing, options=options)
    else:
        yield tell("setup.time-outs")


def _sqlite(connection: sa.Connection) -> list[str]:
    waits = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    return [] if 0 < waits <= LONGEST_WAIT * 1_000 else ["timeout"]


def _wal(connection: sa.Connection) -> Iterator[Finding]:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode not in ("wal", "memory"):
        yield tell("setup.wal", mode=mode)


def _postgresql(connection: sa.Connection, driver: Any) -> list[str]:
    said = driver.info.get_parameters() if hasattr(driver.info, "get_parameters") else driver.info.dsn_parameters
    missing = [] if int(said.get("connect_timeout") or 0) > 0 else ["connect_timeout"]
    limit = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()
    return missing if limit not in ("0", 0) else [*missing, "statement_timeout"]


def _mysql(driver: Any) -> list[str]:
    #: Names by which PyMySQL and mysqlclient's kin keep them; None means that nothing ends a wait.
    names = {"connect_timeout": "connect_timeout", "read_timeout": "_read_timeout", "write_timeout": "_write_timeout"}
    return [name for name, kept in names.items() if hasattr(driver, kept) and not getattr(driver, kept)]
