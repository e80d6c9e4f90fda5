"""How the Email Log reaches its database: one way to read, one way to write, and ids that are made of time."""

from __future__ import annotations

import datetime
import secrets
import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ..choices.store import Store
from ..errors import StoreUnavailable
from .tables import NAME_SIZE, LogTables

Result = TypeVar("Result")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
#: Ids of one minute: many, so that two random ones are seldom the same.
PER_MINUTE = 2**36
LARGEST_ID = 2**63 - 1


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def id_at(moment: datetime.datetime) -> int:
    """The smallest id of a minute: rows are ordered, filtered by date, paged and pruned by their key alone."""
    return min((moment - EPOCH) // MINUTE * PER_MINUTE, LARGEST_ID)


def new_id() -> int:
    """An id of this minute, at random: rows of one minute have no order."""
    return id_at(now()) + secrets.randbelow(PER_MINUTE)


def time_of(id: int) -> datetime.datetime:
    """The minute, in UTC, that an id was made of."""
    return EPOCH + id // PER_MINUTE * MINUTE


def reason(error: BaseException) -> str:
    """Why a hand-off failed: the kind of error and the server's code (RFC 5321 section 4.2), never an address."""
    code = getattr(error, "smtp_code", None)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = next((code for code, _ in error.recipients.values()), None)
    name = type(error).__name__
    return (f"{name} {code}" if isinstance(code, int) else name)[:NAME_SIZE]


class LogStore:
    """The database of one app's Email Log."""

    def __init__(self, store: Store, tables: LogTables) -> None:
        self._store = store
        self.tables = tables

    def read(self, work: Callable[[sa.Connection], Result]) -> Result:
        """What ``work`` finds on a connection of its own.

        :raises StoreUnavailable: when the database does not answer.
        """
        with _unavailable():
            return self._store.read(work)

    def write(self, work: Callable[[sa.Connection], Result], single: bool = False) -> Result:
        """Do ``work`` so that it stays whatever the host does with its own transaction.

        :param work: what to do; doing it twice must be the same as doing it once.
        :raises StoreUnavailable: when the database does not take it.
        """
        with _unavailable():
            return self._store.record(work, single)


class KeyTaken(Exception):
    """Another row has this key already."""


def insert(connection: sa.Connection, table: sa.Table, *rows: dict[str, Any]) -> None:
    """Insert rows.

    :raises KeyTaken: when another row has the key of one.
    """
    try:
        connection.execute(table.insert(), rows)
    except IntegrityError:
        raise KeyTaken from None


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise StoreUnavailable(
            f"The Email Log {error.what.removeprefix('The choices ')}",
            "Every invitation is recorded before it leaves, so none leaves without it.",
            error.mend,
        ) from None
