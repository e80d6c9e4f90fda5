"""The tables carry a version; an upgrade, a downgrade and an interrupted upgrade keep every mute."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from flask_optout import ConfigurationError
from flask_optout.addresses import parse
from flask_optout.choices import schema
from flask_optout.choices.repository import Choices
from flask_optout.choices.store import Store
from flask_optout.choices.tables import SCHEMA, Tables
from flask_optout.links.keys import KeyRing
from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import KEY, Host, dispose, make_host, say

GOLDEN = Path(__file__).parent / "golden" / "version_1.sql"


def version(host: Host) -> str | None:
    with host.db.engine.connect() as connection:
        found = connection.scalar(sa.text("SELECT value FROM optout_meta WHERE name = 'version'"))
        return None if found is None else str(found)


def later() -> Tables:
    tables = Tables.on(sa.MetaData())
    tables.choice.append_column(sa.Column("note", sa.String(9), index=True))
    tables.choice.append_column(sa.Column("grade", sa.Integer, nullable=False, server_default="7"))
    return tables


def test_the_first_choice_and_init_db_note_the_version(make: MakeHost) -> None:
    host = make()
    with host.app.app_context():
        assert version(host) is None
        say(host, True)
        assert version(host) == str(SCHEMA)
        host.app.test_cli_runner().invoke(args=["optout", "init-db"])
        assert version(host) == str(SCHEMA)


@pytest.mark.parametrize("stops_after", [1, 2, 3, None])
def test_an_upgrade_can_be_interrupted_anywhere_and_keeps_every_mute(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops_after: int | None
) -> None:
    host = make_host(tmp_path, SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        say(host, True)
        say(host, True, to="bob@x.org", everything=True)
        monkeypatch.setattr(schema, "SCHEMA", 2)
        upgrade(host.db.engine, later(), stops_after)
        upgrade(host.db.engine, later(), None)
        assert version(host) == "2"
        with host.db.engine.connect() as connection:
            assert connection.execute(sa.text("SELECT note, grade FROM optout_choice")).all() == [(None, 7)] * 2
        with pytest.raises(ConfigurationError, match="version 2.*install the release that made them"):
            host.optout.may_invite("jane@x.org", "beta-42")
        assert host.press(host.path(), "mute")[0] == 503
        # Back to the release before: its own init-db takes the tables as they are.
        monkeypatch.setattr(schema, "SCHEMA", 1)
        assert host.app.test_cli_runner().invoke(args=["optout", "init-db"]).exit_code == 0
        assert not host.optout.may_invite("jane@x.org", "beta-42")
        assert not host.optout.may_invite("bob@x.org", "study-7")
        assert host.press(host.path("ann@x.org"), "mute")[0] == 200
    dispose(host)


class Interrupted(Exception):
    pass


def upgrade(engine: sa.Engine, tables: Tables, stops_after: int | None) -> None:
    """Upgrade, each statement committed by itself as MariaDB does it, and stop after so many."""
    done = 0

    def stop(connection: sa.Connection, cursor: object, statement: str, *rest: object) -> None:
        nonlocal done
        if statement.strip().upper().startswith(("CREATE", "ALTER", "INSERT", "UPDATE")):
            if done == stops_after:
                raise Interrupted
            done += 1

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        sa.event.listen(connection, "before_cursor_execute", stop)
        try:
            schema.bring_up(connection, tables)
        except Interrupted:
            assert stops_after is not None


@pytest.mark.parametrize("stored", ["0", "2", "99", "x"])
def test_tables_of_another_release_close_the_gate_until_init_db(make: MakeHost, stored: str) -> None:
    host = make()
    with host.app.app_context():
        say(host, True)
        host.db.session.execute(sa.text("UPDATE optout_meta SET value = :v WHERE name = 'version'"), {"v": stored})
        host.db.session.commit()
        for who in ("jane@x.org", "bob@x.org"):
            with pytest.raises(ConfigurationError, match="flask optout init-db"):
                host.optout.may_invite(who, "beta-42")
        assert host.app.test_cli_runner().invoke(args=["optout", "init-db"]).exit_code == 0
        assert not host.optout.may_invite("jane@x.org", "beta-42")


def test_f11_a_table_without_its_primary_key_is_refused(host: Host) -> None:
    with host.db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE optout_choice RENAME TO old")
        connection.exec_driver_sql("CREATE TABLE optout_choice AS SELECT * FROM old")
    result = host.app.test_cli_runner().invoke(args=["optout", "init-db"])
    assert result.exit_code == 1 and "primary key (scope, digest)" in result.output


def test_a_database_that_the_first_release_made_keeps_its_mutes_for_ever(tmp_path: Path) -> None:
    """The file was written by release 0.1 with the key of the tests; it is never to be changed."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'golden.db'}")
    raw = engine.raw_connection()
    raw.executescript(GOLDEN.read_text())
    raw.close()
    tables, ring = Tables.on(sa.MetaData()), KeyRing.of([KEY])
    with engine.begin() as connection:
        schema.bring_up(connection, tables)
    choices = Choices(Store(lambda: engine), tables, ring)
    assert choices.muted(parse("jane@x.org"), "beta-42")
    assert choices.muted(parse("bob@x.org"), "anything")
    assert not choices.muted(parse("ann@x.org"), "beta-42")
    engine.dispose()


