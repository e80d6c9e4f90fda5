"""The presses of the last hour: what a burst is told by, and the one place where exact times are kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import sqlalchemy as sa

from .bursts import MEMORY, Command, Muted, Press, burst_of
from .choices import Choices
from .errors import StoreUnavailable
from .keys import Mark
from .press import HOLD
from .store import Store
from .tables import RECIPIENT_SIZE, Tables
from .tokens import Claim

#: Presses of one link that are looked at: each holds what stood before its burst, so older ones add nothing.
LONGEST_BURST = 32
#: Rows removed for each one written, so that pruning never falls behind and never takes long.
PRUNED = 100
COMMANDS = {command.choice: command for command in Command}


class RecentPresses:
    """The presses of one app; they are gone an hour after, as new ones are written.

    :param clock: gives the seconds since the epoch.
    """

    def __init__(self, choices: Choices, store: Store, tables: Tables, clock: Callable[[], float]) -> None:
        self._choices = choices
        self._store = store
        self._press = tables.press
        self._clock = clock

    def muted(self, claim: Claim) -> Muted:
        """Whether each of the two choices of a link mutes, as they stand."""
        choices = self._choices.standing(claim)
        this, everything = (mark in choices and choices[mark].muted for mark in claim.person)
        return this, everything

    def burst(self, claim: Claim) -> tuple[Press, ...]:
        """The presses that make one burst with a press just now; see :func:`press.burst_of`."""
        press, now = self._press, self._clock()
        query = (
            sa.select(press.c.at, press.c.command, press.c.before, press.c.confirmed)
            .where(*_of(press, claim.person[0]), press.c.held_until.is_(None), press.c.at >= _ms(now - MEMORY))
            .order_by(press.c.at.desc(), press.c.id.desc())
            .limit(LONGEST_BURST)
        )
        rows = self._store.read(lambda connection: connection.execute(query).all())
        presses = [
            Press(at / 1000, COMMANDS[command], _unpacked(before), confirmed)
            for at, command, before, confirmed in reversed(rows)
        ]
        return burst_of(presses, now)

    def obey(self, claim: Claim, command: Command, before: Muted, confirmed: bool, counts: bool) -> None:
        """Record a press and set what it sets, in one transaction; it ends the holds of its link.

        :param confirmed: see :class:`press.Press`.
        :param counts: whether it counts towards a cohort.
        """
        cohort: dict[str, bytes | int] = {
            "domain_tag": claim.domain_tag,
            "recipient": claim.person[1].digest[:RECIPIENT_SIZE],
        }

        def note(connection: sa.Connection) -> None:
            self._insert(claim, command, before, connection, confirmed=confirmed, **cohort if counts else {})

        source = "one-click" if command is Command.ONE_CLICK else "page"
        self._choices.set(claim, claim.person[command.target], bool(command.muted), source, note)
        self._tidy(*_of(self._press, claim.person[0]), self._press.c.held_until.is_not(None))

    def mark(self, claim: Claim, command: Command, before: Muted, confirmed: bool = False) -> None:
        """Record a press that sets nothing, or that was not obeyed because it contradicts others."""
        self._record(claim, command, before, confirmed=confirmed)

    def hold(self, claim: Claim, command: Command, before: Muted) -> None:
        """Record a doubtful press: for a while nothing is sent to its link's holder."""
        self._record(claim, command, before, held_until=_ms(self._clock() + HOLD))

    def cohort(self, domain_tag: bytes, window: float) -> int:
        """How many different people behind one mail domain opted out within the last ``window`` seconds."""
        press = self._press
        query = sa.select(sa.func.count(press.c.recipient.distinct())).where(
            press.c.domain_tag == domain_tag, press.c.at >= _ms(self._clock() - window)
        )
        return self._store.read(lambda connection: connection.scalar(query) or 0)

    def _tidy(self, *ends: sa.ColumnElement[bool]) -> None:
        """Remove some of the presses that are older than an hour, and those that a new one ends.

        By their ids, in a transaction of its own: a range of rows is nothing that two writers could lock crosswise.
        """
        press = self._press
        done = press.c.at < _ms(self._clock() - MEMORY)
        if ends:
            done = sa.or_(done, sa.and_(*ends))
        found = sa.select(press.c.id).where(done).limit(PRUNED)
        with suppress(StoreUnavailable):  # what was pressed is stored; the next press tidies
            ids = self._store.read(lambda connection: connection.scalars(found).all())
            if ids:
                self._store.write(lambda connection: connection.execute(press.delete().where(press.c.id.in_(ids))))

    def _record(self, claim: Claim, command: Command, before: Muted, **more: bytes | int) -> None:
        self._store.write(lambda connection: self._insert(claim, command, before, connection, **more))
        self._tidy()

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
        connection.execute(self._press.insert().values(values))


def _of(press: sa.Table, mark: Mark) -> tuple[sa.ColumnElement[bool], ...]:
    return press.c.scope == mark.scope, press.c.digest == mark.digest


def _packed(muted: Muted) -> int:
    return muted[0] | muted[1] << 1


def _unpacked(bits: int) -> Muted:
    return bool(bits & 1), bool(bits & 2)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
