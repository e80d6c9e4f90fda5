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
from ..links.tokens import Door
from ..wiring import State
from .doors import PROBE, PROBE_OPPORTUNITY
from .finding import Finding, Severity, of_error, ok, unknown
from .walls import find_wall

MOST_SECONDS_APART = 120
#: Where mail libraries stand in an app, and their names.
LIBRARIES = {"mail": "flask_mail", "mailman": "flask_mailman"}


def keys(app: Flask, state: State) -> Iterator[Finding]:
    """Whether there are keys, and ones of their own."""
    try:
        count = len(state.key_slots.keys)
    except OptOutError as error:
        yield of_error("setup.keys", error)
        return
    if app.config["OPTOUT_KEYS"] is not None:
        yield ok("setup.keys", f"OPTOUT_KEYS holds {count} key{'s' if count > 1 else ''}.")
        return
    yield Finding(
        "setup.keys",
        Severity.WARN,
        "The keys come from SECRET_KEY.",
        "Whoever replaces SECRET_KEY stops all invitations, until the old one is back among its fallbacks.",
        "Put a key of its own in front of SECRET_KEY and its fallbacks, restart every process, then run this.",
        paste='OPTOUT_KEYS = ["(a new key)", SECRET_KEY, *SECRET_KEY_FALLBACKS]\nflask optout rotate-key',
    )


def address(app: Flask, state: State) -> Iterator[Finding]:
    """Whether links lead to where candidates are."""
    try:
        url = urlsplit(state.links.url(Door.LANDING, PROBE, PROBE_OPPORTUNITY))
    except OptOutError as error:
        yield of_error("setup.base-url", error)
        return
    if url.scheme == "https":
        yield ok("setup.base-url", f"Links lead to https://{url.netloc}.")
        return
    yield Finding(
        "setup.base-url",
        Severity.WARN,
        f"Links lead to http://{url.netloc}, which is this machine.",
        "No candidate can open them, and mail programs show their opt-out button for https alone.",
        "Set it to where candidates reach this app.",
        "RFC 8058 section 3.1",
        paste='OPTOUT_BASE_URL = "https://jobs.example.org"',
    )


def store(app: Flask, state: State) -> Iterator[Finding]:
    """Whether the choices can be kept and read."""
    try:
        engine = state.engine()
        with engine.connect() as connection:
            lacking = list(_lacking(sa.inspect(connection), state.tables.all()))
    except SQLAlchemyError as error:
        yield Finding(
            "setup.store",
            Severity.FAIL,
            f"The database cannot be reached ({type(error).__name__}).",
            "Nobody can tell who opted out, so no invitation leaves.",
            "Check SQLALCHEMY_DATABASE_URI, and that the database runs.",
        )
        return
    if lacking:
        yield Finding(
            "setup.tables",
            Severity.FAIL,
            f"The database lacks {', '.join(lacking)}.",
            "Without them no choice is kept, so no invitation leaves.",
            "Create them; where Flask-Migrate keeps the tables, with flask db migrate and flask db upgrade.",
            paste="flask optout init-db",
        )
        return
    yield ok("setup.tables", f"The {engine.dialect.name} database has all tables.")
    try:
        state.choices.read([])
    except OptOutError as error:
        yield of_error("setup.store", error)
    else:
        yield ok("setup.store", "The choices can be read with these keys.")


def journal(app: Flask, state: State) -> Iterator[Finding]:
    """Whether choices are written a second time, outside the database."""
    try:
        kept = state.journal
        if kept is not None:
            kept.number()
    except OptOutError as error:
        yield of_error("setup.journal", error)
        return
    if kept is not None:
        yield ok("setup.journal", "The journal of choices can be read.")
        return
    yield Finding(
        "setup.journal",
        Severity.NOTE,
        "There is no journal of choices.",
        "Nobody notices when the database is restored from an old backup, and later opt-outs are lost.",
        "Name a file that is backed up apart from the database, then begin it.",
        paste='OPTOUT_JOURNAL = "/var/lib/(your app)/optout.journal"\nflask optout replay --new',
    )


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
    if seconds is None:
        return
    if seconds <= MOST_SECONDS_APART:
        yield ok("setup.clock", "This machine and the database agree on the time.")
        return
    yield Finding(
        "setup.clock",
        Severity.WARN,
        f"The clocks of this machine and of the database are {seconds:.0f} seconds apart.",
        "The days of choices come out wrong, and signatures with a date in the future are refused.",
        "Let both set their clocks by NTP.",
        paste="timedatectl set-ntp true",
    )


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
        seen = "This app has neither Flask-Mail nor Flask-Mailman."
        why = "Invitations that leave by another way must pass the gate too."
        yield Finding("setup.mail", Severity.NOTE, seen, why, "Hand messages off by optout.send_invitations().")
    for name, mail in mails.items():
        if not any(kind.__module__.startswith("flask_optout.mailers.") for kind in type(mail).__mro__):
            yield Finding(
                "setup.mail",
                Severity.FAIL,
                f"The app's Mail is that of {name}, which does not know the gate.",
                "It refuses every invitation: one that it sent would reach people who opted out.",
                "Make your mail object with the Mail of Flask-OptOut, which takes the same settings.",
                paste=f"from flask_optout.mailers.{name} import Mail",
            )
        elif getattr(mail, "suppress", False):
            seen = "Mail is suppressed in this app (MAIL_SUPPRESS_SEND, or TESTING)."
            paste = "MAIL_SUPPRESS_SEND = False"
            yield Finding("setup.mail.suppressed", Severity.WARN, seen, "No invitation leaves.", paste=paste)
        else:
            yield ok("setup.mail", f"The app's Mail ({name}) passes the gate.")


def operator(app: Flask, state: State) -> Iterator[Finding]:
    """Whether operators can find and send again what was sent."""
    if state.operator is not None:
        yield ok("setup.operator", "The Email Log has pages, behind the guard of this app.")
        return
    seen = "The Email Log has no pages, as OptOut was given no guard."
    why = "Operators cannot find an invitation that a candidate has lost, or send it again."
    mend = "Say who is an operator, with a function or a decorator of your login library."
    yield Finding("setup.operator", Severity.NOTE, seen, why, mend, paste="OptOut(db, app, operator=login_required)")


def wall(app: Flask, state: State) -> Iterator[Finding]:
    """Whether the host's own hooks let candidates and mail programs through."""
    try:
        found = find_wall(app)
    except OptOutError:  # said of the base URL, or of the keys
        return
    if found is None:
        yield ok("setup.wall", "No login, CSRF check or other hook of this app stands before the candidate's pages.")
        return
    mend, _, code = found.mend.partition("\n")
    paste = textwrap.dedent(code)
    yield Finding("setup.wall", Severity.FAIL, found.what, found.why, mend, "RFC 8058 section 3.2", paste=paste)


Check = Callable[[Flask, State], Iterator[Finding]]
#: One function for each thing that must be there.
CHECKS: tuple[Check, ...] = (keys, address, store, journal, clock, mailer, wall, operator)


def setup(app: Flask, state: State) -> Iterator[Finding]:
    """What is wrong with the set-up."""
    for check in CHECKS:
        yield from check(app, state)
