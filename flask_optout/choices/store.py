"""Connections and transactions on the host's engine."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from ..errors import StoreUnavailable

T = TypeVar("T")
Work = Callable[[sa.Connection], T]
Read = Callable[[Work[Any]], Any]

#: Serialization failures, deadlocks and locks, as SQLSTATE (ISO 9075-2), MariaDB numbers and SQLite names.
CONFLICTS: set[Any] = {"40001", "40P01", 1020, 1213}
CONFLICTS |= {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED_SHAREDCACHE"}
#: NOT NULL violations, likewise, with the number of Oracle, which treats an empty string as NULL.
MISSING: set[Any] = {"23502", 1048, 1400, "SQLITE_CONSTRAINT_NOTNULL"}
#: Seconds for which a transaction is retried after a conflict.
RETRY_SECONDS = 2.0


class KeyTaken(Exception):
    """Another row already has this primary key."""


def insert(connection: sa.Connection, table: sa.Table, *rows: dict[str, Any]) -> None:
    """Insert rows; raise KeyTaken if another row has the primary key of one."""
    try:
        connection.execute(table.insert(), rows if len(rows) > 1 else rows[0])  # executemany is slower for one row
    except IntegrityError as error:
        if _has_code(MISSING, error):  # with another key it would fail as well
            raise
        raise KeyTaken from None  # our tables have no other constraint; each driver names this one differently


class Store:
    """The database of one app's choices and Email Log, reached through the connection pool of the host's engine.

    ``session`` gives the host's session, if it has begun one. Every method raises StoreUnavailable when the database
    does not answer.
    """

    def __init__(self, engine: Callable[[], sa.Engine], session: Callable[[], Session | None]) -> None:
        self.engine = engine
        self._session = session
        self._engines: tuple[sa.Engine, sa.Engine] | None = None

    def _engine(self) -> sa.Engine:
        """Return an engine that shares the pool of the host's engine, but logs no values."""
        engine = self.engine()
        if self._engines is None or self._engines[0] is not engine:
            self._engines = engine, _silence(engine.execution_options())
        return self._engines[1]

    def read(self, work: Work[T]) -> T:
        """Call ``work`` with a connection and return its result; it must fetch all rows."""
        engine = self._engine()
        with _reporting(engine):
            return _retry(partial(_read, engine, work))

    @contextmanager
    def hold(self) -> Iterator[Read]:
        """Hold a connection for many reads, each of which sees everything committed before it began."""
        engine = self._engine()
        with ExitStack() as stack:
            with _reporting(engine):  # not around the yield, as the caller's errors are its own
                connection = stack.enter_context(_reading(engine))
                _see_each_commit(connection)

            def attempt(work: Work[Any]) -> Any:
                if connection.invalidated:  # its replacement lacks the settings of the lost one
                    connection.rollback()
                    _see_each_commit(connection)
                try:
                    return work(connection)
                finally:
                    if engine.dialect.name == "sqlite":  # end what the host's engine may have begun
                        connection.rollback()

            def read(work: Work[Any]) -> Any:
                with _reporting(engine):
                    return _retry(lambda: attempt(work))

            yield read

    def write(self, work: Work[T], single: bool = False, shares: bool = False) -> T:
        """Commit ``work`` in a transaction of its own; it is retried after a conflict.

        :param single: whether it is one statement, which PostgreSQL commits without BEGIN and COMMIT.
        :param shares: whether, while the host's transaction has locked this SQLite database, the work runs in a
            savepoint of that transaction and is lost if it is rolled back; otherwise the work is refused.
        """
        engine = self._engine()
        with _reporting(engine):
            host = self._find_host_driver(engine)
            if host is None or _may_have_only_read(engine, host):
                wait = host is None or not shares
                attempt = partial(_run_transaction, engine, work, single, wait)
                try:
                    return _retry(attempt) if wait else attempt()
                except OperationalError as error:
                    if host is None or not _has_code(CONFLICTS, error):
                        raise
            if shares:
                with _sharing(engine, host) as connection, connection.begin_nested():
                    return work(connection)
        raise StoreUnavailable(
            "The app's own database transaction is open, and nothing else can be written before it ends.",
            "SQLite has one writer at a time, and what a candidate says must outlive the app's rows.",
            "Commit the session before you call Flask-OptOut.",
        )

    def record(self, work: Work[T], single: bool = False) -> T:
        """Write to the Email Log: as :meth:`write`, if need be in a savepoint of the host's transaction."""
        return self.write(work, single, shares=True)

    def _find_host_driver(self, engine: sa.Engine) -> Any:
        """Return the SQLite connection with an open transaction of the host, or ``None``."""
        if engine.dialect.name != "sqlite":
            return None
        driver = _get_driver_connection(engine) if _is_in_memory(engine) else None
        if driver is None or getattr(driver, "autocommit", None) is False:  # a mode in which one is always open
            driver = self._find_session_driver(engine)
        return driver if driver is not None and driver.in_transaction else None

    def _find_session_driver(self, engine: sa.Engine) -> Any:
        session = self._session()
        transaction = None if session is None or not session.is_active else session.get_transaction()
        # Not session.connection(), which would take a connection from the pool if the session has none.
        begun = () if transaction is None else transaction._connections.values()
        drivers = (each.connection.driver_connection for each, *_ in begun if each.engine.pool is engine.pool)
        return next(drivers, None)


