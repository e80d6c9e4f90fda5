"""Finding invitations: by index in the whole Email Log, or by words in a window of the newest that are left."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..choices.store import Store
from .ids import LARGEST_ID, time_of
from .tables import ADDRESS_SIZE, LogTables

#: Rows on one page.
PAGE = 50
#: Rows that one page looks at for what has no index, as words and failures; the next page goes on.
WINDOW = 50_000
#: Where counting ends.
COUNTED = 10_000
#: Behind every string that begins with the same characters.
LAST_CHARACTER = "\U0010ffff"


class Entry(NamedTuple):
    """An invitation in a list."""

    id: int
    opportunity: str
    recipient: str
    name: str
    subject: str
    failure: str | None

    @property
    def time(self) -> datetime.datetime:
        return time_of(self.id)


class Word(NamedTuple):
    """A part of the recipient's name or address, of the subject or of the opportunity's id; case-folded.

    ``titled``: ids of opportunities that have it in their title, which the host knows and the Email Log does not.
    """

    text: str
    titled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Criteria:
    """What to look for; what is ``None`` or empty does not narrow.

    ``mailbox`` is a canonical address, ``domain`` one's domain. Every one of ``words`` fits. ``failed`` asks for what
    was not handed off. ``since`` is the first id wanted, ``until`` the first one not wanted.
    """

    mailbox: str | None = None
    domain: str | None = None
    opportunity: str | None = None
    words: tuple[Word, ...] = ()
    failed: bool = False
    since: int = 0
    until: int = LARGEST_ID


class SearchResult(NamedTuple):
    """Some entries, newest first; ``older`` continues after them, unless there is no more.

    ``searched_to`` is the time that the window reached, where more is left to search behind it.
    """

    entries: list[Entry]
    older: int | None
    searched_to: datetime.datetime | None


class Search:
    """Reads the Email Log of one app. Every method raises StoreUnavailable when the database does not answer."""

    def __init__(self, store: Store, tables: LogTables) -> None:
        self._store = store
        self._email = tables.email
        # Built once: SQLAlchemy would take longer over each than the database does.
        shapes: tuple[tuple[str, ...], ...] = (
            ("mailbox", "opportunity"),
            ("mailbox",),
            ("domain",),
            ("opportunity",),
            (),
        )
        self._newest = {shape: self._newest_by(*shape) for shape in shapes}

    def page(self, wanted: Criteria, before: int | None = None) -> SearchResult:
        """The newest entries that fit, at any depth at the cost of the first page.

        :param before: where to go on: the ``older`` of the page before.
        """
        until = wanted.until if before is None else max(0, min(before, wanted.until))
        query, values = self._query(wanted)
        values |= {"until": until, "limit": PAGE + 1}

        def read(connection: sa.Connection) -> tuple[list[Entry], int | None]:
            end = self._end_of_window(connection, wanted, until)
            values["since"] = max(wanted.since, (end or 0) + 1)
            return [Entry(*row) for row in connection.execute(query, values)], end

        rows, end = self._store.read(read)
        if len(rows) > PAGE:
            return SearchResult(rows[:PAGE], rows[PAGE - 1].id, None)
        return SearchResult(rows, end and end + 1, None if end is None else time_of(end))

    def total(self, wanted: Criteria) -> int:
        """How many fit, counted to one more than ``COUNTED``; where words are wanted, those of the first window."""
        query, values = self._query(wanted)
        counted = query.with_only_columns(self._email.c.id).order_by(None).subquery()
        values |= {"until": wanted.until, "limit": COUNTED + 1}

        def read(connection: sa.Connection) -> int:
            end = self._end_of_window(connection, wanted, wanted.until)
            values["since"] = max(wanted.since, (end or 0) + 1)
            return connection.scalar(sa.select(sa.func.count()).select_from(counted), values) or 0

        return self._store.read(read)

    def starting(self, column: str, prefix: str, limit: int) -> list[str]:
        """The first values of an indexed column that begin with this, in their order, each once."""
        # From each value to the next by the index: the rows of all of them would take long.
        value = self._email.c[column]
        within = (value >= prefix, value < prefix + LAST_CHARACTER)
        skip = sa.select(sa.func.min(value).label("value"), sa.literal(1).label("rank")).where(*within)
        found = skip.cte("skip", recursive=True)
        following = sa.select(sa.func.min(value)).where(value > found.c.value, within[1]).correlate(found)
        found = found.union_all(
            sa.select(following.scalar_subquery(), found.c.rank + 1).where(
                found.c.value.is_not(None), found.c.rank < limit
            )
        )
        query = sa.select(found.c.value).where(found.c.value.is_not(None))
        return self._store.read(lambda connection: list(connection.scalars(query)))

    def _query(self, wanted: Criteria) -> tuple[sa.Select[Any], dict[str, Any]]:
        query, values = self._indexed(wanted)
        for condition in self._unindexed(wanted):
            query = query.where(condition)
        return query, values

    def _indexed(self, wanted: Criteria) -> tuple[sa.Select[Any], dict[str, Any]]:
        shape = tuple(name for name in ("mailbox", "domain", "opportunity") if getattr(wanted, name) is not None)
        values = {
            "mailbox": (wanted.mailbox or "")[:ADDRESS_SIZE],
            "domain": wanted.domain,
            "opportunity": wanted.opportunity,
        }
        return self._newest.get(shape, self._newest[shape[-1:]]), values

    def _unindexed(self, wanted: Criteria) -> Iterator[sa.ColumnElement[bool]]:
        email = self._email.c
        for word in wanted.words:
            yield email.words.contains(word.text, autoescape=True) | email.opportunity.in_(word.titled)
        if wanted.failed:
            yield email.failure.is_not(None)
        if wanted.domain is not None and wanted.opportunity is not None:  # each has an index, and both have none
            yield email.domain == wanted.domain

    def _end_of_window(self, connection: sa.Connection, wanted: Criteria, until: int) -> int | None:
        """The first row that is not looked at, if the window does not reach all of them."""
        if not any(True for _ in self._unindexed(wanted)):
            return None
        query, values = self._indexed(wanted)
        values |= {"since": wanted.since, "until": until, "limit": 1}
        end: int | None = connection.scalar(query.with_only_columns(self._email.c.id).offset(WINDOW), values)
        return end

    def _newest_by(self, *columns: str) -> sa.Select[Any]:
        email = self._email.c
        query = sa.select(*(email[name] for name in Entry._fields)).where(
            email.id >= sa.bindparam("since"), email.id < sa.bindparam("until")
        )
        for name in columns:
            query = query.where(email[name] == sa.bindparam(name))
        return query.order_by(email.id.desc()).limit(sa.bindparam("limit"))
