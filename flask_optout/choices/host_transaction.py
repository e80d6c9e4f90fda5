"""Where the host's own transaction holds an SQLite file: write without waiting for it, and lose nothing by it.

SQLite has one writer. If the host's session has written in this request and not committed yet, a write of ours on
another connection would wait for a transaction that ends only after us. So it goes into a savepoint on the host's
connection, which neither commits nor rolls back anything of the host's; and unless the host commits, it is done again
on a connection of our own as soon as the host's transaction is over, which is before the response leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, SessionTransaction

T = TypeVar("T")
Work = Callable[[sa.Connection], T]
INFO = "flask_optout"


class HostTransaction:
    """The transaction that the host may have open.

    :param session: gives the host's session of the app at hand, or ``None`` when there is none yet.
    """

    def __init__(self, session: Callable[[], Session | None]) -> None:
        self._session = session

    def write(self, engine: sa.Engine, work: Work[T], alone: Callable[[Work[T]], T]) -> T:
        """Do ``work`` so that it stays, whatever the host does with its transaction.

        :param work: what to do on a connection; doing it twice must be the same as doing it once.
        :param alone: does it in a transaction of our own.
        """
        session = self._session()
        held = None if session is None else _held(session, engine)
        if session is not None and held is not None:
            with suppress(SQLAlchemyError):  # such as a lock that another process has
                with held.begin_nested():
                    result = work(held)
                _Unsettled.of(session).works.append(lambda: alone(work))
                return result
        return alone(work)

    def read(self, engine: sa.Engine, work: Work[T], alone: Callable[[Work[T]], T]) -> T:
        """Do ``work``, which only reads, where it sees what was written.

        :param alone: does it in a transaction of our own, which sees what others have committed by now.
        """
        session = self._session()
        if session is not None and INFO in session.info and session.info[INFO].works:
            held = _held(session, engine)
            if held is not None:
                return work(held)
        return alone(work)


def _held(session: Session, engine: sa.Engine) -> sa.Connection | None:
    """The connection by which the host's session has a transaction open on this SQLite database."""
    if engine.dialect.name != "sqlite" or not session.in_transaction() or not session.is_active:
        return None
    connection = session.connection(bind_arguments={"bind": engine})
    driver: Any = connection.connection.driver_connection
    return connection if driver.in_transaction else None


class _Unsettled:
    """What was written in the host's transaction and is not known to be committed."""

    def __init__(self, session: Session) -> None:
        self.works: list[Callable[[], object]] = []
        self._lost = False
        event.listen(session, "after_commit", self._after_commit)
        event.listen(session, "after_soft_rollback", self._after_soft_rollback)
        event.listen(session, "after_transaction_end", self._after_transaction_end)

    @classmethod
    def of(cls, session: Session) -> _Unsettled:
        if INFO not in session.info:
            session.info[INFO] = cls(session)
        found = session.info[INFO]
        assert isinstance(found, cls)
        return found

    def _after_commit(self, session: Session) -> None:
        if not (session.in_nested_transaction() or self._lost):
            self.works.clear()

    def _after_soft_rollback(self, session: Session, previous: SessionTransaction) -> None:
        self._lost = True  # perhaps only a savepoint of the host's, but what we wrote may have been in it

    def _after_transaction_end(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            works, self.works, self._lost = self.works, [], False
            for work in works:
                work()
