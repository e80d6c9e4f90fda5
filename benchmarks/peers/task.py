"""The work that every contender does: who of those asked may be invited to one opportunity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

#: As many as hold the mutes that are of other opportunities than the one asked about.
OTHERS = 200


@dataclass(frozen=True)
class Task:
    """Where the tables are, who is asked about, who is muted, and how many rows there are in all.

    ``database`` is SQLAlchemy's ``url``, its parts, and its ``kind``: the name of the dialect.
    """

    database: dict[str, str | int | None]
    opportunity: str
    asked: list[str]
    muted: list[str]
    rows: int

    @classmethod
    def on(cls, engine: sa.Engine, opportunity: str, asked: list[str], muted: list[str], rows: int) -> Task:
        url, keys = engine.url, ("database", "host", "port", "username", "password")
        database = {"kind": engine.dialect.name, "url": url.render_as_string(hide_password=False)}
        return cls(database | {key: getattr(url, key) for key in keys}, opportunity, asked, muted, rows)

    def first(self, addresses: int) -> Task:
        """The same work for the first few who are asked, with no rows but theirs."""
        asked = self.asked[:addresses]
        muted = set(self.muted)
        return replace(self, asked=asked, muted=[address for address in asked if address in muted], rows=0)

    def people(self) -> Iterator[tuple[str, bool]]:
        """Everybody whom this opportunity knows, and whether they are muted."""
        muted = set(self.muted)
        yield from ((address, address in muted) for address in self.asked)
        yield from ((address, True) for address in muted.difference(self.asked))

    def others(self, here: int) -> Iterator[tuple[str, str]]:
        """Strangers and opportunities that nobody asks about, to fill up the ``here`` rows of this opportunity."""
        for number in range(self.rows - here):
            yield f"other-{number % OTHERS}", f"stranger{number}@example{number % 50}.org"
