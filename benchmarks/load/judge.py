"""Was a mail sent to a muted person, was anybody forgotten? Pure functions of what the mail server and people noted.

All moments are of one clock. A send **starts** when the mail server greets its connection: the worker opens one for
each send, and asks the gate after that. So what starts after the answer to a mute has arrived must bring no mail,
without any time allowed. What started before it may still bring one: that was in flight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import NamedTuple


class Pair(NamedTuple):
    """One person and one opportunity: what a link is about."""

    address: str
    opportunity: str


class Press(NamedTuple):
    """What a person said, from their first try to the answer that confirmed it; infinity while none has."""

    mutes: bool
    began: float
    confirmed: float


class Mail(NamedTuple):
    """An invitation that arrived: in which round it was asked for, when its send started, and when it was here."""

    pair: Pair
    round: int
    started: float
    came: float


class Asked(NamedTuple):
    """An invitation that an operator asked for."""

    pair: Pair
    round: int


def is_forbidden(presses: Sequence[Press], mail: Mail) -> bool:
    """Whether its send started after a mute was confirmed, and it came before any undo of that mute was tried.

    :param presses: of its pair, one after the other.
    """
    said = [press for press in presses if press.confirmed < mail.started or press.began < mail.came]
    # An undo counts from its first try on, as the answer to one that was stored may have been lost.
    return bool(said) and said[-1].mutes and said[-1].confirmed < mail.started


def in_flight(presses: Sequence[Press], mails: Iterable[Mail]) -> Iterator[tuple[Press, float]]:
    """The mutes that a mail overtook, once for each mail, and how many seconds after its answer that mail came."""
    mutes = [press for press in presses if press.mutes]
    for mail in mails:
        for mute in mutes:
            if mail.started <= mute.confirmed < mail.came:
                yield mute, mail.came - mute.confirmed


def forgotten(
    asked: Mapping[Asked, float], got: AbstractSet[Asked], presses: Mapping[Pair, Sequence[Press]]
) -> list[Asked]:
    """What was asked for while nothing stood against it until the end, and never arrived.

    :param asked: when each was asked for.
    """

    def free(pair: Pair, at: float) -> bool:
        said = presses.get(pair, ())
        return not said or (not said[-1].mutes and said[-1].confirmed < at)

    return [each for each, at in asked.items() if each not in got and free(each.pair, at)]


def longest_gap(moments: Iterable[float], since: float, until: float) -> float:
    """The longest time without any of these moments that overlaps ``since`` to ``until``."""
    ends = [float("-inf"), *sorted(moments), float("inf")]
    return max(after - before for before, after in pairwise(ends) if after > since and before < until)
