"""The tables of the Email Log."""

from __future__ import annotations

import sqlalchemy as sa

from ..choices.tables import TableSet, binary, number, string, table, text
from ..links.tokens import DIGEST_SIZE

#: RFC 5321 section 4.5.3.1.3: a path of 256 octets, less its angle brackets.
ADDRESS_SIZE = 254
OPPORTUNITY_SIZE = 128
NAME_SIZE = 80


class LogTables(TableSet):
    """The tables of the Email Log; nothing in them is a token or reveals who opted out.

    ``email``: one row for each invitation that passed the gate, its ``id`` made of the minute; ``mailbox`` is the
    canonical address, ``words`` the text for searches, ``attachments`` file names, one per line; ``text`` and
    ``html`` are cut at the link. ``saved_filter``: named queries. ``resend``: who had what sent again. ``asked``: how
    many links were mailed on request on one day, by pseudonyms that no other table has.
    """

    def __init__(self, metadata: sa.MetaData) -> None:
        self.email: sa.Table = _email_table(metadata)
        self.saved_filter: sa.Table = table(
            metadata,
            "optout_saved_filter",
            sa.Column("name", string(NAME_SIZE), primary_key=True),
            sa.Column("query", text(), nullable=False),
        )
        self.resend: sa.Table = table(
            metadata,
            "optout_resend",
            # Numbered, so that the primary key lets one of two simultaneous resends through.
            sa.Column("opportunity", string(OPPORTUNITY_SIZE), primary_key=True),
            sa.Column("mailbox", string(ADDRESS_SIZE), primary_key=True),
            sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
            sa.Column("moment", number(), nullable=False),
            sa.Column("operator", string(NAME_SIZE), nullable=False),
            sa.Column("failure", string(NAME_SIZE)),
        )
        self.asked: sa.Table = table(
            metadata,
            "optout_asked",
            sa.Column("day", sa.Date, primary_key=True),
            sa.Column("slot", binary(DIGEST_SIZE), primary_key=True),
            sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
        )


def _email_table(metadata: sa.MetaData) -> sa.Table:
    return table(
        metadata,
        "optout_email_log",
        sa.Column("id", number(), primary_key=True, autoincrement=False),
        sa.Column("opportunity", string(OPPORTUNITY_SIZE), nullable=False),
        sa.Column("recipient", string(ADDRESS_SIZE), nullable=False),
        sa.Column("mailbox", string(ADDRESS_SIZE), nullable=False),
        sa.Column("subject", text(), nullable=False),
        sa.Column("message_id", text(), nullable=False),
        sa.Column("failure", string(NAME_SIZE)),
        sa.Column("name", text(), nullable=False),
        sa.Column("domain", string(ADDRESS_SIZE), nullable=False),
        sa.Column("words", text(), nullable=False),
        sa.Column("attachments", text(), nullable=False),
        # The long columns last: SQLite does not read them for a list of invitations.
        sa.Column("headers", text(), nullable=False),
        sa.Column("text", text()),
        sa.Column("html", text()),
        sa.Index("optout_email_log_by_mailbox", "mailbox", "id"),
        sa.Index("optout_email_log_by_domain", "domain", "id"),
        sa.Index("optout_email_log_by_opportunity", "opportunity", "id"),
        sa.Index("optout_email_log_by_candidate", "opportunity", "mailbox", "id"),
    )
