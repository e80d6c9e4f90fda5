"""Choices on each kind of database: what was committed is what every look sees."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from flask_optout.addresses import Recipient, parse
from flask_optout.choices.repository import Statement
from flask_optout.links.tokens import ALL
from flask_optout.wiring import Tables, current_state
from tests.conftest import MakeHost
from tests.support.bulk import WAYS, take
from tests.support.databases import Database
from tests.support.hosts import Host, dispose, say

pytestmark = pytest.mark.long


def rows(host: Host) -> list[tuple[bool, str, int | None]]:
    query = sa.text("SELECT muted, source, batch FROM optout_choice WHERE source <> 'key' ORDER BY source")
    with host.db.engine.connect() as connection:
        return [(bool(muted), source, batch) for muted, source, batch in connection.execute(query)]


def test_a_look_within_a_batch_sees_what_was_said_meanwhile(database: Database, make: MakeHost) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        say(host, True, "bob@x.org")
        with current_state().choices.looking() as muted:
            assert not muted(parse("jane@x.org"), "beta-42")
            say(host, True)
            assert muted(parse("jane@x.org"), "beta-42")
        dispose(host)


#: Ends every other connection to this database, as a restart of the server does.
HANG_UP = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mariadb": "BEGIN NOT ATOMIC FOR other IN (SELECT id FROM information_schema.processlist "
    "WHERE db = DATABASE() AND id <> CONNECTION_ID()) DO KILL other.id; END FOR; END",
}


@pytest.mark.parametrize("database", HANG_UP, indirect=True)
@pytest.mark.parametrize("level", [None, "REPEATABLE READ"])
def test_and_so_does_a_look_over_the_connection_that_replaces_a_lost_one(
    database: Database, make: MakeHost, level: str | None
) -> None:
    options = {"isolation_level": level} if level else {}
    host = make(SQLALCHEMY_DATABASE_URI=database.uri, SQLALCHEMY_ENGINE_OPTIONS=options)
    other = sa.create_engine(database.uri)
    with host.app.app_context():
        say(host, True, "bob@x.org")
        with current_state().choices.looking() as muted:
            assert not muted(parse("jane@x.org"), "beta-42")
            with other.connect() as connection:
                connection.exec_driver_sql(HANG_UP[database.kind])
            assert not muted(parse("jane@x.org"), "beta-42")
            say(host, True)
            assert muted(parse("jane@x.org"), "beta-42")
        other.dispose()
        dispose(host)


def test_a_mute_that_is_made_while_an_import_writes_is_the_candidates(database: Database, make: MakeHost) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        key, choices = current_state().key, current_state().choices
        marks = [key.mark(parse(who), "beta-42") for who in ("jane@x.org", "bob@x.org")]
        say(host, True)
        # As where the press was committed after the import had looked.
        choices.transact(lambda connection: (None, [Statement(mark, True, "import", 7) for mark in marks]))
        assert rows(host) == [(True, "import", 7), (True, "page", None)]
        dispose(host)


def test_imports_run_and_are_taken_back_at_once(database: Database, make: MakeHost) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    people = [f"person{number}@x.org" for number in range(1_000)]

    def run(wrong: bool) -> None:
        with host.app.app_context():
            imports = current_state().imports
            number = imports.begin("list.csv", len(people))
            for start in range(0, len(people), 250):
                imports.add(number, [(parse(who), "beta-42") for who in people[start : start + 250]])
            if wrong:
                imports.take_back(number)

    with host.app.app_context():
        current_state().choices.get_key()
        for right in (0, 1):
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(run, [True] * (3 - right) + [False] * right))
            assert len(list(host.optout.invitable(people, "beta-42"))) == (0 if right else len(people))
        dispose(host)


def test_many_mutes_in_one_transaction(database: Database, make: MakeHost) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        people = [f"person{number}@x.org" for number in range(1_001)]
        current_state().choices.add_mutes([(parse(who), "beta-42") for who in people], "import")
        assert list(host.optout.invitable([*people, "ann@x.org"], "beta-42")) == ["ann@x.org"]
        dispose(host)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_mutes_are_the_same_bytes_where_a_server_reads_backslashes_in_strings(
    database: Database, make: MakeHost
) -> None:
    options = {"connect_args": {"options": "-c standard_conforming_strings=off"}}
    host = make(SQLALCHEMY_DATABASE_URI=database.uri, SQLALCHEMY_ENGINE_OPTIONS=options)
    with host.app.app_context():
        people = ["jane@x.org", "bob@x.org"]
        current_state().choices.add_mutes([(parse(who), "beta-42") for who in people], "import")
        assert not any(host.optout.may_invite(who, "beta-42") for who in people)
        assert list(host.optout.invitable(people, "beta-42")) == []
        dispose(host)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("event", ["connect", "checkout"])
def test_what_a_listener_of_the_hosts_sets_on_a_connection_holds_for_us(
    database: Database, make: MakeHost, event: str
) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)

    def move(connection: Any, *_: object) -> None:
        connection.cursor().execute("SET search_path TO tenant")

    with host.app.app_context():
        with host.db.engine.begin() as connection:
            connection.exec_driver_sql("CREATE SCHEMA tenant")
            for table in host.db.metadata.tables:
                connection.exec_driver_sql(f"ALTER TABLE {table} SET SCHEMA tenant")
        host.db.engine.dispose()
        sa.event.listen(host.db.engine, event, move)
        assert host.optout.may_invite("jane@x.org", "beta-42")
        host.optout.mute("jane@x.org", "beta-42")
        with current_state().choices.looking() as muted:
            assert muted(parse("jane@x.org"), "beta-42")
        dispose(host)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_database_whose_texts_are_bytes_by_default(database: Database, make: MakeHost) -> None:
    engine = sa.create_engine(database.uri)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {database.url.database} CHARACTER SET binary")
    engine.dispose()
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        host.optout.mute("jane@x.org", "beta-42")
        assert not host.optout.may_invite("jane@x.org", "beta-42")
        dispose(host)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    take(request.param, monkeypatch)
    return str(request.param)


def spelling(draw: random.Random, number: int) -> Recipient:
    """One of the ways to write one of twenty people."""
    local, domain = f"person{number % 20}", f"x{number % 3}.org"
    plain = f"{local}@{domain}"
    spellings: list[Recipient] = [plain, plain, plain.upper(), f"{local}+{number % 2}@{domain}", f"P <{plain}>"]
    spellings += [
        ("P", plain),
        f"{local}@büro{number % 3}.example",
        f"ü{number % 20}@{domain}",
        f'"{local}"@{domain}',
    ]
    return draw.choice(spellings)


def choose(host: Host, draw: random.Random, times: int) -> None:
    for _ in range(times):
        to = parse(spelling(draw, draw.randrange(60))).deliverable
        say(host, draw.random() < 0.7, to, draw.choice(["beta-42", "study-7"]), draw.random() < 0.2)


@pytest.mark.parametrize("opportunity", ["beta-42", ALL])
def test_it_answers_as_the_gate_does(database: Database, way: str, make: MakeHost, opportunity: str) -> None:
    draw = random.Random(7)
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        assert list(host.optout.invitable(["ann@x.org"], opportunity)) == ["ann@x.org"]
        for _ in range(3):
            choose(host, draw, 15)
            asked = [spelling(draw, draw.randrange(60)) for _ in range(30)]
            expected = [recipient for recipient in asked if host.optout.may_invite(recipient, opportunity)]
            assert list(host.optout.invitable(asked, opportunity)) == expected
            assert list(host.optout.invitable(iter(asked), opportunity)) == expected
        assert 0 < len(expected) < len(asked)
    dispose(host)


def test_two_processes_may_create_the_tables_at_once(database: Database, make: MakeHost) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    tables, meeting = Tables(host.db.metadata).all(), threading.Barrier(2, timeout=20)
    keys: list[bytes] = []

    def init_db() -> None:
        with host.app.app_context():
            current_state().create_tables()
            keys.append(current_state().key.id)

    def meet(*args: object, **kwargs: object) -> None:
        """Both have seen that the table is missing, and go on to create it."""
        meeting.wait()

    with host.app.app_context():
        host.db.drop_all()
    threads = [threading.Thread(target=init_db) for _ in range(2)]
    for table in tables:
        sa.event.listen(table, "before_create", meet)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for table in tables:
            sa.event.remove(table, "before_create", meet)
    assert len(keys) == 2 and keys[0] == keys[1]
    with host.app.app_context():
        say(host, True)
        assert not host.optout.may_invite("jane@x.org", "beta-42")
        dispose(host)