def _silence(engine: sa.Engine) -> sa.Engine:
    """Set an engine to log no values: they would show an address beside its pseudonym."""
    engine.hide_parameters = True
    engine._should_log_debug = lambda: False  # type: ignore[method-assign]  # log no rows either
    return engine


def _may_have_only_read(engine: sa.Engine, host: Any) -> bool:
    """Return whether the host's transaction may have only read: a driver may begin it before any write."""
    begins_late = host.isolation_level is not None and not isinstance(getattr(host, "autocommit", None), bool)
    return not begins_late and not _is_in_memory(engine)


@contextmanager
def _committing(driver: Any) -> Iterator[None]:
    """Run a transaction on an SQLite connection, in any transaction mode of :mod:`sqlite3`."""
    if not driver.in_transaction:
        driver.execute("BEGIN")
    try:
        yield
        driver.execute("COMMIT")
    finally:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        if getattr(driver, "autocommit", None) is False:
            driver.execute("BEGIN")


def _read(engine: sa.Engine, work: Work[T]) -> T:
    with _reading(engine) as connection:
        return work(connection)


def _run_transaction(engine: sa.Engine, work: Work[T], single: bool, wait: bool) -> T:
    """Commit ``work``; without ``wait``, fail at once if an SQLite file is locked."""
    if single and engine.dialect.name == "postgresql":
        return _read(engine, work)
    if _is_in_memory(engine):
        shared = _get_driver_connection(engine)
        with _sharing(engine, shared) as connection, _committing(shared):
            return work(connection)
    with engine.connect() as connection, ExitStack() as stack:
        driver: Any = connection.connection.driver_connection
        if _autocommits(connection):
            connection.execution_options(isolation_level=connection.default_isolation_level)
            stack.callback(connection.invalidate)  # a reset would not restore the mode that the host set
        if not wait:
            (timeout,) = driver.execute("PRAGMA busy_timeout").fetchone()
            driver.execute("PRAGMA busy_timeout = 0")
            stack.callback(driver.execute, f"PRAGMA busy_timeout = {timeout}")
        with connection.begin():
            if engine.dialect.name == "sqlite" and driver.isolation_level is None and not driver.in_transaction:
                connection.exec_driver_sql("BEGIN")  # which the host told the driver not to send
            return work(connection)


@contextmanager
def _reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    if _is_in_memory(engine):
        with _sharing(engine, _get_driver_connection(engine)) as connection:
            yield connection
        return
    with (_Reading if engine.dialect.name == "sqlite" else sa.Connection)(engine) as connection:
        if engine.dialect.name == "postgresql":  # elsewhere it costs more than it saves before a single read
            _see_each_commit(connection)
        yield connection


