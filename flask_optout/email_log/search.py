"""Finding invitations: by index in the whole Email Log, or by words in a window of the newest that are left.

A search can be saved under a name.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ..choices.store import KeyTaken
from .tables import ADDRESS_SIZE, LARGEST_ID, LogPart, running_minute, time_of

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
    """A part of the recipient's name or address, of the subject or of the opportunity's id; folded as they are.

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


class Search(LogPart):
    """Reads the Email Log of one app, until the running minute."""

    def page(self, wanted: Criteria, before: int | None = None) -> SearchResult:
        """The newest entries that fit, at any depth at the cost of the first page.

        :param before: where to go on: the ``older`` of the page before.
        """
        until = wanted.until if before is None else max(0, min(before, wanted.until))

        def read(connection: sa.Connection) -> tuple[list[Entry], int | None]:
            query, values, end = self._in_window(connection, wanted, until)
            return [Entry(*row) for row in connection.execute(query, values | {"limit": PAGE + 1})], end

        rows, end = self.store.read(read)
        if len(rows) > PAGE:
            return SearchResult(rows[:PAGE], rows[PAGE - 1].id, None)
        return SearchResult(rows, end and end + 1, None if end is None else time_of(end))

    def total(self, wanted: Criteria) -> int:
        """How many fit, counted to one more than ``COUNTED``; where words are wanted, those of the first window."""

        def read(connection: sa.Connection) -> int:
            query, values, _ = self._in_window(connection, wanted, wanted.until)
            counted = query.with_only_columns(self.tables.email.c.id).order_by(None).subquery()
            counts = sa.select(sa.func.count()).select_from(counted)
            return connection.scalar(counts, values | {"limit": COUNTED + 1}) or 0

        return self.store.read(read)

    def starting(self, column: str, prefix: str, limit: int) -> list[str]:
        """The first values of an indexed column that begin with this, in their order, each once."""
        # From each value to the next by the index: the rows of all of them would take long.
        email = self.tables.email.c
        value = email[column]
        # Not min(): MariaDB would read on to the end of the index for it.
        first = sa.select(value).where(value < prefix + LAST_CHARACTER, email.id < running_minute())
        first = first.order_by(value).limit(1)
        skip = sa.select(first.where(value >= prefix).scalar_subquery().label("value"), sa.literal(1).label("rank"))
        found = skip.cte("skip", recursive=True)
        following = first.where(value > found.c.value).correlate(found).scalar_subquery()
        found = found.union_all(
            sa.select(following, found.c.rank + 1).where(found.c.value.is_not(None), found.c.rank < limit)
        )
        query = sa.select(found.c.value).where(found.c.value.is_not(None))
        return [found for (found,) in self.rows(query)]

    def _in_window(
        self, connection: sa.Connection, wanted: Criteria, until: int
    ) -> tuple[sa.Select[Any], dict[str, Any], int | None]:
        """What fits, newest first, its values but for the limit, and the first row that is not looked at.

        There is such a row where the window does not reach all of them.
        """
        shape = tuple(name for name in ("mailbox", "domain", "opportunity") if getattr(wanted, name) is not None)
        query = self._newest.get(shape, self._newest[shape[-1:]])
        values: dict[str, Any] = {name: getattr(wanted, name)[:ADDRESS_SIZE] for name in shape}
        values |= {"since": wanted.since, "until": min(until, running_minute())}
        unindexed = list(self._unindexed(wanted))
        if not unindexed:
            return query, values, None
        ids = query.with_only_columns(self.tables.email.c.id).offset(WINDOW)
        end = connection.scalar(ids, values | {"limit": 1})
        values["since"] = max(wanted.since, (end or 0) + 1)
        return query.where(*unindexed), values, end

    @cached_property
    def _newest(self) -> dict[tuple[str, ...], sa.Select[Any]]:
        """What each index finds, newest first; built once, as it takes longer than the database does to look."""
        email = self.tables.email.c
        shapes = (("mailbox", "opportunity"), ("mailbox",), ("domain",), ("opportunity",), ())
        query = sa.select(*(email[name] for name in Entry._fields)).order_by(email.id.desc())
        query = query.where(email.id >= sa.bindparam("since"), email.id < sa.bindparam("until"))
        query = query.limit(sa.bindparam("limit"))
        return {shape: query.where(*(email[name] == sa.bindparam(name) for name in shape)) for shape in shapes}

    def _unindexed(self, wanted: Criteria) -> Iterator[sa.ColumnElement[bool]]:
        email = self.tables.email.c
        for word in wanted.words:
            yield email.words.contains(word.text, autoescape=True) | email.opportunity.in_(word.titled)
        if wanted.failed:
            yield email.failure.is_not(None)
        if wanted.domain is not None and wanted.opportunity is not None:  # each has an index, and both have none
            yield email.domain == wanted.domain


class SavedFilter(NamedTuple):
    """A named query string, one of its name."""

    name: str
    query: str


class SavedFilters(LogPart):
    """The filters that operators of one app gave a name."""

    def all(self) -> list[SavedFilter]:
        """Every one, by its name."""
        table = self.tables.saved_filter.c
        return [SavedFilter(*row) for row in self.rows(sa.select(table.name, table.query).order_by(table.name))]

    def save(self, saved: SavedFilter) -> bool:
        """Save a filter, unless there is one of its name; says whether it did."""
        return self._write(self.tables.saved_filter.insert().values(**saved._asdict()))

    def rename(self, name: str, new: str) -> bool:
        """Give a filter, if it is there, another name, unless there is one of that; says whether that was free."""
        table = self.tables.saved_filter
        return self._write(table.update().where(table.c.name == name).values(name=new))

    def delete(self, name: str) -> None:
        """Delete a filter, if it is there."""
        table = self.tables.saved_filter
        self.change(table.delete().where(table.c.name == name))

    def _write(self, statement: sa.Executable) -> bool:
        """Execute a statement; says whether the name in it was free."""

        def work(connection: sa.Connection) -> None:
            try:
                connection.execute(statement)
            except IntegrityError:
                raise KeyTaken from None

        try:
            self.store.record(work)
        except KeyTaken:
            return False
        return True
