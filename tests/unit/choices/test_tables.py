"""The tables join the host's metadata once, and rows are written in one statement where the database has one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from flask_optout import ConfigurationError
from flask_optout.choices.store import Store
from flask_optout.choices.tables import ChoiceTables, create_tables, keep_mutes, upsert
from flask_optout.wiring import Tables
from tests.support.hosts import Host, say


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


def test_creating_the_tables_twice_changes_nothing() -> None:
    engine, tables = sa.create_engine("sqlite://"), Tables(sa.MetaData()).all()
    for _ in range(2):
        create_tables(Store(lambda: engine, lambda: None), tables)
        assert set(sa.inspect(engine).get_table_names()) == {table.name for table in tables}
    engine.dispose()


def test_what_was_made_is_told_once_where_the_host_maps_schemas(tmp_path: Path) -> None:
    engine = sa.create_engine("sqlite://", execution_options={"schema_translate_map": {None: "tenant"}})
    sa.event.listen(
        engine, "connect", lambda driver, _: driver.execute(f"ATTACH '{tmp_path / 'tenant.db'}' AS tenant")
    )
    tables, store = Tables(sa.MetaData()).all(), Store(lambda: engine, lambda: None)
    assert create_tables(store, tables) == [table.name for table in tables]
    assert create_tables(store, tables) == []
    engine.dispose()


@pytest.mark.parametrize("table", ["optout_choice", "optout_meta"])
def test_a_migration_drops_no_table_while_there_are_mutes(host: Host, table: str) -> None:
    say(host, True)
    with host.db.engine.connect() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with pytest.raises(ConfigurationError, match="in which it is stored who opted out"):
            operations.drop_table(table)
    assert not host.optout.may_invite("jane@x.org", "beta-42")
    with host.db.engine.connect() as connection:
        connection.execute(sa.text("DELETE FROM optout_choice"))
        Operations(MigrationContext.configure(connection)).drop_table(table)
        assert not sa.inspect(connection).has_table(table)


def test_a_migration_that_copies_a_table_is_let_through(host: Host) -> None:
    say(host, True)
    with host.db.engine.connect() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("optout_choice", recreate="always") as batch:
            batch.add_column(sa.Column("note", sa.String(9)))
        connection.commit()
    assert not host.optout.may_invite("jane@x.org", "beta-42")


def test_where_only_sql_is_written_no_drop_is_written() -> None:
    keep_mutes()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": io.StringIO()}
    )
    with pytest.raises(ConfigurationError, match="cannot look"):
        Operations(context).drop_table("optout_choice")
    Operations(context).drop_table("of_the_host")


def test_a_host_may_drop_its_tables_by_itself(host: Host) -> None:
    say(host, True)
    host.db.drop_all()
    assert not sa.inspect(host.db.engine).has_table("optout_choice")
