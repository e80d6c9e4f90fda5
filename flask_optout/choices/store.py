"""The one way to the database: a connection and a transaction of our own, and an end to waiting."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import StoreUnavailable
from .host_transaction import HostTransaction
from .time_limit import Call, Helpers, Late, TooManyHang

T = TypeVar("T")

#: Serialization failures and deadlocks, as SQLSTATE (ISO 9075-2) and as MariaDB and MySQL number them.
CONFLICT_STATES = {"40001", "40P01"}
CONFLICT_NUMBERS = {1020, 1213}
MOST_ATTEMPTS = 10


class Store:
    """Runs pieces of work in transactions, each within a time limit.

    :param engine: gives the engine of the app at hand.
    :param timeout: seconds after which a call ends, whatever the database or the network does.
    :param host: the host's own transaction, which must not be waited for.
    """

    def __init__(
        self, engine: Callable[[], sa.Engine], timeout: float = 2.0, host: HostTransaction | None = None
    ) -> None:
        self.engine = engine
        self._timeout = timeout
        self._host = host or HostTransaction(lambda: None)
        self._helpers = Helpers()
        self._turn = threading.Lock()

    def read(self, work: Callable[[sa.Connection], T], patience: float = 1.0) -> T:
        """What ``work`` finds in a fresh transaction.

        :param patience: how many times the usual time it may take.
        :raises StoreUnavailable: when the database does not answer in time.
        """
        with _told():
            return self._host.read(self.engine(), work, lambda work: self._run(work, patience, commit=False))

    def write(self, work: Callable[[sa.Connection], T], patience: float = 1.0) -> T:
        """Do ``work`` so that it stays, whatever the host does with its own transaction.

        :param work: what to do; doing it twice must be the same as doing it once.
        :param patience: how many times the usual time it may take.
        :raises StoreUnavailable: when the database does not take it in time.
        """
        with _told():
            return self._host.write(self.engine(), work, lambda work: self._run(work, patience, commit=True))

    def _run(self, work: Callable[[sa.Connection], T], patience: float, commit: bool) -> T:
        engine, seconds = self.engine(), self._timeout * patience
        deadline = time.monotonic() + seconds

        def attempts(call: Call[T]) -> T:
            for attempt in range(MOST_ATTEMPTS):
                try:
                    with self._in_turn(engine, deadline) if commit else nullcontext():
                        return _transaction(engine, work, deadline, call if commit else None)
                except DBAPIError as error:
                    if attempt + 1 == MOST_ATTEMPTS or not _passes(error) or time.monotonic() >= deadline:
                        raise
                time.sleep(random.uniform(0, min(0.05, 0.002 * 2**attempt)))
            raise AssertionError("unreachable")

        with _told(engine.dialect.loaded_dbapi.Error):
            try:
                return self._helpers.run(attempts, seconds)
            except Late:
                raise _unavailable(f"no answer within {seconds:g} s") from None
            except TooManyHang:
                raise _unavailable("earlier calls still hang") from None

    @contextmanager
    def _in_turn(self, engine: sa.Engine, deadline: float) -> Iterator[None]:
        """SQLite has one writer, and those who wait for it look seldom whether it is their turn; queue them here."""
        if engine.dialect.name != "sqlite":
            yield
            return
        if not self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Late
        try:
            yield
        finally:
            self._turn.release()


def _transaction(
    engine: sa.Engine, work: Callable[[sa.Connection], T], deadline: float, committing: Call[T] | None
) -> T:
    with engine.connect() as connection, _limited(connection, deadline - time.monotonic()):
        result = work(connection)
        if committing is not None:
            # Whoever asked was told that nothing changed.
            if committing.given_up:
                raise Late
            connection.commit()
        elif engine.dialect.name == "postgresql":
            # It has only read; but on a rollback psycopg forgets the statements that it has prepared.
            connection.commit()
        return result


@contextmanager
def _limited(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """Let the database itself end what takes too long, so that no connection is left hanging there.

    The connection is the host's and goes back to its pool as it was.
    """
    milliseconds = max(1, int(seconds * 900))  # a little before the helper is given up
    match connection.dialect.name:
        case "postgresql":
            limit = f"set_config('statement_timeout', '{milliseconds}', true)"
            ask = f"SELECT current_setting('transaction_read_only'), {limit}"
            _refuse_read_only(connection.exec_driver_sql(ask).scalar() == "on")
            yield
        case "sqlite":
            # Past SQLAlchemy, whose price for these statements is that of the work itself.
            pragma: Any = connection.connection.driver_connection
            _refuse_read_only(pragma.execute("PRAGMA query_only").fetchone()[0])
            (before,) = pragma.execute("PRAGMA busy_timeout").fetchone()
            pragma.execute(f"PRAGMA busy_timeout = {milliseconds}")
            try:
                yield
            finally:
                pragma.execute(f"PRAGMA busy_timeout = {before}")
        case "mysql" | "mariadb":
            read_only = (
                "@@tx_read_only" if getattr(connection.dialect, "is_mariadb", False) else "@@transaction_read_only"
            )
            _refuse_read_only(connection.exec_driver_sql(f"SELECT {read_only} OR @@global.read_only").scalar())
            whole = max(1, round(seconds))
            connection.exec_driver_sql(
                "SET @optout_ddl = @@lock_wait_timeout, @optout_row = @@innodb_lock_wait_timeout, "
                f"lock_wait_timeout = {whole}, innodb_lock_wait_timeout = {whole}"
            )
            try:
                yield
            finally:
                _restore(connection, "SET lock_wait_timeout = @optout_ddl, innodb_lock_wait_timeout = @optout_row")
        case _:
            yield


def _refuse_read_only(read_only: Any) -> None:
    """A database that takes no mutes may be a replica that lags, and tells nobody who has just opted out."""
    if read_only:
        raise _unavailable("it is read-only")


def _restore(connection: sa.Connection, statement: str) -> None:
    if not connection.invalidated:
        try:
            connection.exec_driver_sql(statement)
        except SQLAlchemyError:
            connection.invalidate()


def _passes(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is tried again at once."""
    original = error.orig
    if error.connection_invalidated:  # by a restart of the database, say, while the connection lay in the pool
        return True
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    name = getattr(original, "sqlite_errorname", "")
    number = original.args[0] if original is not None and original.args else None
    return state in CONFLICT_STATES or name.startswith("SQLITE_BUSY") or number in CONFLICT_NUMBERS


@contextmanager
def _told(*errors: type[Exception]) -> Iterator[None]:
    """Not chained: the error of a statement shows its values."""
    try:
        yield
    except (SQLAlchemyError, OSError, *errors) as error:  # type: ignore[misc]
        raise _unavailable(_reason(error)) from None


def _reason(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    number, *rest = original.args or ("",)
    text = str(rest[0] if isinstance(number, int) and rest else number).strip().partition("\n")[0]
    # Some databases quote the values that they refuse, and an address may be among them.
    return type(original).__name__ if "@" in text or not text else f"{type(original).__name__}: {text[:200]}"


def _unavailable(reason: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"The choices could not be reached ({reason}).",
        "Nobody can tell who opted out, so no invitation leaves and no choice is recorded.",
        "Check SQLALCHEMY_DATABASE_URI and the database, run 'flask optout init-db' if its tables are "
        "missing, and try again.",
    )
