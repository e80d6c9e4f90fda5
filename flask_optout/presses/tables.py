"""The tables of recent presses and of the domain alarm."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from ..choices.tables import binary, number, table
from ..links.keys import DIGEST_SIZE, SCOPE_SIZE, TAG_SIZE

RECIPIENT_SIZE = 4


@dataclass(frozen=True)
class PressTables:
    """``press``: the presses of the last hour. ``alarm``: domains whose recipients opted out together, by day."""

    press: sa.Table
    alarm: sa.Table

    @classmethod
    def on(cls, metadata: sa.MetaData) -> PressTables:
        """The tables on this metadata; made once, however often it is called."""
        return cls(
            press=_press(metadata),
            alarm=table(
                metadata,
                "optout_alarm",
                sa.Column("domain_tag", binary(TAG_SIZE), primary_key=True),
                sa.Column("day", sa.Date, primary_key=True),
                sa.Column("at_least", sa.Integer, nullable=False),
                sa.Column("noticed", sa.Boolean, nullable=False),
            ),
        )

    def all(self) -> list[sa.Table]:
        return [self.press, self.alarm]


def _press(metadata: sa.MetaData) -> sa.Table:
    return table(
        metadata,
        "optout_press",
        sa.Column("id", number(), primary_key=True),
        sa.Column("scope", binary(SCOPE_SIZE), nullable=False),
        sa.Column("digest", binary(DIGEST_SIZE), nullable=False),
        # Milliseconds since the epoch.
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("command", sa.String(16), nullable=False),
        sa.Column("before", sa.SmallInteger, nullable=False),
        sa.Column("confirmed", sa.Boolean, nullable=False),
        # Set where the press counts towards a cohort: of which domain, and enough of a digest to count people.
        sa.Column("domain_tag", binary(TAG_SIZE), nullable=True),
        sa.Column("recipient", binary(RECIPIENT_SIZE), nullable=True),
        sa.Index("ix_optout_press_mark", "scope", "digest"),
        sa.Index("ix_optout_press_at", "at"),
        sa.Index("ix_optout_press_domain_tag", "domain_tag"),
    )
