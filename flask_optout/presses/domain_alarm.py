"""The domain alarm: half of those invited at a mail domain opted out on one day, so a scanner may have pressed.

A scanner that behaves like a person gives itself away only by doing so for everybody behind its gateway. An alarm
names a domain and a rounded number, a day late, so that it does not reveal whether a single person opted out.
"""

from __future__ import annotations

import datetime
import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..addresses import parse
from ..choices.store import KeyTaken, Store, insert
from ..choices.tables import binary, table, upsert
from ..links.tokens import Claim, DataKey

#: Numbers are rounded down to one of these, so that comparing two alarms tells nothing about one person.
STEPS = (3, 5, 10, 20, 50, 100, 200, 500, 1000)
#: Fewest people who must have been invited within the week before, for a domain to be named.
LEAST_INVITED = 5
#: Days before an alarm whose invitations count; also the days between two notices to a domain.
WEEK = 7
#: Days for which an alarm is kept.
DAYS_KEPT = 30
#: Bytes of the pseudonyms of a domain and of a person, which differ on each day.
DOMAIN_SIZE, PERSON_SIZE = 8, 8
#: Public mail services, whose users share no gateway.
PUBLIC = (
    "aol.com fastmail.com gmail.com gmx.de gmx.net googlemail.com hotmail.com icloud.com live.com mail.com mail.ru "
    "me.com msn.com naver.com outlook.com proton.me protonmail.com qq.com t-online.de web.de yahoo.com yandex.ru "
    "163.com 126.com"
)


def alarm_table(metadata: sa.MetaData) -> sa.Table:
    """Return the table of who opted out, where and when, by pseudonyms of one day that are in no other table."""
    return table(
        metadata,
        "optout_alarm",
        sa.Column("domain", binary(DOMAIN_SIZE), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("person", binary(PERSON_SIZE), primary_key=True),
        # Clustered by its key, so that the order of rows does not reveal the order of opt-outs.
        sqlite_with_rowid=False,
    )


class Alarm(NamedTuple):
    """An alarm: at least so many people, at least half of those invited at a domain, opted out on this day."""

    domain: str
    day: datetime.date
    at_least: int


class Alarms:
    """The domain alarms of one app. Every method raises StoreUnavailable when the database does not answer.

    ``invited`` yields the canonical address of each invitation between two days; ``clock`` returns seconds since the
    epoch.
    """

    def __init__(
        self,
        store: Store,
        alarm: sa.Table,
        key: DataKey,
        invited: Callable[[datetime.date, datetime.date], Iterable[str]],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._alarm = alarm
        self._key = key
        self._secret = key.derive("domain alarm")
        self._invited = invited
        self._clock = clock
        self._public = {key.domain_tag(domain) for domain in PUBLIC.split()}

    def count(self, connection: sa.Connection, claim: Claim) -> None:
        """Count the holder of a link as opted out: once a day, and regardless of a +tag in their address."""
        if claim.domain_tag in self._public:
            return
        person, today = (claim.base or claim.person)[1], self._get_today()
        row = {
            "domain": self._digest_domain(claim.domain_tag, today),
            "day": today,
            "person": self._digest(person.digest + today.isoformat().encode(), PERSON_SIZE),
        }
        upsert(connection, self._alarm, row)

    def _digest(self, data: bytes, size: int) -> bytes:
        return hashlib.blake2b(data, digest_size=size, key=self._secret).digest()

    def find_raised(self) -> Iterator[Alarm]:
        """Yield the alarms of the days before today, newest first."""
        alarm, today = self._alarm.c, self._get_today()
        people = sa.func.count()
        query = (
            sa.select(alarm.day, alarm.domain, people)
            .where(alarm.day < today, alarm.day >= today - datetime.timedelta(DAYS_KEPT))
            .group_by(alarm.domain, alarm.day)
            .having(people >= STEPS[0])
            .order_by(alarm.day.desc())
        )
        for day, rows in groupby(self._fetch(query), lambda row: row[0]):
            counts = {bytes(tag): count for _, tag, count in rows}
            invited: dict[str, set[str]] = {}
            for mailbox in self._invited(day - datetime.timedelta(WEEK), day):
                domain = mailbox.rpartition("@")[2]
                if self._digest_domain(self._key.domain_tag(domain), day) in counts:
                    invited.setdefault(domain, set()).add(parse(mailbox).base or mailbox)
            for domain, mailboxes in invited.items():
                count, size = counts[self._digest_domain(self._key.domain_tag(domain), day)], len(mailboxes)
                if size >= LEAST_INVITED and 2 * count >= size:
                    yield Alarm(domain, day, STEPS[bisect_right(STEPS, min(count, size - 1)) - 1])

    def _digest_domain(self, tag: bytes, day: datetime.date) -> bytes:
        return self._digest(tag + day.isoformat().encode(), DOMAIN_SIZE)

    def prune(self) -> None:
        """Delete alarms that are older than a month."""
        alarm = self._alarm
        old = alarm.delete().where(alarm.c.day < self._get_today() - datetime.timedelta(DAYS_KEPT))
        self._store.write(lambda connection: connection.execute(old))

    def take_notice(self, domain: str) -> bool:
        """Reserve a domain's notice for this week; return whether it was free. It ignores alarms, to reveal none."""
        today, alarm = self._get_today(), self._alarm.c
        tag = self._digest_notice(domain)
        if self._fetch(sa.select(alarm.day).where(alarm.domain == tag, alarm.day > today - datetime.timedelta(WEEK))):
            return False
        row = {"domain": tag, "day": today, "person": bytes(PERSON_SIZE)}
        try:
            self._store.write(lambda connection: insert(connection, self._alarm, row))
        except KeyTaken:  # another operator was faster
            return False
        return True

    def drop_notice(self, domain: str) -> None:
        """Release the notice reserved for this domain, as it reached nobody."""
        notice = self._alarm.delete().where(self._alarm.c.domain == self._digest_notice(domain))
        self._store.write(lambda connection: connection.execute(notice))

    def _digest_notice(self, domain: str) -> bytes:
        return self._digest(b"notice" + self._key.domain_tag(domain), DOMAIN_SIZE)

    def _fetch(self, query: sa.Select[Any]) -> list[Any]:
        return self._store.read(lambda connection: list(connection.execute(query)))

    def _get_today(self) -> datetime.date:
        return datetime.datetime.fromtimestamp(self._clock(), datetime.UTC).date()
