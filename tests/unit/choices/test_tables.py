"""The tables join the host's metadata once, and rows are written in one statement where the database has one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from flask_optout.choices.tables import ChoiceTables, upsert
from flask_optout.wiring import Tables


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


@pytest.mark.parametrize("schema", [None, "people"])
def test_the_tables_are_made_once_on_one_metadata(schema: str | None) -> None:
    metadata = sa.MetaData(schema=schema)
    assert Tables(metadata).all() == Tables(metadata).all()
    assert {table.key for table in Tables(metadata).all()} == set(metadata.tables)
    assert all(table.name.startswith("optout_") and table.schema == schema for table in metadata.sorted_tables)


def test_a_choice_holds_a_pseudonym_and_a_day_and_no_more() -> None:
    """Promise 6: no address, no exact time, no mail domain, no order of arrival."""
    columns = ChoiceTables(sa.MetaData()).choice.columns.keys()
    assert columns == ["scope", "digest", "muted", "source", "day", "batch"]


def test_an_upsert_inserts_and_replaces(connection: sa.Connection, table: sa.Table) -> None:
    for id, word in [(1, "one"), (2, "two"), (1, "uno")]:
        upsert(connection, table, {"id": id, "word": word})
    assert words(connection, table) == [(1, "uno"), (2, "two")]
