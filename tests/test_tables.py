"""The tables join the host's metadata once, and rows are written in one statement where the database has one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from flask_optout.choices.tables import Tables, insert_if_absent, upsert


@pytest.fixture(params=["sqlite", "any other database"])
def connection(request: pytest.FixtureRequest) -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.dialect.name = request.param
        yield connection
    engine.dispose()


@pytest.fixture
def table(connection: sa.Connection) -> sa.Table:
    table = sa.Table(
        "row", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("word", sa.String)
    )
    connection.execute(sa.text("create table row (id integer primary key, word varchar)"))
    return table


def words(connection: sa.Connection, table: sa.Table) -> list[tuple[int, str]]:
    return [tuple(row) for row in connection.execute(sa.select(table).order_by(table.c.id))]


def test_the_tables_are_made_once_on_one_metadata() -> None:
    metadata = sa.MetaData()
    assert Tables.on(metadata) == Tables.on(metadata)
    assert set(metadata.tables) == {table.name for table in Tables.on(metadata).all()}
    assert all(name.startswith("optout_") for name in metadata.tables)


def test_an_upsert_inserts_and_replaces(connection: sa.Connection, table: sa.Table) -> None:
    for id, word in [(1, "one"), (2, "two"), (1, "uno")]:
        upsert(connection, table, {"id": id, "word": word})
    assert words(connection, table) == [(1, "uno"), (2, "two")]


def test_a_row_that_is_there_stays_as_it_is(connection: sa.Connection, table: sa.Table) -> None:
    for word in ("one", "uno"):
        insert_if_absent(connection, table, {"id": 1, "word": word})
    assert words(connection, table) == [(1, "one")]
