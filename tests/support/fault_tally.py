"""What a host does while its store has a fault, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import flask_mail

from flask_optout import OptOutError
from tests.support.faults import Fault, Scene

MUTED_WORDS = "You will get no more invitations"


@dataclass
class Tally:
    """What was tried, and what must not have happened."""

    tried: int = 0
    muted_invited: int = 0
    false_pages: int = 0
    lost: int = 0
    slowest: float = 0.0
    sent: list[bool] = field(default_factory=list)
    recorded: list[bool] = field(default_factory=list)
    plain_lost: int = 0

    def timed(self, call: Callable[[], Any]) -> Any:
        self.tried += 1
        start = time.monotonic()
        try:
            return call()
        finally:
            self.slowest = max(self.slowest, time.monotonic() - start)


def rehearse(scene: Scene, fault: Fault, tally: Tally, round: int = 0) -> None:
    """Mute Jane, then let the fault happen: send to her and to Ann, let Bob press, and look what came of it."""
    host, smtp = scene.host, scene.smtp
    jane, ann, bob = (f"{name}{round}@example.org" for name in ("jane", "ann", "bob"))
    with host.app.app_context():
        assert host.press(host.path(jane), "mute")[0] == 200
        path = host.path(bob)
    with fault.make(scene), host.app.app_context():
        for person in (jane, ann):
            try:
                tally.timed(partial(host.mail.send, host.invitation(person)))
            except OptOutError as error:
                assert "@" not in str(error)
        host.mail.send(flask_mail.Message("Reset your password", recipients=[jane], body="Not an invitation."))
        # As htmx asks for it: the answer is the page that is true after the press.
        status, said = tally.timed(lambda: host.press(path, "mute"))
    tally.sent.append(bool([mail for mail in smtp.to(ann) if "List-Id" in mail.message]))
    tally.recorded.append(status == 200)
    invited = [mail for mail in smtp.to(jane) if "List-Id" in mail.message]
    tally.muted_invited += len(invited)
    tally.plain_lost += 1 - (len(smtp.to(jane)) - len(invited))
    tally.false_pages += {200: MUTED_WORDS not in said, 503: MUTED_WORDS in said}.get(status, True)
    with host.app.app_context():
        tally.lost += host.optout.may_invite(jane, "beta-42")
        tally.lost += status == 200 and host.optout.may_invite(bob, "beta-42")
