"""The Email Log at depth: filters and late pages against the raw indexed SQL, and searches against the exact one.

``python -m benchmarks.email_log`` fills 200,000 rows, or as many as ``--rows`` says, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from flask_optout.choices.store import Store
from flask_optout.email_log.records import PER_MINUTE, cut, id_at, now
from flask_optout.email_log.search import PAGE, WINDOW, Criteria, Search, Word
from flask_optout.email_log.tables import LogTables

from .harness import Row, Work, interleave, machine, repeated, say, table

POSTGRESQL = os.environ.get(
    "OPTOUT_BENCH_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/optout_bench_email_log"
)
#: Everybody was invited so often.
EACH = 20
#: Short, so that ten million mails fit a disk; a list does not read it.
HTML = "<p>Come and try it.</p>" * 20
#: Ids between two rows: a millisecond.
STEP = PER_MINUTE // 60_000
LINK = "https://x.example/none"
ROUNDS = 7
CALLS = 100
AT_ONCE = 50_000
COLUMNS = "id, opportunity, recipient, name, subject, failure"
INDEXED = f"select {COLUMNS} from optout_email_log where {{}} order by id desc limit 51"


@click.command()
@click.option("--rows", default=200_000, show_default=True, help="How many rows to fill.")
def main(rows: int) -> None:
    """Fill an Email Log on each database and print the ratios."""
    figures: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for url in (sa.make_url(f"sqlite:///{Path(folder) / 'log.db'}"), sa.make_url(POSTGRESQL)):
            with filled(url, rows) as (search, engine):
                say(f"measuring {url.get_backend_name()}")
                figures += measure(search, engine, rows)
    print(f"{rows:,} rows; {machine()}\n\n{table(figures)}")


@contextmanager
def filled(url: sa.URL, rows: int) -> Iterator[tuple[Search, sa.Engine]]:
    """An Email Log with so many rows, in a database that is dropped afterwards."""
    server = url.get_backend_name() == "postgresql"
    if server:
        _administer(url, f"DROP DATABASE IF EXISTS {url.database}", f"CREATE DATABASE {url.database}")
    engine = sa.create_engine(url)
    tables = LogTables(sa.MetaData())
    for made in tables.all():
        made.create(engine)
    say(f"filling {url.get_backend_name()}")
    for index in tables.email.indexes:
        index.drop(engine)
    for start in range(0, rows, AT_ONCE):
        _fill(engine, tables, start, min(start + AT_ONCE, rows), rows)
    for index in tables.email.indexes:
        index.create(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if server else "ANALYZE")
    try:
        yield Search(Store(lambda: engine, lambda: None), tables), engine
    finally:
        engine.dispose()
        if server:
            _administer(url, f"DROP DATABASE {url.database} WITH (FORCE)")


def _administer(url: sa.URL, *statements: str) -> None:
    engine = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def _fill(engine: sa.Engine, tables: LogTables, start: int, end: int, rows: int) -> None:
    last, text, html = id_at(now()), cut("Come and try it.", LINK), cut(HTML, LINK)
    emails: list[tuple[object, ...]] = []
    for number in range(start, end):
        person = number * 7919 % (rows // EACH)
        domain = f"company{person % 997}.example"
        address, about, subject = f"candidate{person}@{domain}", f"beta-{number % 40}", f"Join us, number {number}"
        id, name = last - (rows - number) * STEP, f"Candidate Number {person}"
        failure = None if number % 1000 else "SMTPRecipientsRefused 550"
        words = f"{name} {address} {subject} {about}".casefold()
        row: tuple[object, ...] = (
            id,
            about,
            address,
            address,
            subject,
            f"<{number}@x>",
            failure,
            name,
            domain,
            words,
            "",
        )
        emails.append((*row, "From: team@example.org", text, html))
    name, columns = tables.email.name, [column.name for column in tables.email.columns]
    raw = engine.raw_connection()
    cursor: Any = raw.cursor()
    if engine.dialect.name == "postgresql":
        with cursor.copy(f"copy {name} ({', '.join(columns)}) from stdin") as copy:
            for row in emails:
                copy.write_row(row)
    else:
        cursor.executemany(f"insert into {name} values ({', '.join('?' * len(columns))})", emails)
    raw.commit()
    raw.close()


@dataclass(frozen=True)
class Asked:
    """One way to ask the Email Log, and the same by hand-written SQL that its indexes serve."""

    wanted: Criteria
    before: int | None
    where: str
    values: tuple[object, ...]

    def ours(self, search: Search) -> Work:
        return repeated(lambda _: search.find(self.wanted, self.before), CALLS)

    def by_hand(self, engine: sa.Engine) -> Work:
        query = self._query(engine)

        def ask(_: int) -> None:
            with engine.connect() as connection:
                connection.exec_driver_sql(query, self.values).fetchall()

        return repeated(ask, CALLS)

    def by_driver(self, engine: sa.Engine, driver: Any) -> Work:
        query = self._query(engine)
        return repeated(lambda _: driver.execute(query, self.values).fetchall(), CALLS)

    def _query(self, engine: sa.Engine) -> str:
        mark = "?" if engine.dialect.name == "sqlite" else "%s"
        return INDEXED.format(self.where.replace("?", mark))


def measure(search: Search, engine: sa.Engine, rows: int) -> Iterator[Row]:
    """Each way to ask, against the same by hand on a pooled connection, and against the first page.

    The bare driver on an open connection, which no app sends its queries by, is told in a note.
    """
    page = rows // PAGE // 20
    late, newest = f"page {page:,}", search.find(Criteria()).entries[0].id
    deep = newest - page * PAGE * STEP
    person = rows // EACH // 2
    domain = f"company{person % 997}.example"
    to = f"candidate{person}@{domain}"
    both = Criteria(mailbox=to, opportunity="beta-7")
    of_one = Criteria(opportunity="beta-7")
    ways = {
        "recipient": Asked(Criteria(mailbox=to), None, "mailbox = ?", (to,)),
        "domain": Asked(Criteria(domain=domain), None, "domain = ?", (domain,)),
        "recipient and opportunity": Asked(both, None, "opportunity = ? and mailbox = ?", ("beta-7", to)),
        "opportunity": Asked(of_one, None, "opportunity = ?", ("beta-7",)),
        "page 1": Asked(Criteria(), None, "id < ?", (newest + 1,)),
        late: Asked(Criteria(), deep, "id < ?", (deep,)),
        f"opportunity, {late}": Asked(of_one, deep, "opportunity = ? and id < ?", ("beta-7", deep)),
    }
    raw = engine.raw_connection()  # held, or the pool would lend it out in the middle of a transaction
    driver: Any = raw.driver_connection
    contenders: dict[str, Work] = {}
    for name, way in ways.items():
        contenders[name] = way.ours(search)
        contenders[f"{name}, by hand"] = way.by_hand(engine)
        contenders[f"{name}, by driver"] = way.by_driver(engine, driver)
    times, database = interleave(contenders, ROUNDS), engine.dialect.name
    raw.close()
    for name in ways:
        bare = times.ratio(name, f"{name}, by driver")
        note = f"{times.seconds(name) / CALLS * 1e3:.2f} ms; {bare:.1f}× the bare driver"
        yield Row(f"{database}: {name}", "SQL by hand", times.ratio(name, f"{name}, by hand"), most=2, note=note)
    for name in (late, "recipient"):
        yield Row(f"{database}: {name}", "page 1", times.ratio(name, "page 1"), most=2)
    yield from parts(search, database, to)


def parts(search: Search, database: str, to: str) -> Iterator[Row]:
    """What has no index, beside the whole address, and against what people wait for without noticing."""
    wanted = {
        "whole address": Criteria(mailbox=to),
        "part of a name": Criteria(words=(Word("number 12"),)),
        "words that nothing has": Criteria(words=(Word("nothing%like_it"), Word("at all"))),
        "failed": Criteria(failed=True),
    }
    contenders: dict[str, Work] = {name: lambda each=each: search.find(each) for name, each in wanted.items()}  # type: ignore[misc]
    contenders["total of all"] = lambda: search.count(Criteria())
    contenders["total of a part"] = lambda: search.count(wanted["part of a name"])
    contenders["addresses that begin"] = lambda: search.find_starting("mailbox", "candidate1", 5)
    times = interleave(contenders, ROUNDS)
    for name in contenders:
        note = f"{times.seconds(name) * 1e3:.1f} ms; {times.ratio(name, 'whole address'):.1f}× the whole address"
        yield Row(f"{database}: {name}", f"0.2 s for {WINDOW:,} rows", times.seconds(name) / 0.2, most=1, note=note)


if __name__ == "__main__":
    main()
