"""Every statement on choices: set them, read them, filter a million addresses by them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from .addresses import Address, Recipient, parse
from .errors import AddressError, StoreUnavailable
from .host_transaction import HostTransaction
from .keys import KeyRing, Mark
from .tables import Tables, insert_if_absent, upsert
from .tokens import Claim, checked_opportunity

T = TypeVar("T")
#: Addresses read at once by `invitable`: enough to hide the round trip, few enough to stay far below 24 MiB.
CHUNK = 5_000
#: Marks in one statement: SQLite before 3.32 takes 999 parameters, and each mark costs one beside its scopes.
BATCH = 900


class Choice(NamedTuple):
    """What a candidate last said about one opportunity, by which door and on which day."""

    muted: bool
    source: str
    day: datetime.date
    sequence: int


class Choices:
    """The store of choices of one app; each call takes its own connection and its own transaction.

    :param engine: gives the engine of the app at hand.
    :param host: the host's own transaction, which must not be waited for.
    """

    def __init__(
        self, engine: Callable[[], sa.Engine], tables: Tables, ring: KeyRing, host: HostTransaction | None = None
    ) -> None:
        self._engine = engine
        self._tables = tables
        self._ring = ring
        self._host = host or HostTransaction(lambda: None)

    def set(self, claim: Claim, mark: Mark, muted: bool, source: str) -> None:
        """Store a choice in one atomic statement; when this returns, it is committed.

        :raises StoreUnavailable: when the database does not take it.
        """
        values = {
            "scope": mark.scope,
            "digest": mark.digest,
            "muted": muted,
            "source": source,
            "day": datetime.datetime.now(datetime.UTC).date(),
            "domain_tag": claim.domain_tag,
            "key_id": claim.key.id,
            "sequence": self._next_sequence(),
        }

        def write(connection: sa.Connection) -> None:
            upsert(connection, self._tables.choice, values)
            insert_if_absent(connection, self._tables.key, {"id": claim.key.id})

        self._host.write(self._engine(), write, self._alone)

    def read(self, marks: Iterable[Mark]) -> dict[Mark, Choice]:
        """The choices that stand at these marks, read afresh.

        :raises StoreUnavailable: when the database does not answer.
        :raises ConfigurationError: when choices are stored under a key that the ring lacks.
        """
        wanted = list(marks)

        def rows(connection: sa.Connection) -> dict[Mark, Choice]:
            self._check_keys(connection)
            return dict(self._rows(connection, wanted))

        return self._host.read(self._engine(), rows, self._alone)

    def muted(self, address: Address, opportunity: str) -> bool:
        """Whether any choice forbids to invite this address to this opportunity.

        :raises StoreUnavailable: as :meth:`read`.
        :raises ConfigurationError: as :meth:`read`.
        """
        groups = self._ring.marks(address, checked_opportunity(opportunity))
        choices = self.read(mark for group in groups for mark in group)
        return any(_newest_is_mute(group, choices) for group in groups)

    def invitable(self, addresses: Iterable[Recipient], opportunity: str) -> Iterator[Recipient]:
        """Those of ``addresses`` that may be invited, in their order, lazily and in bounded memory.

        :raises AddressError: at the first malformed address, after everything before it was yielded.
        :raises StoreUnavailable: as :meth:`read`.
        :raises ConfigurationError: as :meth:`read`.
        """
        name = checked_opportunity(opportunity)
        source = iter(addresses)
        position = 0
        while chunk := list(islice(source, CHUNK)):
            parsed: list[tuple[Recipient, list[list[Mark]]]] = []
            malformed: AddressError | None = None
            for recipient in chunk:
                position += 1
                try:
                    parsed.append((recipient, self._ring.marks(parse(recipient), name)))
                except AddressError as error:
                    malformed = AddressError(f"Address {position}: {error.what}", error.why, error.mend)
                    break
            choices = self.read(mark for _, groups in parsed for group in groups for mark in group)
            for recipient, groups in parsed:
                if not any(_newest_is_mute(group, choices) for group in groups):
                    yield recipient
            if malformed is not None:
                raise malformed

    def muted_before(self, opportunity: str, day: datetime.date) -> int:
        """How many were muted for an opportunity when this day began, as far as today's rows can tell.

        What was said since then is left out, so that a reading moves once for all of it.

        :raises StoreUnavailable: as :meth:`read`.
        """
        choice = self._tables.choice.c
        query = sa.select(sa.func.count()).where(
            choice.scope.in_([key.scope(opportunity) for key in self._ring.keys]),
            sa.or_(sa.and_(choice.muted, choice.day < day), sa.and_(~choice.muted, choice.day >= day)),
        )
        return self._alone(lambda connection: connection.scalar(query) or 0)

    def _rows(self, connection: sa.Connection, marks: list[Mark]) -> Iterator[tuple[Mark, Choice]]:
        choice = self._tables.choice
        columns = (choice.c.muted, choice.c.source, choice.c.day, choice.c.sequence)
        for start in range(0, len(marks), BATCH):
            batch = marks[start : start + BATCH]
            # Digests are unique across opportunities; the scopes are named so that the primary key serves.
            query = sa.select(choice.c.scope, choice.c.digest, *columns).where(
                choice.c.scope.in_({mark.scope for mark in batch}),
                choice.c.digest.in_([mark.digest for mark in batch]),
            )
            for scope, digest, *rest in connection.execute(query):
                yield Mark(bytes(scope), bytes(digest)), Choice(*rest)

    def _check_keys(self, connection: sa.Connection) -> None:
        self._ring.check({bytes(id) for id in connection.scalars(sa.select(self._tables.key.c.id))})

    def _next_sequence(self) -> sa.ScalarSelect[int]:
        # MariaDB reads a table that it writes to only through a derived table.
        newest = sa.select(sa.func.coalesce(sa.func.max(self._tables.choice.c.sequence), 0).label("n")).subquery()
        return sa.select(newest.c.n + 1).scalar_subquery()

    def _alone(self, work: Callable[[sa.Connection], T]) -> T:
        try:
            with self._engine().begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise StoreUnavailable(
                f"The choices could not be reached ({type(error).__name__}).",
                "Nobody can tell who opted out, so no invitation leaves and no choice is recorded.",
                "Check SQLALCHEMY_DATABASE_URI and the database, run 'flask optout init-db' if its tables are "
                "missing, and try again.",
            ) from error


def _newest_is_mute(group: list[Mark], choices: dict[Mark, Choice]) -> bool:
    newest = max((choices[mark] for mark in group if mark in choices), key=_order, default=None)
    return newest is not None and newest.muted


def _order(choice: Choice) -> tuple[int, bool]:
    return choice.sequence, choice.muted
