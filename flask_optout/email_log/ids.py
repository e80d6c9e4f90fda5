"""Ids of the rows of the Email Log, made of the minute and a random number: the key alone orders and prunes them."""

from __future__ import annotations

import datetime
import secrets

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
#: Ids of one minute: many, so that two random ones are seldom the same.
PER_MINUTE = 2**36
LARGEST_ID = 2**63 - 1


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def id_at(moment: datetime.datetime) -> int:
    """The smallest id of a minute."""
    return min((moment - EPOCH) // MINUTE * PER_MINUTE, LARGEST_ID)


def new_id() -> int:
    """A random id of this minute, so that rows of one minute have no order."""
    return id_at(now()) + secrets.randbelow(PER_MINUTE)


def time_of(id: int) -> datetime.datetime:
    """The minute, in UTC, that an id was made of."""
    return EPOCH + id // PER_MINUTE * MINUTE
