"""The recent presses of each link, and the transaction that judges a press and carries out the judgement."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from ..choices.repository import Choice, Choices, Statement
from ..choices.store import KeyTaken, insert
from ..choices.tables import mark_columns, table, text
from ..links.tokens import Claim, Mark
from .domain_alarm import Alarms
from .evidence import Command, Evidence, Nonce, Page
from .judge import LAYERS, OBEYED, WINDOW, Judgement, Layer, Outcome, Press, PressContext, Verdict, judge

#: Seconds for which a press counts; a link's presses are deleted so long after its last one.
SECONDS_KEPT = 1800
#: Most presses kept of one link.
MOST_PRESSES = 16


def recent_table(metadata: sa.MetaData) -> sa.Table:
    """Return the table of recent presses: one row for each link, deleted half an hour after its last press."""
    return table(
        metadata,
        "optout_recent_press",
        *mark_columns(),
        # Counts the writes, so that a writer notices if the row has changed since it was read.
        sa.Column("version", sa.Integer, nullable=False),
        # Seconds since the epoch.
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("presses", text(), nullable=False),
        sa.Index("ix_optout_recent_press_expires", "expires"),
    )


class RecentPresses:
    """The recent presses of one app's links. Every method raises the errors of :class:`Choices`."""

    layers: Sequence[Layer] = LAYERS

    def __init__(self, choices: Choices, recent: sa.Table, alarms: Alarms, clock: Callable[[], float]) -> None:
        self._choices = choices
        self._recent = recent
        self._alarms = alarms
        self._clock = clock

    def look(self, claim: Claim) -> tuple[dict[Mark, Choice], tuple[Press, ...]]:
        """Return the choices of a link's holder, and the recent presses of the link."""
        rows = self._choices.store.read(lambda connection: self._fetch(connection, claim))
        self._choices.tidy_up()
        return self._choices.parse_rows(rows), self._parse_unexpired(rows)

    def press(self, claim: Claim, evidence: Evidence) -> Judgement:
        """Judge a press and carry out the judgement in one transaction, which is committed on return."""

        def work(connection: sa.Connection) -> tuple[Judgement, list[Statement]]:
            self._lock_sqlite(connection)
            rows = self._fetch(connection, claim)
            choices, recent = self._choices.parse_rows(rows), self._parse_unexpired(rows)
            this, everything = (choices.get(mark) for mark in claim.person)
            muted = bool(this and this.muted), bool(everything and everything.muted)
            elsewhere = [bool(choice and choice.muted and choice.source != "page") for choice in (this, everything)]
            judgement = judge(PressContext(evidence, muted, recent, (elsewhere[0], elsewhere[1])), self.layers)
            if judgement.verdict is Verdict.ACCEPT and True in judgement.sets.values():
                self._alarms.count(connection, claim)
            if judgement.press is not None:
                self._write(connection, claim.person[0], rows[0].version, [*recent, judgement.press])
            return judgement, [Statement(claim.person[at], mutes, "page") for at, mutes in judgement.sets.items()]

        while True:
            with suppress(KeyTaken):  # a simultaneous press was faster
                return self._choices.transact(work)

    def one_click(self, claim: Claim) -> None:
        """Mute at once: a mail program may not send the signal without its user's consent (RFC 8058 section 3.2)."""
        mark = claim.person[0]

        def work(connection: sa.Connection) -> tuple[None, list[Statement]]:
            self._lock_sqlite(connection)
            rows = connection.execute(self._choices.build_select(1), self._choices.build_parameters([mark])).all()
            choice = self._choices.parse_rows(rows).get(mark)
            if choice is None or not choice.muted:
                self._alarms.count(connection, claim)
            elif choice.source == "one-click":  # so that a flood of signals does not fill the journal
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
        """The query for the choices at this number of a link's marks, each row with the link's recent presses."""
        recent, choice = self._recent.c, self._choices.tables.choice
        of_link = sa.and_(recent.scope == sa.bindparam("scope0"), recent.digest == sa.bindparam("digest0"))
        joined = choice.outerjoin(self._recent, of_link)
        columns = recent.version, recent.presses
        return {at: self._choices.build_select(at).add_columns(*columns).select_from(joined) for at in (2, 4)}

    def _fetch(self, connection: sa.Connection, claim: Claim) -> Sequence[Any]:
        marks = [*claim.person, *(claim.base or ())]
        return connection.execute(self._selects[len(marks)], self._choices.build_parameters(marks)).all()

    def _parse_unexpired(self, rows: Sequence[Any]) -> tuple[Press, ...]:
        row, oldest = rows[0], self._clock() - SECONDS_KEPT
        presses = [] if row.version is None else json.loads(row.presses)
        return tuple(press for press in map(_parse_press, presses) if press.at > oldest)

    def _write(self, connection: sa.Connection, mark: Mark, version: int | None, presses: list[Press]) -> None:
        """Store the presses of a link; ``version`` is that of the row they were read from, if there was one.

        :raises KeyTaken: when another press was added since.
        """
        values = {
            "expires": int(self._clock()) + SECONDS_KEPT,
            "presses": json.dumps(_bound(presses), separators=(",", ":")),
        }
        if version is None:
            insert(connection, self._recent, {**mark._asdict(), "version": 0, **values})
            return
        row = self._recent.c
        at = row.scope == mark.scope, row.digest == mark.digest, row.version == version
        update = self._recent.update().where(*at).values(version=version + 1, **values)
        if connection.execute(update).rowcount == 0:
            raise KeyTaken

    def _lock_sqlite(self, connection: sa.Connection) -> None:
        """Begin with a write that changes no row: only then does an SQLite transaction wait for another writer."""
        if connection.dialect.name == "sqlite":
            connection.execute(self._no_change)

    @cached_property
    def _no_change(self) -> sa.Update:
        return self._recent.update().where(sa.false()).values(version=0)


def _parse_press(row: Sequence[Any]) -> Press:
    at, visit, visitor, command, (this, everything), outcome = row
    return Press(at, visit, visitor, Command(command), (this, everything), Outcome(outcome))


def _bound(presses: list[Press]) -> list[Press]:
    """Drop one press of too many: the latest visitor's oldest, or else one that set nothing, or else the oldest."""
    if len(presses) > MOST_PRESSES:
        *earlier, last = presses
        same = [press for press in earlier if last.visitor == press.visitor or last.visit == press.visit]
        idle = [press for press in earlier if press.command.muted is None or press.outcome not in OBEYED]
        presses.remove((same or idle or earlier)[0])
    return presses


def has_muted(recent: Sequence[Press], nonce: Nonce, visitor: str) -> bool:
    """Return whether a page's viewer has just muted: by its receipt, in the same visit or as the same visitor."""
    return (nonce.page is Page.RESULT and nonce.said is not None and nonce.said.muted is True) or any(
        press.command.muted and press.outcome in OBEYED and nonce.issued - press.at <= WINDOW
        for press in recent
        if press.visit == nonce.visit or press.visitor == visitor
    )
