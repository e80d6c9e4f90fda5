"""The tables: SQLAlchemy Core, on the host's metadata, so that create_all and Flask-Migrate find them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ..links.keys import DIGEST_SIZE, ID_SIZE, SCOPE_SIZE, TAG_SIZE

#: The version of the tables. A new one only adds tables, and columns with defaults, so that the older release still
#: finds every mute.
SCHEMA = 1
RECIPIENT_SIZE = 4


def _dialect(name: str) -> Any:
    # Each brings the adapters of all its drivers along: not before there are tables to make.
    return import_module(f"sqlalchemy.dialects.{name}")


def _bytes(size: int) -> sa.types.TypeEngine[bytes]:
    # MySQL and MariaDB cannot make a BLOB a primary key.
    return sa.LargeBinary(size).with_variant(_dialect("mysql").BINARY(size), "mysql", "mariadb")


def _string(size: int) -> sa.types.TypeEngine[str]:
    # The default collations of MySQL and MariaDB take different people for one.
    exact = _dialect("mysql").VARCHAR(size, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(size).with_variant(exact, "mysql", "mariadb")


def _text() -> sa.types.TypeEngine[str]:
    exact = _dialect("mysql").LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Text().with_variant(exact, "mysql", "mariadb")


def _id() -> sa.types.TypeEngine[int]:
    # SQLite clusters a table by its key only when the key is an INTEGER.
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


#: RFC 5321 section 4.5.3.1.3: a path of 256 octets, less its angle brackets.
ADDRESS_SIZE = 254
OPPORTUNITY_SIZE = 128
NAME_SIZE = 80


@dataclass(frozen=True)
class LogTables:
    """What the Email Log keeps; nothing in it is a digest, a token, or says who opted out.

    ``email``: one row for each invitation that passed the gate, its ``id`` made of the minute; ``mailbox`` is the
    canonical address; ``text`` and ``html`` are cut where the link stood. ``saved_filter``: a named query, of one
    opportunity or, with ``""``, of all. ``resend``: who had what sent again. ``asked``: how many links the ask page
    has mailed on one day, by pseudonyms that stand nowhere else.
    """

    email: sa.Table
    saved_filter: sa.Table
    resend: sa.Table
    asked: sa.Table

    @classmethod
    def on(cls, metadata: sa.MetaData) -> LogTables:
        """The tables on this metadata, made there once however often it is asked."""
        return cls(
            email=_email(metadata),
            saved_filter=_table(
                metadata,
                "optout_saved_filter",
                sa.Column("opportunity", _string(OPPORTUNITY_SIZE), primary_key=True),
                sa.Column("name", _string(NAME_SIZE), primary_key=True),
                sa.Column("query", _text(), nullable=False),
            ),
            resend=_resend(metadata),
            asked=_table(
                metadata,
                "optout_asked",
                sa.Column("day", sa.Date, primary_key=True),
                sa.Column("slot", _bytes(DIGEST_SIZE), primary_key=True),
                sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
            ),
        )

    def all(self) -> list[sa.Table]:
        return [self.email, self.saved_filter, self.resend, self.asked]


@dataclass(frozen=True)
class Tables:
    """What Flask-OptOut keeps.

    ``choice``: what a candidate last said about one opportunity, one row for each digest. No row holds an address,
    and none an exact time. ``meta``: the version of the tables and the keys under which choices are stored.
    ``press``: the presses of the last hour. ``alarm``: the mail domains whose recipients opted out together, by day.
    ``log``: what the Email Log keeps.
    """

    choice: sa.Table
    meta: sa.Table
    press: sa.Table
    alarm: sa.Table
    log: LogTables

    @classmethod
    def on(cls, metadata: sa.MetaData) -> Tables:
        """The tables on this metadata, made there once however often it is asked."""
        return cls(
            choice=_table(
                metadata,
                "optout_choice",
                sa.Column("scope", _bytes(SCOPE_SIZE), primary_key=True),
                sa.Column("digest", _bytes(DIGEST_SIZE), primary_key=True),
                sa.Column("muted", sa.Boolean, nullable=False),
                sa.Column("source", sa.String(16), nullable=False),
                sa.Column("day", sa.Date, nullable=False),
                sa.Column("domain_tag", _bytes(TAG_SIZE), nullable=False),
                sa.Column("key_id", _bytes(ID_SIZE), nullable=False),
                # Orders the choices that one person made under several keys, whatever the clocks said.
                sa.Column("sequence", sa.BigInteger, nullable=False),
                # Named here, as a host's naming convention may have no name for it.
                sa.Index("ix_optout_choice_sequence", "sequence"),
                # Clustered by opportunity: all its mutes are read in one stretch.
                sqlite_with_rowid=False,
            ),
            meta=_table(
                metadata,
                "optout_meta",
                sa.Column("name", sa.String(32), primary_key=True),
                sa.Column("value", sa.String(64), nullable=False),
            ),
            press=_press(metadata),
            alarm=_table(
                metadata,
                "optout_alarm",
                sa.Column("domain_tag", _bytes(TAG_SIZE), primary_key=True),
                sa.Column("day", sa.Date, primary_key=True),
                sa.Column("at_least", sa.Integer, nullable=False),
                sa.Column("noticed", sa.Boolean, nullable=False),
            ),
            log=LogTables.on(metadata),
        )

    def all(self) -> list[sa.Table]:
        return [self.choice, self.meta, self.press, self.alarm, *self.log.all()]


def _press(metadata: sa.MetaData) -> sa.Table:
    return _table(
        metadata,
        "optout_press",
        sa.Column("id", _id(), primary_key=True),
        sa.Column("scope", _bytes(SCOPE_SIZE), nullable=False),
        sa.Column("digest", _bytes(DIGEST_SIZE), nullable=False),
        # Milliseconds since the epoch.
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("command", sa.String(16), nullable=False),
        sa.Column("before", sa.SmallInteger, nullable=False),
        sa.Column("confirmed", sa.Boolean, nullable=False),
        # Set where a doubtful press did nothing but hold sends; milliseconds since the epoch.
        sa.Column("held_until", sa.BigInteger, nullable=True),
        # Set where the press counts towards a cohort: of which domain, and enough of a digest to count people.
        sa.Column("domain_tag", _bytes(TAG_SIZE), nullable=True),
        sa.Column("recipient", _bytes(RECIPIENT_SIZE), nullable=True),
        sa.Index("ix_optout_press_mark", "scope", "digest"),
        sa.Index("ix_optout_press_at", "at"),
        sa.Index("ix_optout_press_held_until", "held_until"),
        sa.Index("ix_optout_press_domain_tag", "domain_tag"),
    )


def _email(metadata: sa.MetaData) -> sa.Table:
    return _table(
        metadata,
        "optout_email_log",
        sa.Column("id", _id(), primary_key=True, autoincrement=False),
        sa.Column("opportunity", _string(OPPORTUNITY_SIZE), nullable=False),
        sa.Column("recipient", _string(ADDRESS_SIZE), nullable=False),
        sa.Column("mailbox", _string(ADDRESS_SIZE), nullable=False),
        sa.Column("subject", _text(), nullable=False),
        sa.Column("message_id", _text(), nullable=False),
        sa.Column("failure", _string(NAME_SIZE)),
        # Long ones last: a list of invitations does not read them.
        sa.Column("headers", _text(), nullable=False),
        sa.Column("text", _text()),
        sa.Column("html", _text()),
        sa.Index("optout_email_log_by_mailbox", "mailbox", "id"),
        sa.Index("optout_email_log_by_opportunity", "opportunity", "id"),
        sa.Index("optout_email_log_by_candidate", "opportunity", "mailbox", "id"),
    )


def _resend(metadata: sa.MetaData) -> sa.Table:
    return _table(
        metadata,
        "optout_resend",
        # Numbered, so that of two at the same moment the key lets one through.
        sa.Column("opportunity", _string(OPPORTUNITY_SIZE), primary_key=True),
        sa.Column("mailbox", _string(ADDRESS_SIZE), primary_key=True),
        sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("email_id", _id(), nullable=False),
        sa.Index("ix_optout_resend_email_id", "email_id"),
        sa.Column("moment", _id(), nullable=False),
        sa.Column("operator", _string(NAME_SIZE), nullable=False),
        sa.Column("failure", _string(NAME_SIZE)),
    )


def _table(metadata: sa.MetaData, name: str, *columns: sa.schema.SchemaItem, **options: Any) -> sa.Table:
    existing = metadata.tables.get(name)
    return existing if existing is not None else sa.Table(name, metadata, *columns, **options)


def upsert(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> None:
    """Insert a row or replace the one with its primary key: one atomic statement where the database has one.

    :param values: plain, or an expression, which should be the same object each time.
    """
    made = {name: value for name, value in values.items() if isinstance(value, sa.ColumnElement)}
    plain = {name: value for name, value in values.items() if name not in made}
    statement = _upserting(connection.dialect.name, table, tuple(values), tuple(made.items()))
    if statement is not None:
        connection.execute(statement, plain)
        return
    at = [column == values[column.name] for column in table.primary_key]
    update = table.update().where(*at).values(values)
    if connection.execute(update).rowcount == 0 and not _inserted(connection, table.insert().values(values)):
        connection.execute(update)


@lru_cache(100)
def _upserting(dialect: str, table: sa.Table, names: tuple[str, ...], made: tuple[tuple[str, Any], ...]) -> Any:
    """The statement, made once, as to make it costs as much as to run it; ``None`` where the database has none."""
    keys = [column.name for column in table.primary_key]
    rest = [name for name in names if name not in keys]
    insert: Any
    match dialect:
        case "sqlite" | "postgresql":
            insert = _dialect(dialect).insert(table).values(dict(made))
            return insert.on_conflict_do_update(
                index_elements=keys, set_={name: insert.excluded[name] for name in rest}
            )
        case "mysql" | "mariadb":
            insert = _dialect("mysql").insert(table).values(dict(made))
            return insert.on_duplicate_key_update({name: insert.inserted[name] for name in rest})
        case _:
            return None


def insert_if_absent(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> None:
    """Insert a row unless one with its primary key is there, without locking the one that is."""
    present = sa.exists().where(*(table.c[column.name] == values[column.name] for column in table.primary_key))
    row = sa.select(*(sa.literal(values[name], table.c[name].type) for name in values)).where(~present)
    insert: Any
    match connection.dialect.name:
        case "sqlite" | "postgresql" as dialect:
            insert = _dialect(dialect).insert(table).from_select(list(values), row)
            connection.execute(insert.on_conflict_do_nothing())
        case "mysql" | "mariadb":
            connection.execute(table.insert().prefix_with("IGNORE").from_select(list(values), row))
        case _:
            _inserted(connection, table.insert().from_select(list(values), row))


def put_newer(connection: sa.Connection, choice: sa.Table, values: dict[str, Any]) -> None:
    """Insert a choice, or replace the one at its place if that was made earlier; of two at once the mute counts."""
    insert_if_absent(connection, choice, values)
    earlier = sa.or_(
        choice.c.sequence < values["sequence"],
        sa.and_(choice.c.sequence == values["sequence"], choice.c.muted.is_(False)),
    )
    at = (choice.c.scope == values["scope"], choice.c.digest == values["digest"])
    connection.execute(choice.update().where(*at, earlier).values(values))


def _inserted(connection: sa.Connection, insert: sa.Insert) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(insert)
    except IntegrityError:  # another transaction was faster
        return False
    return True
