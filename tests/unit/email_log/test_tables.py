"""Nothing in the tables is finer than a minute or says who opted out."""

from __future__ import annotations

from tests.support.email_log import TABLES


def test_the_tables_hold_what_the_manual_says_and_no_more() -> None:
    columns = {table.name: {column.name for column in table.columns} for table in TABLES.all()}
    assert columns == {
        "optout_email_log": {
            *("id", "opportunity", "recipient", "mailbox", "subject", "message_id", "failure", "name", "domain"),
            *("words", "attachments", "headers", "text", "html"),
        },
        "optout_saved_filter": {"name", "query"},
        "optout_resend": {"opportunity", "mailbox", "number", "moment", "operator", "failure"},
        "optout_asked": {"day", "slot", "number"},
    }
