"""What other systems write when somebody takes their lists away, and which of their rows mean an opt-out.

A file is recognised by the columns of its first line. A row that only says that an address does not work, or that
somebody still wants mail, is no opt-out. One whose meaning is not known is: an import may mute one too many, and that
person can undo it, but must not miss one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

Row = Mapping[str, str]
BOUNCE = "a bounce or a block"
SUBSCRIBED = "still subscribed"


class Export(NamedTuple):
    """One kind of file.

    :param columns: those that tell it from every other kind, in lower case.
    :param excuse: why a row is no opt-out, or ``None`` when it is one.
    """

    name: str
    columns: frozenset[str]
    excuse: Callable[[Row], str | None] = lambda row: None


def _postmark(row: Row) -> str | None:
    return BOUNCE if row["suppressionreason"].strip().lower() == "hardbounce" else None


def _mailchimp(row: Row) -> str | None:
    if row.get("unsub_time", "").strip():
        return None
    return BOUNCE if row.get("clean_time", "").strip() else SUBSCRIBED


def _listmonk(row: Row) -> str | None:
    return SUBSCRIBED if row["status"].strip().lower() == "enabled" else None


EXPORTS = (
    # https://www.twilio.com/docs/sendgrid/api-reference/suppressions-suppressions/retrieve-all-suppressions
    Export("sendgrid", frozenset({"email", "group_id"})),
    # https://www.twilio.com/docs/sendgrid/api-reference/bounces-api/retrieve-all-bounces
    Export("sendgrid", frozenset({"email", "created", "reason", "status"}), lambda row: BOUNCE),
    # https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/unsubscribe
    Export("mailgun", frozenset({"address", "tags", "created_at"})),
    # https://postmarkapp.com/developer/api/suppressions-api
    Export("postmark", frozenset({"emailaddress", "suppressionreason"}), _postmark),
    # The columns that Mailchimp adds to those of an audience: https://github.com/buttondown/roadmap/issues/2276
    Export("mailchimp", frozenset({"email address", "leid", "euid"}), _mailchimp),
    # ExportSubscribers in https://github.com/knadh/listmonk/blob/master/cmd/subscribers.go
    Export("listmonk", frozenset({"uuid", "email", "attributes", "status"}), _listmonk),
)
#: A list of people all of whom opted out, whatever else it says of them.
PLAIN = Export("csv", frozenset())
NAMES = tuple(dict.fromkeys(export.name for export in (PLAIN, *EXPORTS)))


def recognised(columns: list[str], name: str | None = None) -> Export | None:
    """The kind of file that has these columns.

    :param columns: in lower case.
    :param name: the only kind that it may be; ``None`` for whichever it is.
    :returns: ``None`` when it is not of the kind that was named.
    """
    if name == PLAIN.name:
        return PLAIN
    fits = [each for each in EXPORTS if each.columns <= set(columns) and name in (None, each.name)]
    return fits[0] if fits else PLAIN if name is None else None