def _see_each_commit(connection: sa.Connection) -> None:
    """Read in autocommit mode: in one transaction, later reads might see only an old snapshot."""
    if connection.dialect.name != "sqlite" and not _autocommits(connection):
        connection.begin().commit()  # end what a listener of the host began, as by SET search_path
        connection.execution_options(isolation_level="AUTOCOMMIT")


def _autocommits(connection: sa.Connection) -> bool:
    """Return whether the host set a server's driver or engine to commit each statement."""
    driver: Any = connection.connection.driver_connection
    return getattr(driver, "get_autocommit", lambda: getattr(driver, "autocommit", None))() is True


class _Reading(sa.Connection):
    """A connection whose reads take no lock, even if the host emits "BEGIN IMMEDIATE" for each transaction."""

    def _begin_impl(self, transaction: sa.RootTransaction) -> None:
        pass


def _is_in_memory(engine: sa.Engine) -> bool:
    """Return whether all work of a thread on this SQLite database shares one connection."""
    return engine.dialect.name == "sqlite" and isinstance(engine.pool, StaticPool | SingletonThreadPool)


@contextmanager
def _sharing(engine: sa.Engine, driver: Any) -> Iterator[sa.Connection]:
    """Yield a connection of the host that fires no events of its engine and never commits or rolls back."""
    dialect: Any = copy.copy(engine.dialect)
    dialect.do_commit = dialect.do_rollback = lambda connection: None
    pool = StaticPool(lambda: driver, reset_on_return=None, dialect=dialect)
    with _silence(sa.Engine(pool, dialect, engine.url)).connect() as connection:
        if schemas := engine.get_execution_options().get("schema_translate_map"):
            connection.execution_options(schema_translate_map=schemas)
        yield connection


def _get_driver_connection(engine: sa.Engine) -> Any:
    if isinstance(engine.pool, StaticPool):
        return engine.pool.connection.driver_connection
    with closing(engine.raw_connection()) as borrowed:  # the host's own, if it has one checked out
        return borrowed.driver_connection


def _retry(attempt: Callable[[], T]) -> T:
    deadline, pause = time.monotonic() + RETRY_SECONDS, 0.002
    while True:
        try:
            return attempt()
        except DBAPIError as error:
            may_pass = error.connection_invalidated or _has_code(CONFLICTS, error)  # such as after a server restart
            if not may_pass or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0, pause))
        pause = min(0.05, 2 * pause)


def _has_code(kind: set[Any], error: DBAPIError) -> bool:
    """Return whether an error has one of these codes, wherever its driver puts them."""
    codes = [getattr(error.orig, name, None) for name in ("sqlstate", "pgcode", "errno", "sqlite_errorname")]
    for first in getattr(error.orig, "args", ())[:1]:
        codes += [first.get("C") if isinstance(first, dict) else first, getattr(first, "code", None)]
    return any(isinstance(each, str | int) and each in kind for each in codes)


@contextmanager
def _reporting(engine: sa.Engine) -> Iterator[None]:
    """Turn errors of the database and its driver into StoreUnavailable, unchained, as they show parameters."""
    try:
        yield
    # Drivers raise ValueError for what they cannot encode, such as a letter missing in the database's charset.
    except (SQLAlchemyError, OSError, ValueError, engine.dialect.loaded_dbapi.Error) as error:
        raise StoreUnavailable(
            f"The database could not be used ({_describe(error)}).",
            "Nobody can tell who opted out, so no invitation leaves and no choice is recorded.",
            "Check SQLALCHEMY_DATABASE_URI and the database, run 'flask optout init-db' if its tables are "
            "missing, and try again.",
        ) from None


def _describe(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    first, *rest = original.args or ("",)
    message = first.get("M") if isinstance(first, dict) else rest[0] if isinstance(first, int) and rest else first
    text = str(message).strip().partition("\n")[0]
    # Some databases quote rejected values, which may include an address.
    return type(original).__name__ if "@" in text or not text else f"{type(original).__name__}: {text[:200]}"
