"""Connections and transactions on the host's engine."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from ..errors import StoreUnavailable

T = TypeVar("T")
Work = Callable[[sa.Connection], T]
Read = Callable[[Work[Any]], Any]

#: Serialization failures and deadlocks, as SQLSTATE (ISO 9075-2) and as MariaDB and MySQL number them.
CONFLICT_STATES = {"40001", "40P01"}
CONFLICT_NUMBERS = {1020, 1213}
#: Seconds for which a transaction that met a conflict is tried again.
RETRY_SECONDS = 2.0


class Store:
    """The database of one app's choices and of its Email Log.

    Every call takes a connection from the host's pool; how long it may wait is set on the host's engine.

    :param engine: gives the engine of the current app.
    :param session: gives the host's session of the current app, or ``None`` when there is none yet.
    """

    def __init__(self, engine: Callable[[], sa.Engine], session: Callable[[], Session | None]) -> None:
        self.engine = engine
        self._session = session

    def read(self, work: Work[T]) -> T:
        """What ``work`` returns, given a connection; it must fetch all rows.

        :raises StoreUnavailable: when the database does not answer.
        """
        engine = self.engine()
        with _reported(engine), _reading(engine) as connection:
            return work(connection)

    @contextmanager
    def held(self) -> Iterator[Read]:
        """A connection for many reads; each of them sees what was committed before it began.

        :raises StoreUnavailable: when the database does not answer.
        """
        engine = self.engine()
        if engine.dialect.name != "sqlite":
            # Where reads begin a transaction, a later read would see what an earlier one saw.
            engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        with ExitStack() as stack:
            with _reported(engine):  # and not what the caller does while it holds the connection
                connection = stack.enter_context(_reading(engine))

            def read(work: Work[Any]) -> Any:
                with _reported(engine):
                    try:
                        return work(connection)
                    finally:
                        connection.rollback()  # where the host's engine begins a transaction for a read

            yield read

    def write(self, work: Work[T]) -> T:
        """Commit ``work`` in a transaction of its own; it is run again after a deadlock.

        :raises StoreUnavailable: when the database does not take it, or when, on SQLite, the host's own transaction
            has written to this database and is still open.
        """
        engine = self.engine()
        if engine.dialect.name == "sqlite" and self._host_writes(engine):
            raise StoreUnavailable(
                "The app's own database transaction has written and is not committed.",
                "SQLite has one writer, so the choice cannot be stored before that transaction ends.",
                "Commit the session before you call Flask-OptOut.",
            )
        with _reported(engine):
            return _retried(lambda: _transaction(engine, work))

    def record(self, work: Work[T]) -> T:
        """Write a row of the Email Log.

        On SQLite, where the host's own transaction has written to this database and is still open, the row goes into
        a savepoint of it and shares its fate; elsewhere as :meth:`write`.

        :raises StoreUnavailable: when the database does not take it.
        """
        engine = self.engine()
        if engine.dialect.name != "sqlite":
            return self.write(work)
        with _reported(engine):
            if _in_memory(engine):
                if _driver_connection(engine).in_transaction:
                    with _sharing(engine) as connection, connection.begin_nested():
                        return work(connection)
            elif (host := self._host_connection(engine)) is not None:
                if _driver_of(host).isolation_level is None:  # it may have only read, see _host_writes
                    with suppress(OperationalError):
                        return _transaction_at_once(engine, work)
                with host.begin_nested():
                    return work(host)
        return self.write(work)

    def _host_writes(self, engine: sa.Engine) -> bool:
        if _in_memory(engine):
            return bool(_driver_connection(engine).in_transaction)
        host = self._host_connection(engine)
        # Where the host sends BEGIN by itself, an open transaction may have only read.
        return host is not None and _driver_of(host).isolation_level is not None

    def _host_connection(self, engine: sa.Engine) -> sa.Connection | None:
        """The connection on which the host's session has a transaction open on this SQLite database."""
        session = self._session()
        if session is None or not session.in_transaction() or not session.is_active:
            return None
        connection = session.connection(bind_arguments={"bind": engine})
        return connection if _driver_of(connection).in_transaction else None


