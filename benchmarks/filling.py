"""Millions of choices in a table, made by the database itself where nobody has to know whose they are."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from flask_optout.choices.tables import Tables
from flask_optout.links.keys import ALL, Key

from .peers.task import OTHERS

AT_ONCE = 100_000
#: The series of numbers from 1 on, and 16 bytes of chance, as each database says it.
SERIES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, :count))",
}
CHANCE = {"sqlite": "randomblob(16)", "postgresql": "uuid_send(gen_random_uuid())"}
INSERT = "INSERT INTO optout_choice (scope, digest, muted, source, day, domain_tag, key_id, sequence)"
VALUES = "true, 'page', date('2026-01-01'), :tag, :key"


def for_all(rows: int) -> int:
    """How many of so many choices are about all invitations."""
    return rows // 1_000


def fill(engine: sa.Engine, tables: Tables, key: Key, opportunity: str, muted: list[str], rows: int) -> None:
    """The mutes of the opportunity, one in a thousand for all invitations, and the rest for two hundred others."""
    for index in tables.choice.indexes:
        index.drop(engine)
    digests = sorted(key.digests(opportunity, [address.encode() for address in muted]))
    scope = key.scope(opportunity)
    for start in range(0, len(digests), AT_ONCE):
        _insert(engine, key, scope, digests[start : start + AT_ONCE], start)
    share, sequence = (rows - len(muted) - for_all(rows)) // OTHERS, len(muted)
    scopes = {key.scope(ALL): for_all(rows)} | {secrets.token_bytes(len(scope)): share for _ in range(OTHERS)}
    for other, count in scopes.items():
        _by_chance(engine, key, other, count, sequence)
        sequence += count
    for index in tables.choice.indexes:
        index.create(engine)


def _by_chance(engine: sa.Engine, key: Key, scope: bytes, count: int, sequence: int) -> None:
    dialect = engine.dialect.name
    select = f"SELECT :scope, {CHANCE[dialect]}, {VALUES}, :sequence + i FROM n"
    values = {"count": count, "scope": scope, "tag": b"tag.", "key": key.id, "sequence": sequence}
    with engine.begin() as connection:
        connection.execute(sa.text(f"{INSERT} {SERIES[dialect]} {select}"), values)


def _insert(engine: sa.Engine, key: Key, scope: bytes, digests: list[bytes], sequence: int) -> None:
    statement = sa.text(f"{INSERT} VALUES (:scope, :digest, {VALUES}, :sequence)")
    same = {"scope": scope, "tag": b"tag.", "key": key.id}
    with engine.begin() as connection:
        connection.execute(statement, [{**same, "digest": d, "sequence": n} for n, d in enumerate(digests, sequence)])
