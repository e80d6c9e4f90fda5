"""What came of presses on the link of jane@example.org."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from tests.support.hosts import Host

AGAIN = "To confirm, press"
Press = Callable[..., str]


def is_muted(host: Host, opportunity: str = "beta-42") -> bool:
    return not host.optout.may_invite("jane@example.org", opportunity)


def rows(host: Host) -> list[Any]:
    with host.db.engine.connect() as connection:
        return list(connection.execute(sa.text("SELECT * FROM optout_recent_press")))
