"""Cohort alarms: several recipients of one mail domain opted out together, so a scanner may have pressed for them.

This is the one layer that can see a scanner that behaves like a person, since it does so for everybody behind one
gateway. It tells a domain and a number rounded down, never a person, and nobody's choice changes by it.
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

import sqlalchemy as sa

from ..addresses import Address
from ..choices.store import Store
from ..choices.tables import KeyTaken, insert
from ..links.keys import DataKey
from ..links.tokens import Claim
from .judge import COHORT
from .tables import PressTables

#: Numbers that an alarm can tell: rounded down to one of these, so that two readings tell no single person.
STEPS = (COHORT, 5, 10, 20, 50, 100, 200, 500, 1000)
#: A domain is named only where at least so many were invited; below, "at least three" would nearly name them.
NAMED_FROM = 5
#: Days within which a domain gets at most one notice.
NOTICE_DAYS = 7
#: Days for which an alarm is kept.
KEPT = 30
#: Mail services for the public: their users have no gateway in common, and many opt out at once by themselves.
PUBLIC = (
    "aol.com fastmail.com gmail.com gmx.de gmx.net googlemail.com hotmail.com icloud.com live.com mail.com mail.ru "
    "me.com msn.com naver.com outlook.com proton.me protonmail.com qq.com t-online.de web.de yahoo.com yandex.ru "
    "163.com 126.com"
)


class Alarm(NamedTuple):
    """One domain on one day: at least so many of its recipients opted out within five minutes."""

    domain: str
    day: datetime.date
    at_least: int


class Alarms:
    """The cohort alarms of one app."""

    def __init__(self, store: Store, tables: PressTables, key: DataKey) -> None:
        self._store = store
        self._alarm = tables.alarm
        self._key = key
        self._public = {self._key.domain_tag(domain) for domain in PUBLIC.split()}

    def watches(self, claim: Claim) -> bool:
        """Whether those behind a link's mail domain may have a gateway in common."""
        return claim.domain_tag not in self._public

    def notice(self, claim: Claim, count: int) -> int | None:
        """Look whether so many of one domain who opted out of late make a cohort; gives the number of a new alarm."""
        if count < COHORT:
            return None
        at_least, alarm, today = _rounded(count, count), self._alarm, _today()
        row = _is(alarm, claim.domain_tag, today)

        def write(connection: sa.Connection) -> bool:
            self._insert(connection, claim.domain_tag, today)
            new = alarm.update().where(*row, alarm.c.at_least == 0).values(at_least=at_least)
            is_new = connection.execute(new).rowcount > 0
            connection.execute(alarm.update().where(*row, alarm.c.at_least < at_least).values(at_least=at_least))
            connection.execute(alarm.delete().where(alarm.c.day < today - datetime.timedelta(KEPT)))
            return is_new

        return at_least if self._store.write(write) else None

    def of(self, invited: Iterable[Address]) -> Iterator[Alarm]:
        """The alarms whose domain is among those of the invited addresses, newest first.

        A domain of which fewer than five were invited is not named.
        """
        sizes = Counter(address.domain for address in {address.canonical: address for address in invited}.values())
        names = {self._key.domain_tag(domain): domain for domain in sizes}
        alarm = self._alarm
        query = sa.select(alarm.c.domain_tag, alarm.c.day, alarm.c.at_least).where(alarm.c.at_least > 0)
        newest_first = query.order_by(alarm.c.day.desc())
        for tag, day, at_least in self._store.read(lambda connection: connection.execute(newest_first).all()):
            domain = names.get(bytes(tag), "")
            if sizes[domain] >= NAMED_FROM:
                yield Alarm(domain, day, _rounded(at_least, sizes[domain] - 1))

    def take_notice(self, domain: str) -> bool:
        """Whether a notice may go to this domain now: once in a week, alarm or not, so that asking tells nothing."""
        alarm, today, tag = self._alarm, _today(), self._key.domain_tag(domain)
        lately = alarm.c.domain_tag == tag, alarm.c.noticed, alarm.c.day > today - datetime.timedelta(NOTICE_DAYS)
        noticed = sa.select(sa.literal(1)).where(*lately).limit(1)
        if self._store.read(lambda connection: connection.scalar(noticed)) is not None:
            return False

        def take(connection: sa.Connection) -> bool:
            self._insert(connection, tag, today)
            free = alarm.update().where(*_is(alarm, tag, today), alarm.c.noticed.is_(False))
            return connection.execute(free.values(noticed=True)).rowcount > 0

        return self._store.write(take)

    def _insert(self, connection: sa.Connection, tag: bytes, day: datetime.date) -> None:
        values = {"domain_tag": tag, "day": day, "at_least": 0, "noticed": False}
        with suppress(KeyTaken), connection.begin_nested():
            insert(connection, self._alarm, values)


def _is(alarm: sa.Table, tag: bytes, day: datetime.date) -> tuple[sa.ColumnElement[bool], ...]:
    return alarm.c.domain_tag == tag, alarm.c.day == day


def _rounded(count: int, most: int) -> int:
    return STEPS[bisect_right(STEPS, min(count, most)) - 1]


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
