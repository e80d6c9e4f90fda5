"""The tables of recent presses and of the domain alarm."""

from __future__ import annotations

import sqlalchemy as sa

from ..choices.tables import TableSet, binary, mark_columns, table, text

#: Bytes of the pseudonym of a domain, and of a person on one day.
DOMAIN_SIZE, PERSON_SIZE = 8, 8
SALT_SIZE = 8


class PressTables(TableSet):
    """``recent``: the presses of one link, gone within the hour. ``alarm``: who opted out at a domain on a day, by
    pseudonyms that stand in no other table.
    """

    def __init__(self, metadata: sa.MetaData) -> None:
        self.recent: sa.Table = table(
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
        self.alarm: sa.Table = table(
            metadata,
            "optout_alarm",
            sa.Column("domain", binary(DOMAIN_SIZE), primary_key=True),
            sa.Column("day", sa.Date, primary_key=True),
            sa.Column("person", binary(PERSON_SIZE), primary_key=True),
            # Clustered by its key, so that the order of the rows says nothing.
            sqlite_with_rowid=False,
        )
