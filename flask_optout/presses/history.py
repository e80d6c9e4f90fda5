"""The recent presses of each link, and the transaction that judges a press and does what it says."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..choices.repository import Choice, Choices, Statement
from ..choices.store import KeyTaken, insert
from ..choices.tables import binary, mark_columns, table, text
from ..links.tokens import Claim, Mark
from .domain_alarm import Alarms
from .evidence import COMMANDS, Evidence, Muted, Outcome, Press
from .judge import LAYERS, Judgement, Layer, Verdict, Weighed, judge

#: The doors of mail programs, as they stand in a choice.
BY_MAIL = ("one-click", "mailto")
#: Seconds after the last press of a link, after which its presses are deleted.
SECONDS_KEPT = 1800
#: Presses that are kept of one link.
MOST_PRESSES = 16
SALT_SIZE = 8


def recent_table(metadata: sa.MetaData) -> sa.Table:
    """The table of recent presses: a row for each link, gone within the hour."""
    return table(
        metadata,
        "optout_recent_press",
        *mark_columns(),
        # Counts the writes, so that nobody writes over what they have not seen.
        sa.Column("version", sa.Integer, nullable=False),
        # Seconds since the epoch.
        sa.Column("expires", sa.BigInteger, nullable=False),
        # The key of the visitors' pseudonyms.
        sa.Column("salt", binary(SALT_SIZE), nullable=False),
        sa.Column("presses", text(), nullable=False),
        sa.Index("ix_optout_recent_press_expires", "expires"),
    )


class Recent(NamedTuple):
    """The recent presses of a link; ``version`` is ``None`` where there is no row of them."""

    version: int | None
    salt: bytes
    presses: tuple[Press, ...]


class RecentPresses:
    """The recent presses of one app's links. Every method raises the errors of :class:`Choices`.

    :param clock: gives the seconds since the epoch.
    """

    layers: Sequence[Layer] = LAYERS

    def __init__(self, choices: Choices, recent: sa.Table, alarms: Alarms, clock: Callable[[], float]) -> None:
        self._choices = choices
        self._recent = recent
        self._alarms = alarms
        self._clock = clock

    def look(self, claim: Claim) -> tuple[dict[Mark, Choice], Recent]:
        """What stands for the holder of a link, and what was pressed of late."""
        rows = self._choices.store.read(lambda connection: self._rows(connection, claim))
        self._choices.afterwards()
        return self._choices.found(rows), self._unexpired(rows)

    def press(self, claim: Claim, evidence: Evidence, visitor: Callable[[bytes], str]) -> Judgement:
        """Judge a press and do what the judgement says, in one transaction; when this returns, it is committed.

        :param visitor: gives the pseudonym of who presses, under the salt of the link's recent presses.
        """

        def work(connection: sa.Connection) -> tuple[Judgement, list[Statement]]:
            self._lock_sqlite(connection)
            rows = self._rows(connection, claim)
            choices, recent = self._choices.found(rows), self._unexpired(rows)
            known = replace(evidence, visitor=visitor(recent.salt))
            standing = [choices.get(mark) for mark in claim.person]
            muted = _both(choice is not None and choice.muted for choice in standing)
            mailed = _both(choice is not None and choice.source in BY_MAIL for choice in standing)
            judgement = judge(Weighed(known, muted, recent.presses, mailed), self.layers)
            if judgement.verdict is Verdict.ACCEPT and True in judgement.sets.values():
                self._alarms.count(connection, claim)
            if judgement.press is not None:
                self._write(connection, claim.person[0], recent, judgement.press)
            said = [Statement(claim.person[which], muted, "page") for which, muted in judgement.sets.items()]
            return judgement, said

        while True:
            with suppress(KeyTaken):  # somebody else has pressed at the same time, and was faster
                return self._choices.transact(work)

    def one_click(self, claim: Claim) -> None:
        """Mute at once: a mail program may not send the signal without its user's consent (RFC 8058 section 3.2)."""
        mark = claim.person[0]

        def work(connection: sa.Connection) -> tuple[None, list[Statement]]:
            self._lock_sqlite(connection)
            rows = connection.execute(self._choices.select(1), self._choices.parameters([mark])).all()
            choice = self._choices.found(rows).get(mark)
            if choice is None or not choice.muted:
                self._alarms.count(connection, claim)
            elif choice.source == "one-click":  # said before: a flood of signals fills no journal
                return None, []
            return None, [Statement(mark, True, "one-click")]

        self._choices.transact(work)

    def prune(self) -> None:
        """Delete the presses that have expired."""
        expired = self._recent.c.expires <= int(self._clock())
        some = sa.select(self._recent.c.version).where(expired).limit(1)
        if self._choices.store.read(lambda connection: connection.execute(some).first()):
            self._choices.store.write(lambda connection: connection.execute(self._recent.delete().where(expired)))

    @cached_property
    def _selects(self) -> dict[int, sa.Select[Any]]:
        recent = self._recent.c
        of_link = sa.and_(recent.scope == sa.bindparam("scope0"), recent.digest == sa.bindparam("digest0"))
        choice = self._choices.tables.choice
        return {
            places: self._choices.select(places)
            .add_columns(recent.version, recent.expires, recent.salt, recent.presses)
            .select_from(choice.outerjoin(self._recent, of_link))
            for places in (2, 4)
        }

    def _rows(self, connection: sa.Connection, claim: Claim) -> Sequence[Any]:
        marks = [*claim.person, *(claim.base or ())]
        return connection.execute(self._selects[len(marks)], self._choices.parameters(marks)).all()

    def _unexpired(self, rows: Sequence[Any]) -> Recent:
        """The recent presses, which stand in each row; without any, there is a new salt."""
        version, expires, salt, presses = rows[0][6:]
        if version is None or expires <= self._clock():
            return Recent(version, secrets.token_bytes(SALT_SIZE), ())
        return Recent(version, bytes(salt), tuple(map(_press, json.loads(presses))))

    def _write(self, connection: sa.Connection, mark: Mark, recent: Recent, press: Press) -> None:
        """Add a press.

        :raises KeyTaken: when another press was added since the recent ones were read.
        """
        presses = _bounded([*recent.presses, press])
        values = {
            "expires": int(self._clock()) + SECONDS_KEPT,
            "salt": recent.salt,
            "presses": json.dumps([_row(each) for each in presses], separators=(",", ":")),
        }
        if recent.version is None:
            insert(connection, self._recent, {**mark._asdict(), "version": 0, **values})
            return
        row = self._recent.c
        at = row.scope == mark.scope, row.digest == mark.digest, row.version == recent.version
        update = self._recent.update().where(*at).values(version=recent.version + 1, **values)
        if connection.execute(update).rowcount == 0:
            raise KeyTaken

    def _lock_sqlite(self, connection: sa.Connection) -> None:
        """SQLite waits for its one writer only where a transaction begins with a write; this changes no row."""
        if connection.dialect.name == "sqlite":
            connection.execute(self._recent.update().where(sa.false()).values(version=0))


def _press(row: Sequence[Any]) -> Press:
    at, visit, visitor, choice, found, outcome = row
    return Press(at / 1000, visit, visitor, COMMANDS[choice], _both(found), Outcome(outcome))


def _row(press: Press) -> list[Any]:
    return [int(press.at * 1000), press.visit, press.visitor, press.command.choice, press.found, press.outcome]


def _bounded(presses: list[Press]) -> list[Press]:
    """The presses to keep; of too many, the oldest of the latest visitor goes, so nobody drops another's."""
    newest = presses[-1]
    while len(presses) > MOST_PRESSES:
        same = [press for press in presses[:-1] if newest.visitor == press.visitor or newest.visit == press.visit]
        presses.remove((same or presses)[0])
    return presses


def _both(pair: Any) -> Muted:
    this, everything = pair
    return bool(this), bool(everything)