def _transaction(engine: sa.Engine, work: Work[T]) -> T:
    if not _in_memory(engine):
        with engine.begin() as connection:
            return work(connection)
    driver = _driver_connection(engine)
    with _sharing(engine) as connection:
        driver.execute("BEGIN")
        try:
            result = work(connection)
        except BaseException:
            driver.rollback()
            raise
        driver.commit()
        return result


def _transaction_at_once(engine: sa.Engine, work: Work[T]) -> T:
    """As :func:`_transaction`, on an SQLite file, without waiting for its lock."""
    with engine.connect() as connection:
        driver = _driver_of(connection)
        (wait,) = driver.execute("PRAGMA busy_timeout").fetchone()
        driver.execute("PRAGMA busy_timeout = 0")
        try:
            result = work(connection)
            connection.commit()
            return result
        finally:
            connection.rollback()
            driver.execute(f"PRAGMA busy_timeout = {wait}")


@contextmanager
def _reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    if _in_memory(engine):
        with _sharing(engine) as connection:
            yield connection
        return
    if engine.dialect.name == "postgresql":  # elsewhere the change of the isolation level costs more than it saves
        engine = engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def _in_memory(engine: sa.Engine) -> bool:
    """Whether all of a thread's work on this SQLite database shares one connection."""
    return engine.dialect.name == "sqlite" and isinstance(engine.pool, StaticPool | SingletonThreadPool)


@contextmanager
def _sharing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """The one connection to an in-memory database, without the commit or rollback with which a pool returns it."""
    driver = _driver_connection(engine)
    beside = sa.create_engine("sqlite://", creator=lambda: driver, poolclass=StaticPool, pool_reset_on_return=None)
    for end in ("do_commit", "do_rollback"):
        setattr(beside.dialect, end, lambda connection: None)
    with beside.connect() as connection:
        yield connection


def _driver_connection(engine: sa.Engine) -> Any:
    if isinstance(engine.pool, StaticPool):
        return engine.pool.connection.driver_connection
    borrowed = engine.raw_connection()  # the host's own, where it has one checked out
    try:
        return borrowed.driver_connection
    finally:
        borrowed.close()


def _driver_of(connection: sa.Connection) -> Any:
    return connection.connection.driver_connection


def _retried(attempt: Callable[[], T]) -> T:
    deadline, pause = time.monotonic() + RETRY_SECONDS, 0.002
    while True:
        try:
            return attempt()
        except DBAPIError as error:
            if not _may_pass(error) or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0, pause))
        pause = min(0.05, 2 * pause)


def _may_pass(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is run again."""
    original = error.orig
    if error.connection_invalidated:  # for example by a restart of the server while the connection lay in the pool
        return True
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    name = getattr(original, "sqlite_errorname", "")
    number = original.args[0] if original is not None and original.args else None
    return state in CONFLICT_STATES or name.startswith("SQLITE_BUSY") or number in CONFLICT_NUMBERS


@contextmanager
def _reported(engine: sa.Engine) -> Iterator[None]:
    """Turn errors of the database and its driver into StoreUnavailable; not chained, as they show parameters."""
    try:
        yield
    except (SQLAlchemyError, OSError, engine.dialect.loaded_dbapi.Error) as error:
        raise StoreUnavailable(
            f"The database could not be used ({_reason(error)}).",
            "Nobody can tell who opted out, so no invitation leaves and no choice is recorded.",
            "Check SQLALCHEMY_DATABASE_URI and the database, run 'flask optout init-db' if its tables are "
            "missing, and try again.",
        ) from None


def _reason(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    number, *rest = original.args or ("",)
    text = str(rest[0] if isinstance(number, int) and rest else number).strip().partition("\n")[0]
    # Some databases quote the values that they refuse, and an address may be among them.
    return type(original).__name__ if "@" in text or not text else f"{type(original).__name__}: {text[:200]}"
