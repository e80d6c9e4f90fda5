"""The Email Log: record, read and prune what was sent, without its personal links."""

from __future__ import annotations

import datetime
import json
import re
import secrets
import smtplib
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ..addresses import CONTROL, Address
from ..choices.store import KeyTaken, Store, insert
from ..errors import OptOutError
from .tables import ADDRESS_SIZE, NAME_SIZE, LogTables

#: Rows read or deleted in one transaction: a delete of so many holds the write lock for some milliseconds.
BATCH = 5_000
#: The placeholder for a personal link.
SLOT = "[personal link]"
#: The header whose value is always a personal link, whatever it looks like (RFC 2369).
PERSONAL_HEADER = "list-unsubscribe"
#: An enhanced status code at the beginning of a server's reply (RFC 3463).
STATUS = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")
#: Replaces typographic apostrophes, and letters that do not decompose into a letter and an accent.
TYPED = str.maketrans("\u2018\u2019\u02bc\u2032łøđı", "''''lodi")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
#: Ids per minute: so many that two random ones are seldom the same.
PER_MINUTE = 2**36
LARGEST_ID = 2**63 - 1


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def id_at(moment: datetime.datetime) -> int:
    """Return the smallest id of a minute."""
    return min((moment - EPOCH) // MINUTE * PER_MINUTE, LARGEST_ID)


def running_minute() -> int:
    """Return the smallest id of the current minute, before which every read of an operator ends.

    A row is written before its mail is sent, so the delay until the next row would reveal who is muted.
    """
    return id_at(now())


def make_id() -> int:
    """Return a random id of this minute, so that rows of one minute have no order."""
    return id_at(now()) + secrets.randbelow(PER_MINUTE)


def time_of(id: int) -> datetime.datetime:
    """Return the minute (UTC) in which an id was made."""
    return EPOCH + id // PER_MINUTE * MINUTE


@dataclass(frozen=True)
class Times:
    """The wall clock of a time zone."""

    zone: ZoneInfo

    def text(self, moment: datetime.datetime) -> str:
        """Format a moment in this zone, to the minute."""
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")

    def today(self) -> datetime.date:
        return now().astimezone(self.zone).date()

    def start(self, day: datetime.date) -> int:
        """Return the first id of a day, also of one whose midnight is skipped as the clock is put forward."""
        return id_at(datetime.datetime.combine(day, datetime.time(), self.zone).astimezone(datetime.UTC))


@dataclass(frozen=True)
class LogPart:
    """A part of one app's Email Log. Every method raises StoreUnavailable when the database does not answer."""

    store: Store
    tables: LogTables

    def rows(self, query: sa.Select[Any]) -> list[Any]:
        return self.store.read(lambda connection: list(connection.execute(query)))

    def change(self, statement: sa.Executable) -> None:
        self.store.record(lambda connection: connection.execute(statement))


class Email(NamedTuple):
    """A stored invitation: its headers as ``Name: value`` lines, its text and html in pieces (see :func:`cut`)."""

    id: int
    opportunity: str
    recipient: str
    mailbox: str
    subject: str
    message_id: str
    failure: str | None
    name: str
    attachments: str
    headers: str
    text_pieces: str | None
    html_pieces: str | None

    @property
    def time(self) -> datetime.datetime:
        return time_of(self.id)

    @property
    def text(self) -> str | None:
        return self.text_pieces and fill(self.text_pieces)

    @property
    def html(self) -> str | None:
        return self.html_pieces and fill(self.html_pieces)

    def header(self, name: str) -> str | None:
        """Return the value of the first header of this name."""
        lines = (line.partition(": ") for line in self.headers.split("\n"))
        return next((value for known, _, value in lines if known.lower() == name.lower()), None)


class Outgoing(NamedTuple):
    """An invitation about to be sent, as it will be; ``links``: the personal links in it, the landing link first."""

    address: Address
    opportunity: str
    subject: str
    message_id: str
    headers: Sequence[tuple[str, str]]
    text: str | None
    html: str | None
    links: tuple[str, ...]
    attachments: Sequence[str] = ()


class EmailLog(LogPart):
    """The invitations of one app."""

    def record(self, outgoing: Sequence[Outgoing]) -> list[int]:
        """Store invitations that are about to be sent, all or none; return the ids of their rows."""
        rows = list(map(_build_row, outgoing))

        def write(connection: sa.Connection) -> None:
            # In the order of their random ids: the order of sending would reveal who was muted.
            insert(connection, self.tables.email, *sorted(rows, key=itemgetter("id")))

        while True:
            for row in rows:
                row["id"] = make_id()
            with suppress(KeyTaken):
                self.store.record(write, single=len(rows) == 1)
                return [row["id"] for row in rows]

    def forget(self, ids: Sequence[int]) -> None:
        """Delete the rows of invitations whose sending had not begun."""
        self.change(self.tables.email.delete().where(self.tables.email.c.id.in_(ids)))

    def record_failure(self, id: int, error: BaseException) -> None:
        """Record in a row why its hand-off failed."""
        self.change(
            self.tables.email.update().where(self.tables.email.c.id == id).values(failure=classify_error(error))
        )

    def get(self, id: int) -> Email | None:
        """Return one invitation, or ``None`` when it is not stored or its minute is not over."""
        if id >= running_minute():
            return None
        email = self.tables.email.c
        query = sa.select(*(email[name.removesuffix("_pieces")] for name in Email._fields)).where(email.id == id)
        return next((Email(*row) for row in self.rows(query)), None)

    def find_invited(self, first: datetime.date, last: datetime.date) -> Iterator[str]:
        """Yield the canonical address of each invitation from the first to the last day (UTC)."""
        email, utc = self.tables.email.c, Times(ZoneInfo("UTC"))
        after, before = utc.start(first) - 1, utc.start(last + datetime.timedelta(1))
        query = sa.select(email.id, email.mailbox).where(email.id < before).order_by(email.id).limit(BATCH)
        while rows := self.rows(query.where(email.id > after)):
            yield from (row.mailbox for row in rows)
            after = rows[-1].id

    def find_invited_at(self, domain: str) -> list[tuple[str, str]]:
        """Return the distinct pairs of recipient and opportunity at a domain (A-label), up to the running minute."""
        email = self.tables.email.c
        query = sa.select(email.recipient, email.opportunity).distinct()
        return sorted(map(tuple, self.rows(query.where(email.domain == domain, email.id < running_minute()))))

    def count_outdated(self, days: int) -> int:
        """Count the invitations that are older than so many days."""
        [(outdated,)] = self.rows(sa.select(sa.func.count()).where(self.tables.email.c.id < _find_oldest(days)))
        return int(outdated)

    def prune(self, days: int) -> Iterator[int]:
        """Delete invitations older than so many days in batches; yield how many each batch deleted."""
        email = self.tables.email.c
        ids = sa.select(email.id).where(email.id < _find_oldest(days)).order_by(email.id).limit(BATCH).subquery()

        def delete(connection: sa.Connection) -> int:
            last = connection.scalar(sa.select(sa.func.max(ids.c.id))) or 0
            return connection.execute(self.tables.email.delete().where(email.id <= last)).rowcount

        while batch := self.store.record(delete):
            yield batch


def describe_error(error: BaseException) -> str:
    """Return an error as a log or terminal may show it: one of ours in full, of any other only its kind."""
    return str(error) if isinstance(error, OptOutError) else classify_error(error)


def classify_error(error: BaseException) -> str:
    """Return why a hand-off failed: the type of error and the reply's codes (RFC 5321, RFC 3463), not its text."""
    code, answer = getattr(error, "smtp_code", None), getattr(error, "smtp_error", b"")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, answer = next(iter(error.recipients.values()), (None, b""))
    parts = [type(error).__name__]
    if isinstance(code, int):
        status = STATUS.match(answer if isinstance(answer, bytes) else str(answer).encode())
        parts += [str(code), *([status[0].decode()] if status else [])]
    return " ".join(parts)[:NAME_SIZE]


def _build_row(outgoing: Outgoing) -> dict[str, Any]:
    links, address = outgoing.links, outgoing.address
    subject, mailbox = mask(outgoing.subject, links), address.canonical[:ADDRESS_SIZE]
    names = (" ".join(CONTROL.sub(" ", str(name)).split()) for name in outgoing.attachments if name)
    headers = [
        f"{name}: {SLOT if name.lower() == PERSONAL_HEADER else mask(value, links)}"
        for name, value in outgoing.headers
    ]
    return {
        "opportunity": outgoing.opportunity,
        "recipient": address.deliverable,
        "mailbox": mailbox,
        "subject": subject,
        "name": address.name,
        "domain": mailbox.rpartition("@")[2],
        "words": fold(f"{address.name} {mailbox} {_decode_domain(address)} {subject} {outgoing.opportunity}"),
        "attachments": mask("\n".join(names), links),
        "message_id": outgoing.message_id,
        "headers": "\n".join(headers),
        "text": None if outgoing.text is None else cut(outgoing.text, links[0]),
        "html": None if outgoing.html is None else cut(outgoing.html, links[0]),
    }


def _decode_domain(address: Address) -> str:
    """Return an address with its A-label domain in Unicode, or nothing if its domain is not an A-label."""
    if "xn--" not in address.domain:
        return ""
    import idna  # few addresses need it

    return f"{address.canonical.rpartition('@')[0]}@{idna.decode(address.domain)}"


def fold(text: str) -> str:
    """Return a text as searches compare it: without case, accents, strokes and typographic apostrophes."""
    letters = (each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return "".join(letters).casefold().translate(TYPED)


def _find_oldest(days: int) -> int:
    return id_at(now() - datetime.timedelta(days=days))


def cut(text: str, link: str) -> str:
    """Return a text as JSON, cut at the link, and each piece cut at the token, as click counters' URLs contain it."""
    token = link.rpartition("/")[2]
    whole = text.count(token)
    # A wrapped line breaks at most one of two neighbouring parts of the token.
    if any(part and text.count(part) > whole for part in (token[40:56], token[56:72])):
        text = re.sub(r"[\s>]*".join(token), token, text)
    return json.dumps([piece.split(token) for piece in text.split(link)], ensure_ascii=False)


def fill(pieces: str, link: str = SLOT) -> str:
    """Return the text of such pieces, with this link, or a placeholder, where the link was."""
    token = link.rpartition("/")[2]
    return link.join(token.join(piece) for piece in json.loads(pieces))


def mask(text: str, links: tuple[str, ...]) -> str:
    """Return a header value with ``SLOT`` in place of the links, for good, as headers are not sent again."""
    for link in links:
        prefix, _, token = link.rpartition("/")
        text = re.sub(f"(?:{re.escape(prefix)}/)?{token}", SLOT, text, flags=re.IGNORECASE)
    return text
