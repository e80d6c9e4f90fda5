"""The presses of the last hour: what a burst is told by, and the one place where exact times are kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import sqlalchemy as sa

from ..choices.repository import Choice, Choices, Statement
from ..errors import StoreUnavailable
from ..links.keys import Mark
from ..links.tokens import Claim
from .bursts import MEMORY, Command, Muted, Press, burst_of
from .judge import COHORT_WINDOW
from .tables import RECIPIENT_SIZE, PressTables

#: Presses of one link that are looked at: each holds what stood before its burst, so older ones add nothing.
LONGEST_BURST = 32
#: Rows removed for each one written, so that pruning never falls behind and never takes long.
PRUNED = 100
COMMANDS = {command.choice: command for command in Command}


class Look(NamedTuple):
    """What stands for the holder of a link, and the burst that a press just now would belong to.

    ``muted``: whether each of the two choices that this link can set mutes.
    """

    choices: dict[Mark, Choice]
    muted: Muted
    burst: tuple[Press, ...]


class After(NamedTuple):
    """What stands after a press: its burst, and how many people behind its mail domain opted out of late."""

    burst: tuple[Press, ...]
    cohort: int


class RecentPresses:
    """The presses of one app; they are gone an hour after, as new ones are written.

    :param clock: gives the seconds since the epoch.
    """

    def __init__(self, choices: Choices, tables: PressTables, clock: Callable[[], float]) -> None:
        self._choices = choices
        self._store = choices.store
        self._press = press = tables.press
        self._clock = clock
        # Made once: to make one costs as much as to ask it.
        self._new = press.insert()
        since = press.c.at >= sa.bindparam("since")
        of_link = press.c.scope == sa.bindparam("scope"), press.c.digest == sa.bindparam("digest")
        self._latest = (
            sa.select(press.c.at, press.c.command, press.c.before, press.c.confirmed)
            .where(*of_link, since)
            .order_by(press.c.at.desc(), press.c.id.desc())
            .limit(LONGEST_BURST)
        )
        self._people = sa.select(sa.func.count(press.c.recipient.distinct())).where(
            press.c.domain_tag == sa.bindparam("tag"), since
        )
        old = press.c.at < sa.bindparam("before")
        self._outdated = sa.select(press.c.id).where(old).limit(PRUNED)

    def look(self, claim: Claim, always: bool = True) -> Look:
        """What stands for the holder of a link, and the presses that make one burst with a press just now.

        :param always: whether the presses matter also where nothing is muted.
        :raises StoreUnavailable: when the database does not answer.
        """

        choices = self._choices.read([*claim.person, *(claim.base or ())])
        this, everything = (mark in choices and choices[mark].muted for mark in claim.person)
        wanted = always or any(choice.muted for choice in choices.values())
        burst = self._store.read(lambda connection: self._burst(connection, claim)) if wanted else ()
        return Look(choices, (this, everything), burst)

    def _burst(self, connection: sa.Connection, claim: Claim) -> tuple[Press, ...]:
        mark, now = claim.person[0], self._clock()
        values = {"scope": mark.scope, "digest": mark.digest, "since": _ms(now - MEMORY)}
        presses = [
            Press(at / 1000, COMMANDS[command], _unpacked(before), confirmed)
            for at, command, before, confirmed in connection.execute(self._latest, values)
        ]
        return burst_of(presses[::-1], now)

    def obey(self, claim: Claim, command: Command, before: Muted, confirmed: bool, counts: bool) -> After:
        """Record a press and set what it sets, in one transaction; it ends the holds of its link.

        :param confirmed: see :class:`press.Press`.
        :param counts: whether it counts towards a cohort.
        :raises StoreUnavailable: when the database does not take it, or does not answer afterwards.
        """
        cohort: dict[str, bytes | int] = {
            "domain_tag": claim.domain_tag,
            "recipient": claim.person[1].digest[:RECIPIENT_SIZE],
        }

        def note(connection: sa.Connection) -> None:
            self._insert(claim, command, before, connection, confirmed=confirmed, **cohort if counts else {})

        source = "one-click" if command is Command.ONE_CLICK else "page"
        said = [Statement(claim.person[command.target], bool(command.muted), source)]

        def press(connection: sa.Connection) -> tuple[None, list[Statement]]:
            note(connection)
            return None, said

        self._choices.transact(press)
        return self._after(claim, counts)

    def _after(self, claim: Claim, counts: bool) -> After:
        def read(connection: sa.Connection) -> tuple[After, list[int]]:
            cohort = self._cohort(connection, claim) if counts else 0
            done = connection.scalars(self._outdated, self._hour_ago())
            return After(self._burst(connection, claim), cohort), list(done)

        after, done = self._store.read(read)
        self._remove(done)
        return after

    def mark(self, claim: Claim, command: Command, before: Muted, confirmed: bool = False) -> None:
        """Record a press that sets nothing, or that was not obeyed because it contradicts others."""
        self._record(claim, command, before, confirmed=confirmed)

    def _cohort(self, connection: sa.Connection, claim: Claim) -> int:
        values = {"tag": claim.domain_tag, "since": _ms(self._clock() - COHORT_WINDOW)}
        return connection.scalar(self._people, values) or 0

    def _hour_ago(self) -> dict[str, int]:
        return {"before": _ms(self._clock() - MEMORY)}

    def _remove(self, ids: list[int]) -> None:
        """By their ids, in a transaction of its own: of a range of rows two writers could lock each other's.

        What was pressed is stored; what is not removed now is removed after the next press.
        """
        if ids:
            with suppress(StoreUnavailable):
                one = self._press.c.id
                self._store.write(lambda connection: connection.execute(self._press.delete().where(one.in_(ids))))

    def _record(self, claim: Claim, command: Command, before: Muted, **more: bytes | int) -> None:
        self._store.write(lambda connection: self._insert(claim, command, before, connection, **more))
        with suppress(StoreUnavailable):
            read = self._store.read
            self._remove(read(lambda connection: list(connection.scalars(self._outdated, self._hour_ago()))))

    def _insert(
        self, claim: Claim, command: Command, before: Muted, connection: sa.Connection, **more: bytes | int
    ) -> None:
        mark = claim.person[0]
        values = {
            "scope": mark.scope,
            "digest": mark.digest,
            "at": _ms(self._clock()),
            "command": command.choice,
            "before": _packed(before),
            "confirmed": False,
            **more,
        }
        connection.execute(self._new, values)


def _packed(muted: Muted) -> int:
    return muted[0] | muted[1] << 1


def _unpacked(bits: int) -> Muted:
    return bool(bits & 1), bool(bits & 2)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
