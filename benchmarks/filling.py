"""Millions of choices in a table, made by the database itself where nobody has to know whose they are."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from flask_optout.choices.tables import ChoiceTables
from flask_optout.links.tokens import ALL, DataKey

from .peers.task import OTHERS

AT_ONCE = 100_000
#: The series of numbers from 1 on, and 16 bytes of chance, as each database says it.
SERIES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, :count))",
}
CHANCE = {"sqlite": "randomblob(16)", "postgresql": "uuid_send(gen_random_uuid())"}
INSERT = "INSERT INTO optout_choice (scope, digest, muted, source, day)"
VALUES = "true, 'page', date('2026-01-01')"


def for_all(rows: int) -> int:
    """How many of so many choices are about all invitations."""
    return rows // 1_000


def fill(
    engine: sa.Engine, tables: ChoiceTables, key: DataKey, opportunity: str, muted: list[str], rows: int
) -> None:
    """The mutes of the opportunity, one in a thousand for all invitations, and the rest for two hundred others."""
    digests = sorted(key.digests(opportunity, [address.encode() for address in muted]))
    scope = key.scope(opportunity)
    statement = sa.text(f"{INSERT} VALUES (:scope, :digest, {VALUES})")
    for start in range(0, len(digests), AT_ONCE):
        part = [{"scope": scope, "digest": digest} for digest in digests[start : start + AT_ONCE]]
        with engine.begin() as connection:
            connection.execute(statement, part)
    share = (rows - len(muted) - for_all(rows)) // OTHERS
    scopes = {key.scope(ALL): for_all(rows)} | {secrets.token_bytes(len(scope)): share for _ in range(OTHERS)}
    dialect = engine.dialect.name
    by_chance = sa.text(f"{INSERT} {SERIES[dialect]} SELECT :scope, {CHANCE[dialect]}, {VALUES} FROM n")
    with engine.begin() as connection:
        for other, count in sorted(scopes.items()):
            if count:
                connection.execute(by_chance, {"scope": other, "count": count})
