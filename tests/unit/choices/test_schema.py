"""The tables are created with their keys, and no migration drops one that holds mutes."""

from __future__ import annotations

import io

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from flask_optout import ConfigurationError
from flask_optout.choices.schema import create_tables, keep_mutes
from flask_optout.choices.store import Store
from flask_optout.wiring import Tables
from tests.support.hosts import Host, say


def test_creating_the_tables_twice_changes_nothing() -> None:
    engine, tables = sa.create_engine("sqlite://"), Tables(sa.MetaData()).all()
    for _ in range(2):
        create_tables(Store(lambda: engine, lambda: None), tables)
        assert set(sa.inspect(engine).get_table_names()) == {table.name for table in tables}
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
