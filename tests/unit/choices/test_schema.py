"""The tables are created with their keys, and no migration drops one that holds mutes."""

from __future__ import annotations

import io
import threading

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from flask_optout import ConfigurationError
from flask_optout.choices.schema import create_tables, keep_mutes
from flask_optout.choices.store import Store
from flask_optout.wiring import Tables, current_state
from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import Host, dispose, say


def test_creating_the_tables_twice_changes_nothing() -> None:
    engine, tables = sa.create_engine("sqlite://"), Tables(sa.MetaData()).all()
    for _ in range(2):
        create_tables(Store(lambda: engine, lambda: None), tables)
        assert set(sa.inspect(engine).get_table_names()) == {table.name for table in tables}
    engine.dispose()


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
