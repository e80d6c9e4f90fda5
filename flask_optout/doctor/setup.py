"""The set-up of the app at hand: what must be there before an invitation may leave."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from ..errors import OptOutError
from ..wiring import State
from .engines import time_outs
from .finding import Finding, of_error, tell, unknown
from .walls import find_wall

MOST_SECONDS_APART = 120
#: Where mail libraries stand in an app, and their names.
LIBRARIES = {"mail": "flask_mail", "mailman": "flask_mailman"}


def keys(app: Flask, state: State) -> Iterator[Finding]:
    """Whether the keys are ones of their own."""
    count = len(state.key_slots.keys)
    own = app.config["OPTOUT_KEYS"] is not None
    yield tell("setup.keys" if own else "setup.keys.shared", count=f"{count} key{'s' if count > 1 else ''}")


def address(app: Flask, state: State) -> Iterator[Finding]:
    """Whether links lead to where candidates are."""
    url = urlsplit(app.config["OPTOUT_BASE_URL"])
    yield tell("setup.base-url" if url.scheme == "https" else "setup.base-url.local", host=url.netloc)


def store(app: Flask, state: State) -> Iterator[Finding]:
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
    if lacking:
        yield tell("setup.tables.missing", missing=", ".join(lacking))
        return
    yield tell("setup.tables", kind=engine.dialect.name)
    try:
        state.choices.read([])
    except OptOutError as error:
        yield of_error("setup.store", error)
    else:
        yield tell("setup.store")


def journal(app: Flask, state: State) -> Iterator[Finding]:
    """Whether choices are written a second time, outside the database."""
    try:
        kept = state.journal
        if kept is not None:
            kept.number()
    except OptOutError as error:
        yield of_error("setup.journal", error)
        return
    yield tell("setup.journal.none" if kept is None else "setup.journal")


def _lacking(inspector: sa.Inspector, tables: list[sa.Table]) -> Iterator[str]:
    for table in tables:
        if not inspector.has_table(table.name):
            yield f"the table {table.name}"
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        for name in sorted({column.name for column in table.columns} - columns):
            yield f"the column {table.name}.{name}"
        primary = inspector.get_pk_constraint(table.name)["constrained_columns"]
        if set(primary) != {column.name for column in table.primary_key}:
            yield f"the primary key of {table.name}"


def clock(app: Flask, state: State) -> Iterator[Finding]:
    """Whether this machine and the database agree on the time."""
    try:
        with state.engine().connect() as connection:
            seconds = apart(connection)
    except SQLAlchemyError:
        yield unknown("setup.clock", "whether the clocks agree", "the database cannot be reached")
        return
    if seconds is not None:
        wrong = seconds > MOST_SECONDS_APART
        yield tell("setup.clock.wrong" if wrong else "setup.clock", seconds=f"{seconds:.0f}")


def apart(connection: sa.Connection) -> float | None:
    """How many seconds the clock of a database server differs from ours; SQLite has none of its own."""
    match connection.dialect.name:
        case "mysql" | "mariadb":
            now: sa.ColumnElement[datetime.datetime] = sa.func.utc_timestamp()
        case "postgresql":
            now = sa.func.now()
        case _:
            return None
    there = connection.scalars(sa.select(now)).one()
    utc = there if there.tzinfo else there.replace(tzinfo=datetime.UTC)
    return abs((datetime.datetime.now(datetime.UTC) - utc).total_seconds())


def mailer(app: Flask, state: State) -> Iterator[Finding]:
    """Whether the app's mail passes the gate."""
    mails = {name: app.extensions[key] for key, name in LIBRARIES.items() if key in app.extensions}
    if not mails:
        yield tell("setup.mail.none")
    for name, mail in mails.items():
        if not any(kind.__module__.startswith("flask_optout.mailers.") for kind in type(mail).__mro__):
            yield tell("setup.mail.ungated", name=name)
        elif getattr(mail, "suppress", False):
            yield tell("setup.mail.suppressed")
        else:
            yield tell("setup.mail", name=name)


def operator(app: Flask, state: State) -> Iterator[Finding]:
    """Whether operators can find and send again what was sent."""
    yield tell("setup.operator.none" if state.operator is None else "setup.operator")


def log(app: Flask, state: State) -> Iterator[Finding]:
    """Whether the Email Log is pruned."""
    days = app.config["OPTOUT_LOG_DAYS"]
    try:
        outdated = state.email_log.outdated(days + 1) > 0  # which leaves cron a day
    except OptOutError:  # said of the store
        return
    yield tell("setup.log.old" if outdated else "setup.log", days=days)


def wall(app: Flask, state: State) -> Iterator[Finding]:
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


Check = Callable[[Flask, State], Iterator[Finding]]
#: One function for each thing that must be there.
CHECKS: tuple[Check, ...] = (keys, address, store, journal, clock, mailer, wall, operator, log)


def setup(app: Flask, state: State) -> Iterator[Finding]:
    """What is wrong with the set-up."""
    for check in CHECKS:
        yield from check(app, state)
