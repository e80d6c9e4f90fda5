"""Search the Email Log: an operator's filter, read from the URL, and what it finds.

Addresses are found by index in the whole Email Log, words in a window of the newest rows that match otherwise.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

import sqlalchemy as sa

from ..addresses import parse
from ..choices.store import KeyTaken, insert
from ..errors import AddressError, OpportunityError
from ..links.tokens import check_opportunity
from .records import LARGEST_ID, LogPart, Times, fold, running_minute, time_of
from .tables import ADDRESS_SIZE

#: Rows on one page.
PAGE = 50
#: Rows that one page scans for what has no index, such as words and failures; the next page goes on.
WINDOW = 50_000
#: Counting stops here.
COUNTED = 10_000
#: Sorts after every string that begins with the same characters.
LAST_CHARACTER = "\U0010ffff"
FIELDS = ("q", "opportunity", "when", "from", "to", "failed")
#: First and last day of each period, counted back from today.
PERIODS = {"today": (0, 0), "yesterday": (1, 1), "week": (6, 0), "month": (29, 0)}
#: Characters read of a field, as no subject is longer (RFC 5322 section 2.1.1), and words read of a search.
LONGEST_FIELD, MOST_WORDS = 998, 8
#: Beyond these days a conversion to another zone would leave the calendar.
EARLIEST, LATEST = datetime.date(1970, 1, 2), datetime.date(9998, 12, 31)
#: Characters that may surround a word where it was copied from.
AROUND = ",;\"'\u201c\u201d\u201e\u2018\u2019*\u2026<>()[]"
DAY = datetime.timedelta(days=1)


class Word(NamedTuple):
    """A folded part of the recipient's name or address, of the subject or of the opportunity's id.

    ``titled``: ids of opportunities with the word in their title, which the host knows and the Email Log does not.
    """

    text: str
    titled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Criteria:
    """What to search for; a criterion that is ``None`` or empty does not count.

    ``mailbox`` is a canonical address, ``domain`` the domain of one. All ``words`` must match. ``failed`` restricts
    to failed hand-offs. ``since`` is the first id, ``until`` the first one after the last.
    """

    mailbox: str | None = None
    domain: str | None = None
    opportunity: str | None = None
    words: tuple[Word, ...] = ()
    failed: bool = False
    since: int = 0
    until: int = LARGEST_ID


class Filter:
    """An operator's filter, as it is in the URL.

    ``values`` are the fields as typed, ``errors`` the kind of error by field. Without errors, ``criteria`` takes what
    was typed for a whole address or domain if it can be one, and ``in_parts`` takes it for words.

    :param titles: the host's titles of its opportunities, by id.
    """

    def __init__(self, values: Mapping[str, str], times: Times, titles: Mapping[str, str]) -> None:
        self.values: dict[str, str] = {name: values.get(name, "").strip()[:LONGEST_FIELD] for name in FIELDS}
        if self.values["when"] not in PERIODS:
            self.values["when"] = ""
        self.titles: Mapping[str, str] = titles
        self.errors: dict[str, str] = {}
        typed = "".join(each if each.isprintable() else " " for each in self.values["q"]).split()
        bare = list(filter(None, (word.strip(AROUND) for word in typed)))
        words = [fold(word) for word in bare[:MOST_WORDS]]
        known = {id: fold(title) for id, title in titles.items()}
        since, until = self._parse_period(times)
        self.in_parts: Criteria = Criteria(
            opportunity=self._check_opportunity(),
            words=tuple(Word(word, tuple(id for id in known if word in known[id])) for word in words),
            failed=bool(self.values["failed"]),
            since=since,
            until=until,
        )
        self.criteria: Criteria = _make_exact(" ".join(typed), " ".join(bare), self.in_parts)

    @property
    def query(self) -> dict[str, str]:
        """The fields that are not empty, as URL parameters."""
        return {name: value for name, value in self.values.items() if value}

    @property
    def query_string(self) -> str:
        return urlencode(self.query)

    def without(self, name: str) -> dict[str, str]:
        """Return the URL parameters without this one."""
        return {each: value for each, value in self.query.items() if each != name}

    def _check_opportunity(self) -> str | None:
        typed = self.values["opportunity"]
        try:
            return check_opportunity(typed) if typed else None
        except OpportunityError:
            self.errors["opportunity"] = "impossible"
            return None

    def _parse_period(self, times: Times) -> tuple[int, int]:
        """Return the first id of the period and chosen days, and the first id after them."""
        first, last = self._parse_day("from", EARLIEST), self._parse_day("to", LATEST)
        if last < first:
            self.errors["to"] = "early"
        if self.values["when"]:
            start, end = (times.today() - days * DAY for days in PERIODS[self.values["when"]])
            first, last = max(first, start), min(last, end)
        return times.start(first), times.start(last + DAY)

    def _parse_day(self, name: str, otherwise: datetime.date) -> datetime.date:
        if not self.values[name]:
            return otherwise
        with suppress(ValueError):
            return min(max(datetime.date.fromisoformat(self.values[name]), EARLIEST), LATEST)
        self.errors[name] = "date"
        return otherwise


def _make_exact(typed: str, bare: str, in_parts: Criteria) -> Criteria:
    """Search by whole address, or by the domain after an ``@``, if one was typed: both have an index."""
    pasted = re.split("[:<]", typed)[-1].partition("?")[0].strip(AROUND)  # from a mailto link or a header line
    for spelling in (typed, bare, pasted):
        with suppress(AddressError):
            if spelling.startswith("@"):
                return replace(in_parts, domain=parse(f"anybody{spelling}").domain, words=())
            return replace(in_parts, mailbox=parse(spelling).canonical, words=())
    return in_parts


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


class SearchResult(NamedTuple):
    """One page of entries, newest first; ``older`` is the ``before`` of the next page, ``None`` on the last one.

    ``searched_to`` is the time that the window reached, if older rows are left to search.
    """

    entries: list[Entry]
    older: int | None
    searched_to: datetime.datetime | None


class Search(LogPart):
    """Searches the Email Log of one app, up to the running minute."""

    def find(self, wanted: Criteria, before: int | None = None) -> SearchResult:
        """Return the newest matching entries, or those before the ``older`` of another page, which is as fast."""
        if before is not None:
            wanted = replace(wanted, until=max(0, min(before, wanted.until)))

        def read(connection: sa.Connection) -> tuple[list[Entry], int | None]:
            query, values, end = self._build_window(connection, wanted)
            return [Entry(*row) for row in connection.execute(query, values | {"limit": PAGE + 1})], end

        rows, end = self.store.read(read)
        if len(rows) > PAGE:
            return SearchResult(rows[:PAGE], rows[PAGE - 1].id, None)
        return SearchResult(rows, end and end + 1, None if end is None else time_of(end))

    def count(self, wanted: Criteria) -> int:
        """Count the matches, up to one more than ``COUNTED``; for words, only those within the first window."""

        def read(connection: sa.Connection) -> int:
            query, values, _ = self._build_window(connection, wanted)
            counted = query.with_only_columns(self.tables.email.c.id).order_by(None).subquery()
            counts = sa.select(sa.func.count()).select_from(counted)
            return connection.scalar(counts, values | {"limit": COUNTED + 1}) or 0

        return self.store.read(read)

    def find_starting(self, column: str, prefix: str, limit: int) -> list[str]:
        """Return the first distinct values of an indexed column that begin with this prefix, in order."""
        # Skips from value to value by the index, as reading all of their rows would take long.
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

    def _build_window(
        self, connection: sa.Connection, wanted: Criteria
    ) -> tuple[sa.Select[Any], dict[str, Any], int | None]:
        """Return the query, its parameters but for the limit, and the first id behind the window, if any."""
        shape = tuple(name for name in ("mailbox", "domain", "opportunity") if getattr(wanted, name) is not None)
        query = self._newest.get(shape, self._newest[shape[-1:]])
        values: dict[str, Any] = {name: getattr(wanted, name)[:ADDRESS_SIZE] for name in shape}
        values |= {"since": wanted.since, "until": min(wanted.until, running_minute())}
        unindexed = list(self._build_conditions(wanted))
        if not unindexed:
            return query, values, None
        ids = query.with_only_columns(self.tables.email.c.id).offset(WINDOW)
        end = connection.scalar(ids, values | {"limit": 1})
        values["since"] = max(wanted.since, (end or 0) + 1)
        return query.where(*unindexed), values, end

    @cached_property
    def _newest(self) -> dict[tuple[str, ...], sa.Select[Any]]:
        """The query for each index, newest first; built once, as building one takes longer than running it."""
        email = self.tables.email.c
        shapes = (("mailbox", "opportunity"), ("mailbox",), ("domain",), ("opportunity",), ())
        query = sa.select(*(email[name] for name in Entry._fields)).order_by(email.id.desc())
        query = query.where(email.id >= sa.bindparam("since"), email.id < sa.bindparam("until"))
        query = query.limit(sa.bindparam("limit"))
        return {shape: query.where(*(email[name] == sa.bindparam(name) for name in shape)) for shape in shapes}

    def _build_conditions(self, wanted: Criteria) -> Iterator[sa.ColumnElement[bool]]:
        email = self.tables.email.c
        for word in wanted.words:
            yield email.words.contains(word.text, autoescape=True) | email.opportunity.in_(word.titled)
        if wanted.failed:
            yield email.failure.is_not(None)
        if wanted.domain is not None and wanted.opportunity is not None:  # no index has both
            yield email.domain == wanted.domain


class SavedFilters(LogPart):
    """The saved filters of one app's operators: a query string by each name."""

    def all(self) -> dict[str, str]:
        table = self.tables.saved_filter.c
        return dict(self.rows(sa.select(table.name, table.query).order_by(table.name)))

    def save(self, name: str, query: str) -> bool:
        """Save a filter, unless its name is taken; return whether it was saved."""
        row = {"name": name, "query": query}
        with suppress(KeyTaken):
            self.store.record(lambda connection: insert(connection, self.tables.saved_filter, row))
            return True
        return False

    def rename(self, name: str, new: str) -> bool:
        """Rename a filter, if it is there and the new name is not taken; return whether that name was free."""
        table = self.tables.saved_filter

        def work(connection: sa.Connection) -> None:
            query = connection.scalar(sa.select(table.c.query).where(table.c.name == name))
            if query is not None and name != new:
                insert(connection, table, {"name": new, "query": query})
                connection.execute(table.delete().where(table.c.name == name))

        with suppress(KeyTaken):
            self.store.record(work)
            return True
        return False

    def delete(self, name: str) -> None:
        """Delete a filter, if it is there."""
        table = self.tables.saved_filter
        self.change(table.delete().where(table.c.name == name))
