"""A new key deployed under load, by which the old one is replaced: what a host's processes do meanwhile."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from flask_optout import OptOutError
from tests.support.hosts import Host, Mailbox, say

MUTED = "muted@example.org"


class Load:
    """Sends, looks and presses all the time, through whatever processes run just now.

    ``turns``: how often. ``lost``: what must not have happened.
    """

    def __init__(self, hosts: list[Host], smtp: Mailbox) -> None:
        self.hosts, self.smtp = hosts, smtp
        self.lost: Counter[str] = Counter()
        self.turns = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait(self, turns: int) -> None:
        """Until so many more invitations have left."""
        until = self.turns + turns
        while self.turns < until and self._thread.is_alive():
            self._stop.wait(0.01)

    def _run(self) -> None:
        while not self._stop.is_set():
            for host in list(self.hosts):
                try:
                    self._turn(host)
                except OptOutError as error:
                    self.lost[str(error)] += 1
                self.turns += 1

    def _turn(self, host: Host) -> None:
        person = f"person{self.turns}@example.org"
        with host.app.app_context():
            host.mail.send(host.invitation(person))
            host.mail.send(host.invitation(MUTED))
            path = host.path(person)
            status, _ = host.press(path, "mute")
        for other in list(self.hosts):
            with other.app.app_context():
                self.lost["mute"] += other.optout.may_invite(person, "beta-42") is (status == 200)
            self.lost["link"] += other.app.test_client().get(path).status_code != 200
        self.lost["send"] += len(self.smtp.to(person)) != 1
        self.lost["invitation to somebody muted"] += len(self.smtp.to(MUTED))


def deploy(start: Callable[..., Host], smtp: Mailbox, settings: list[dict[str, Any]], turns: int) -> Load:
    """Deploy these settings one after another, so many turns each; before the last one, the old keys are dropped.

    :param start: starts another process of the same app.
    """
    first, both, last = settings
    old = start(**first)
    with old.app.app_context():
        say(old, True, MUTED)
    hosts = [old]
    with Load(hosts, smtp) as load:
        load.wait(turns)
        new = start(**both)
        hosts.append(new)  # a rolling deploy: the old process runs on and never hears of the new key
        load.wait(turns)
        rotate(new)
        load.wait(turns)
        hosts.append(start(**last))
        load.wait(turns)
        del hosts[:2]
        load.wait(turns)
    return load


def rotate(host: Host) -> str:
    """Drop the old keys; gives what the command says."""
    result = host.app.test_cli_runner().invoke(args=["optout", "rotate-key"])
    assert result.exit_code == 0, result.output
    return str(result.output)
