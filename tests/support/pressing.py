"""Presses: two to judge, and what came of those on the link of jane@example.org."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from flask_optout.presses.evidence import Command, Evidence
from tests.support.hosts import Host

AGAIN = "To confirm, press"
Press = Callable[..., str]
NOW = 1000.0
#: A press that the browser vouches for, and one by a browser that does not.
CHROME = Evidence(Command.MUTE, visit="visit", visitor="visitor", at=NOW, issued=NOW - 60, sure=True)
TEXT = replace(CHROME, sure=False)


def is_muted(host: Host, opportunity: str = "beta-42") -> bool:
    return not host.optout.may_invite("jane@example.org", opportunity)


def rows(host: Host) -> list[Any]:
    with host.db.engine.connect() as connection:
        return list(connection.execute(sa.text("SELECT * FROM optout_recent_press")))
