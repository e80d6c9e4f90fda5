"""The work that every contender does: who of those asked may be invited to one opportunity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

#: As many as hold the mutes that are of other opportunities than the one asked about.
OTHERS = 200


@dataclass(frozen=True)
class Task:
    """Where the tables are, who is asked about, who is muted, and how many rows there are in all.

    ``database`` has the keys that SQLAlchemy's URL gives, and ``kind``: the name of the dialect.
    """

    database: dict[str, str | int | None]
    opportunity: str
    asked: list[str]
    muted: list[str]
    rows: int

    @classmethod
    def on(cls, engine: sa.Engine, opportunity: str, asked: list[str], muted: list[str], rows: int) -> Task:
        url = engine.url
        database = {"kind": engine.dialect.name, "database": url.database, "host": url.host, "port": url.port}
        return cls({**database, "username": url.username, "password": url.password}, opportunity, asked, muted, rows)

    def people(self) -> Iterator[tuple[str, bool]]:
        """Everybody whom this opportunity knows, and whether they are muted."""
        muted = set(self.muted)
        yield from ((address, address in muted) for address in self.asked)
        yield from ((address, True) for address in muted.difference(self.asked))

    def others(self, here: int) -> Iterator[tuple[str, str]]:
        """Strangers and opportunities that nobody asks about, to fill up the ``here`` rows of this opportunity."""
        for number in range(self.rows - here):
            yield f"other-{number % OTHERS}", f"stranger{number}@example{number % 50}.org"
