"""Filter many addresses by the choices about one opportunity: lazily, in their order and in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, compress, islice
from operator import length_hint, not_, or_

import sqlalchemy as sa

from ..addresses import Recipient, parse, parse_plain
from ..errors import AddressError
from ..links.tokens import ALL, DIGEST_SIZE, check_opportunity
from .repository import Choices, select_mutes

#: Addresses filtered together (and mutes fetched together); addresses parsed together.
CHUNK, PIECE = 5_000, 250
#: The most mutes read into a set, about 90 MB; if there are more, each chunk is looked up in the table.
LARGEST_SET = 1_000_000
#: The most mutes read per address: looking up one address takes as long as reading six mutes.
WORTH = 6
#: Seconds after which a set of mutes is read again; the gate checks the choice again as each mail leaves.
MAX_AGE = 60.0


def invitable(choices: Choices, addresses: Iterable[Recipient], opportunity: str) -> Iterator[Recipient]:
    """Yield those addresses that may be invited, up to the first malformed one, which raises AddressError."""
    mutes = [_Mutes(choices, about) for about in (check_opportunity(opportunity), ALL)]
    return chain.from_iterable(_filter(choices, iter(addresses), mutes, length_hint(addresses)))


def _filter(
    choices: Choices, source: Iterator[Recipient], mutes: list[_Mutes], expected: int
) -> Iterator[list[Recipient]]:
    position = 0
    while chunk := list(islice(source, CHUNK)):
        names, bases, malformed = _parse(chunk)
        expected = max(expected, position + len(names))
        barred = _find_barred(choices, [*names, *bases.values()], mutes, expected)
        # An address with a +tag is also barred by the choice of the address without it.
        for at, place in enumerate(bases, len(names)):
            barred[place] |= barred[at]
        yield list(compress(chunk, map(not_, barred[: len(names)])))
        position += len(names)
        if malformed is not None:
            raise AddressError(f"Address {position + 1}: {malformed.what}", malformed.why, malformed.mend)


def _find_barred(choices: Choices, people: list[bytes], mutes: list[_Mutes], expected: int) -> list[bool]:
    barred = [False] * len(people)
    if choices.is_new():
        return barred
    if not all(each.fresh for each in mutes):
        choices.read(())  # raises if the choices are gone or older than the journal
    for each in mutes:
        muted = each.all(expected)
        if muted is None or muted:
            digests = choices.get_key().digests(each.about, people)
            found = each.look_up(digests) if muted is None else muted
            barred = list(map(or_, barred, map(found.__contains__, digests)))
    return barred


class _Mutes:
    """The mutes of one opportunity: read into a set if that is faster, else looked up chunk by chunk."""

    def __init__(self, choices: Choices, about: str) -> None:
        self._choices = choices
        self.about = about
        self._all: set[bytes] | None = None
        self._read_at = float("-inf")
        self._more_than = 0

    @property
    def fresh(self) -> bool:
        return self._all is not None and time.monotonic() - self._read_at < MAX_AGE

    def all(self, expected: int) -> set[bytes] | None:
        """Return the digests of all mutes, or ``None`` if they are too many to read for ``expected`` addresses."""
        limit = min(WORTH * expected, LARGEST_SET)
        if not self.fresh:
            self._all = None
            if limit >= 2 * self._more_than:
                self._read_at = time.monotonic()
                self._all = self._choices.store.read(partial(self._read, limit=limit))
                self._more_than = limit if self._all is None else 0
        return self._all

    def look_up(self, digests: list[bytes]) -> set[bytes]:
        """Return those of the digests that are muted."""
        at = self._choices.tables, self._choices.get_key().scope(self.about), sorted(digests)
        return self._choices.store.read(lambda connection: {digest for digest, _ in select_mutes(connection, *at)})

    def _read(self, connection: sa.Connection, limit: int) -> set[bytes] | None:
        choice = self._choices.tables.choice.c
        query = sa.select(choice.digest).where(
            choice.scope == self._choices.get_key().scope(self.about), choice.muted
        )
        query = query.limit(limit + 1)
        if connection.dialect.name == "postgresql":
            # Joined on the server, as fetching a row takes the driver as long as the search for it.
            run = bytes(connection.scalar(sa.select(sa.func.string_agg(query.subquery().c.digest, b""))) or b"")
            mutes = {run[start : start + DIGEST_SIZE] for start in range(0, len(run), DIGEST_SIZE)}
        else:
            mutes = set(connection.execution_options(yield_per=CHUNK).scalars(query))
        return mutes if len(mutes) <= limit else None


def _parse(recipients: Sequence[Recipient]) -> tuple[list[bytes], dict[int, bytes], AddressError | None]:
    """Return canonical addresses, by index the bases of those with a +tag, and the error of a malformed one."""
    names: list[bytes] = []
    bases: dict[int, bytes] = {}
    for start in range(0, len(recipients), PIECE):
        piece = recipients[start : start + PIECE]
        if (plain := parse_plain(piece)) is not None:
            names += plain
            continue
        for recipient in piece:
            try:
                address = parse(recipient)
            except AddressError as error:
                return names, bases, error
            if address.base is not None:
                bases[len(names)] = address.base.encode()
            names.append(address.canonical.encode())
    return names, bases, None
