"""The database time-outs of the host's engine: without them a database that hangs keeps everybody waiting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from .finding import Finding, tell

#: Seconds that a statement may wait for SQLite's lock, and for a place in the pool.
LONGEST_WAIT = 30.0
POSTGRESQL = """SQLALCHEMY_ENGINE_OPTIONS = {"pool_timeout": 10, "connect_args": {"connect_timeout": 5, \
"options": "-c statement_timeout=10000"}}"""
MYSQL = """SQLALCHEMY_ENGINE_OPTIONS = {"pool_timeout": 10, "connect_args": {"connect_timeout": 5, \
"read_timeout": 10, "write_timeout": 10}}"""
SQLITE = 'SQLALCHEMY_ENGINE_OPTIONS = {"connect_args": {"timeout": 5}}'
WAL = "PRAGMA journal_mode=WAL"


def time_outs(engine: sa.Engine) -> Iterator[Finding]:
    """Which time-outs are missing on an engine, and the line that sets them.

    :raises sqlalchemy.exc.SQLAlchemyError: when the database cannot be reached.
    """
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        match engine.dialect.name:
            case "sqlite":
                missing, paste = _sqlite(connection), SQLITE
                yield from _wal(connection)
            case "postgresql":
                missing, paste = _postgresql(connection, driver), POSTGRESQL
            case "mysql" | "mariadb":
                missing, paste = _mysql(driver), MYSQL
            case _:
                return
    if engine.dialect.name != "sqlite" and getattr(engine.pool, "_timeout", 0) > LONGEST_WAIT:
        missing.append("pool_timeout")
    if missing:
        yield tell("setup.time-outs.missing", (), paste, missing=", ".join(missing))
    else:
        yield tell("setup.time-outs")


def _sqlite(connection: sa.Connection) -> list[str]:
    waits = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    return [] if 0 < waits <= LONGEST_WAIT * 1_000 else ["timeout"]


def _wal(connection: sa.Connection) -> Iterator[Finding]:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode not in ("wal", "memory"):
        yield tell("setup.wal", (), WAL, mode=mode)


def _postgresql(connection: sa.Connection, driver: Any) -> list[str]:
    said = driver.info.get_parameters() if hasattr(driver.info, "get_parameters") else driver.info.dsn_parameters
    missing = [] if int(said.get("connect_timeout") or 0) > 0 else ["connect_timeout"]
    limit = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()
    return missing if limit not in ("0", 0) else [*missing, "statement_timeout"]


def _mysql(driver: Any) -> list[str]:
    #: Names by which PyMySQL and mysqlclient's kin keep them; None means that nothing ends a wait.
    names = {"connect_timeout": "connect_timeout", "read_timeout": "_read_timeout", "write_timeout": "_write_timeout"}
    return [name for name, kept in names.items() if hasattr(driver, kept) and not getattr(driver, kept)]