@pytest.fixture
def muted(database: Database, tmp_path: Path) -> Iterator[Host]:
    host = make_host(tmp_path, SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        say(host, True)
        yield host
    dispose(host)


@pytest.mark.parametrize("table", ["optout_choice", "optout_meta"])
def test_a_migration_does_not_drop_what_says_who_opted_out(muted: Host, table: str) -> None:
    with muted.db.engine.connect() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with pytest.raises(ConfigurationError, match="in which it is stored who opted out"):
            operations.drop_table(table)
    assert not muted.optout.may_invite("jane@x.org", "beta-42")
    with muted.db.engine.connect() as connection:
        connection.execute(sa.text("DELETE FROM optout_choice"))
        Operations(MigrationContext.configure(connection)).drop_table(table)
        connection.commit()
        assert not sa.inspect(connection).has_table(table)


def test_a_migration_that_copies_a_table_is_let_through(muted: Host) -> None:
    with muted.db.engine.connect() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("optout_choice", recreate="always") as batch:
            batch.add_column(sa.Column("note", sa.String(9)))
        connection.commit()
    assert not muted.optout.may_invite("jane@x.org", "beta-42")


def test_where_only_sql_is_written_no_drop_is_written() -> None:
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": io.StringIO()}
    )
    with pytest.raises(ConfigurationError, match="cannot look"):
        Operations(context).drop_table("optout_choice")
    Operations(context).drop_table("of_the_host")


APP = """
from pathlib import Path
from flask_migrate import Migrate
from tests.support.hosts import make_host
host = make_host(Path({folder!r}))
app = host.app
Migrate(app, host.db)
"""


def test_flask_migrate_refuses_the_downgrade(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.format(folder=str(tmp_path)))

    def db(*arguments: str) -> tuple[int, str]:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, "-m", "flask", "--app", "app", "db", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    host = make_host(tmp_path)
    with host.app.app_context():
        say(host, True)
        assert db("init")[0] == 0
        versions = tmp_path / "migrations" / "versions"
        versions.mkdir(exist_ok=True)
        (versions / "a_.py").write_text(
            "from alembic import op\nrevision, down_revision = 'a', None\n"
            "def upgrade():\n    pass\ndef downgrade():\n    op.drop_table('optout_choice')\n"
        )
        assert db("upgrade")[0] == 0
        code, output = db("downgrade")
        assert code != 0 and "in which it is stored who opted out" in output
        assert not host.optout.may_invite("jane@x.org", "beta-42")
    dispose(host)


def test_a_host_may_drop_its_tables_by_itself(host: Host) -> None:
    say(host, True)
    host.db.drop_all()
    assert not sa.inspect(host.db.engine).has_table("optout_choice")
