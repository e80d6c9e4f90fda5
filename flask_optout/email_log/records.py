"""The Email Log: what was sent, without its personal links; record it, find it, prune it.

A row is written before anybody asks what its recipient has chosen, so it is the same for everyone.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..addresses import Address
from .log_store import LARGEST_ID, KeyTaken, LogStore, id_at, insert, new_id, now, reason, time_of
from .slots import SLOT, cut, masked, shown
from .tables import ADDRESS_SIZE

#: Rows on one page.
PAGE = 50
#: Rows whose subjects one page looks at: words have no index, so a page's work is bounded and the next page goes on.
WINDOW = 10_000
#: Rows deleted in one transaction: each holds the write lock for some milliseconds.
BATCH = 5_000
#: Headers whose value is a link of the candidate's, whatever it looks like (RFC 8058, RFC 2369).
PERSONAL_HEADERS = ("list-unsubscribe", "list-unsubscribe-post")


class Entry(NamedTuple):
    """An invitation in a list."""

    id: int
    opportunity: str
    recipient: str
    subject: str
    failure: str | None

    @property
    def time(self) -> datetime.datetime:
        return time_of(self.id)


class Email(NamedTuple):
    """An invitation as it is kept: ``Name: value`` lines of headers, and the pieces of its text and html."""

    id: int
    opportunity: str
    recipient: str
    mailbox: str
    subject: str
    message_id: str
    failure: str | None
    headers: str
    text_pieces: str | None
    html_pieces: str | None

    @property
    def time(self) -> datetime.datetime:
        return time_of(self.id)

    @property
    def text(self) -> str | None:
        return None if self.text_pieces is None else shown(self.text_pieces)

    @property
    def html(self) -> str | None:
        return None if self.html_pieces is None else shown(self.html_pieces)

    def header(self, name: str) -> str | None:
        """The value of the first header of this name."""
        lines = (line.partition(": ") for line in self.headers.split("\n"))
        return next((value for known, _, value in lines if known.lower() == name.lower()), None)


class Outgoing(NamedTuple):
    """An invitation that is about to leave, as it will; ``links``: those that it carries, the landing link first."""

    address: Address
    opportunity: str
    subject: str
    message_id: str
    headers: Sequence[tuple[str, str]]
    text: str | None
    html: str | None
    links: tuple[str, ...]


@dataclass(frozen=True)
class Criteria:
    """What to look for; what is ``None`` or empty does not narrow.

    ``mailbox`` is a canonical address. Every one of ``words`` stands in the subject, in any case. ``since`` is the
    first id wanted, ``until`` the first one not wanted.
    """

    mailbox: str | None = None
    opportunity: str | None = None
    words: tuple[str, ...] = ()
    since: int = 0
    until: int = LARGEST_ID


class Page(NamedTuple):
    """Some entries, newest first; ``older`` continues after them, unless there is no more.

    ``searched_to`` is the time of the oldest row looked at where words are wanted and more is left to search.
    """

    entries: list[Entry]
    older: int | None
    searched_to: datetime.datetime | None


class EmailLog:
    """The Email Log of one app."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._email = store.tables.email
        # Built once: SQLAlchemy would take longer over each than the database does.
        self._newest = {shape: self._newest_of(*shape) for shape in product((False, True), repeat=2)}

    def record(self, outgoing: Sequence[Outgoing]) -> list[int]:
        """Keep invitations that are about to leave, in one transaction; return the ids of their rows.

        :raises StoreUnavailable: when the rows cannot be written; then none is.
        """
        rows = list(map(_row, outgoing))
        while True:
            with suppress(KeyTaken):
                ids = [new_id() for _ in rows]
                # In the order of their ids, which is random: that of a batch would tell who of it was muted.
                numbered = [{"id": id, **row} for id, row in sorted(zip(ids, rows, strict=True), key=itemgetter(0))]

                def write(connection: sa.Connection, numbered: list[dict[str, Any]] = numbered) -> None:
                    insert(connection, self._email, *numbered)

                self._store.write(write, single=len(rows) == 1)
                return ids

    def forget(self, ids: Sequence[int]) -> None:
        """Remove the rows of invitations that were not even begun to be sent.

        :raises StoreUnavailable: when they cannot be removed.
        """
        delete = self._email.delete().where(self._email.c.id.in_(ids))
        self._store.write(lambda connection: connection.execute(delete))

    def record_failure(self, id: int, error: BaseException) -> None:
        """Note on a row why its hand-off failed.

        :raises StoreUnavailable: when the row cannot be written.
        """
        update = self._email.update().where(self._email.c.id == id).values(failure=reason(error))
        self._store.write(lambda connection: connection.execute(update))

    def search(self, wanted: Criteria, before: int | None = None) -> Page:
        """The newest entries that fit, at any depth at the cost of the first page.

        :param before: where to go on: the ``older`` of the page before.
        :raises StoreUnavailable: when the database does not answer.
        """
        limit = WINDOW if wanted.words else PAGE
        query = self._newest[wanted.mailbox is not None, wanted.opportunity is not None]
        values = {
            "mailbox": (wanted.mailbox or "")[:ADDRESS_SIZE],
            "opportunity": wanted.opportunity,
            "since": wanted.since,
            "before": wanted.until if before is None else max(0, min(before, wanted.until)),
            "limit": limit + 1,
        }
        rows = self._store.read(lambda connection: connection.execute(query, values).fetchall())
        entries: list[Entry] = []
        looked_at = 0
        for row in rows[:limit]:
            looked_at += 1
            subject = row.subject.casefold() if wanted.words else ""
            if all(word in subject for word in wanted.words):
                entries.append(Entry(*row))
                if len(entries) == PAGE:
                    break
        older = rows[looked_at - 1].id if looked_at < len(rows) else None
        return Page(entries, older, time_of(older) if older and wanted.words else None)

    def _newest_of(self, mailbox: bool, opportunity: bool) -> sa.Select[Any]:
        email = self._email.c
        query = sa.select(email.id, email.opportunity, email.recipient, email.subject, email.failure).where(
            email.id >= sa.bindparam("since"), email.id < sa.bindparam("before")
        )
        if mailbox:
            query = query.where(email.mailbox == sa.bindparam("mailbox"))
        if opportunity:
            query = query.where(email.opportunity == sa.bindparam("opportunity"))
        return query.order_by(email.id.desc()).limit(sa.bindparam("limit"))

    def get(self, id: int) -> Email | None:
        """One invitation, or ``None`` when it is not kept.

        :raises StoreUnavailable: when the database does not answer.
        """
        email = self._email.c
        query = sa.select(*(email[name.removesuffix("_pieces")] for name in Email._fields)).where(email.id == id)
        row = self._store.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else Email(*row)

    def opportunities(self, limit: int, after: str = "") -> list[str]:
        """The opportunities that somebody was invited to, by name, read by skips through the index.

        :raises StoreUnavailable: when the database does not answer.
        """
        name = self._email.c.opportunity
        first = sa.select(sa.func.min(name).label("name"), sa.literal(1).label("rank")).where(name > after)
        skip = first.cte("skip", recursive=True)
        following = sa.select(sa.func.min(name)).where(name > skip.c.name).correlate(skip).scalar_subquery()
        skip = skip.union_all(
            sa.select(following, skip.c.rank + 1).where(skip.c.name.is_not(None), skip.c.rank < limit)
        )
        found = sa.select(skip.c.name).where(skip.c.name.is_not(None))
        return self._store.read(lambda connection: list(connection.scalars(found)))

    def invited(self, opportunity: str) -> int:
        """How many people were invited to an opportunity, of those that are kept.

        :raises StoreUnavailable: when the database does not answer.
        """
        email = self._email.c
        query = sa.select(sa.func.count(email.mailbox.distinct())).where(email.opportunity == opportunity)
        return self._store.read(lambda connection: connection.scalar(query)) or 0

    def outdated(self, days: int) -> int:
        """How many invitations are older than so many days.

        :raises StoreUnavailable: when the database does not answer.
        """
        query = sa.select(sa.func.count()).where(self._email.c.id < _oldest(days))
        return self._store.read(lambda connection: connection.scalar(query) or 0)

    def prune(self, days: int) -> Iterator[int]:
        """Delete what is older than so many days; gives how many invitations each bounded batch deleted.

        No link needs a row here, so none breaks.

        :raises StoreUnavailable: when the database does not take it.
        """
        oldest = _oldest(days)
        while batch := self._store.write(lambda connection: self._prune_batch(connection, oldest)):
            yield batch

    def _prune_batch(self, connection: sa.Connection, oldest: int) -> int:
        email = self._email.c
        ids = sa.select(email.id).where(email.id < oldest).order_by(email.id).limit(BATCH)
        last = connection.scalar(sa.select(sa.func.max(ids.subquery().c.id)))
        if last is None:
            return 0
        return connection.execute(self._email.delete().where(email.id <= last)).rowcount


def _row(outgoing: Outgoing) -> dict[str, Any]:
    links = outgoing.links
    return {
        "opportunity": outgoing.opportunity,
        "recipient": outgoing.address.deliverable,
        "mailbox": outgoing.address.canonical[:ADDRESS_SIZE],
        "subject": masked(outgoing.subject, links),
        "message_id": outgoing.message_id,
        "headers": "\n".join(_header(name, value, links) for name, value in outgoing.headers),
        "text": None if outgoing.text is None else cut(outgoing.text, links[0]),
        "html": None if outgoing.html is None else cut(outgoing.html, links[0]),
    }


def _oldest(days: int) -> int:
    return id_at(now() - datetime.timedelta(days=days))


def _header(name: str, value: str, links: tuple[str, ...]) -> str:
    return f"{name}: {SLOT if name.lower() in PERSONAL_HEADERS else masked(value, links)}"
