"""The commands of a page, and which of the recent presses make one burst. Pure: no request, no store, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

#: Seconds within which one press and the next belong to one burst. How old a message is cannot be told without
#: keeping a record of who was invited when, so this is wide enough for what sweeps a message as it is delivered. Who
#: presses, reads and changes their mind within it gets what they want; who does so twice is asked to press once more.
WINDOW = 120.0
#: Seconds for which presses are remembered: nothing looks further back.
MEMORY = 3600.0


class Command(Enum):
    """What a button does: its value, the state it sets (``None``: none), and which of the two choices it is about.

    The two choices of a link are about its opportunity (0) and about all invitations (1).
    """

    MUTE = "mute", True, (0,)
    UNDO = "undo", False, (0,)
    MUTE_ALL = "mute-all", True, (1,)
    UNDO_ALL = "undo-all", False, (1,)
    KEEP = "keep", False, (0,)
    LEAVE = "leave", None, (0, 1)
    DECOY = "none", None, (0, 1)
    ONE_CLICK = "one-click", True, (0,)

    def __init__(self, choice: str, muted: bool | None, about: tuple[int, ...]) -> None:
        self.choice = choice
        self.muted = muted
        self.about = about

    @property
    def target(self) -> int:
        """Which of the two choices it sets."""
        return self.about[0]

    def contradicts(self, other: Command) -> bool:
        """Whether no person would press both within seconds and mean both."""
        if Command.DECOY in (self, other):
            return False
        return (self.muted is False) is not (other.muted is False) and bool(set(self.reach) & set(other.reach))

    @property
    def reach(self) -> tuple[int, ...]:
        # "Keep me invited" contradicts every mute, although it sets one choice alone.
        return (0, 1) if self is Command.KEEP else self.about


#: The commands that a button on the page can carry.
COMMANDS = {command.choice: command for command in Command if command is not Command.ONE_CLICK}


#: Whether each of the two choices of a link mutes.
Muted = tuple[bool, bool]


class Press(NamedTuple):
    """A press that was obeyed, or that marks a burst; ``at`` in seconds since the epoch.

    ``confirmed``: the page had asked for it once more, so that it stands for itself and begins a burst of its own.
    """

    at: float
    command: Command
    before: Muted
    confirmed: bool = False


def burst_of(presses: Sequence[Press], now: float) -> tuple[Press, ...]:
    """Those of the recent presses, oldest first, that make one burst with a press at ``now``: one led to the next."""
    burst: list[Press] = []
    for press in reversed(presses):
        # After a mail program's signal nothing before it counts: that was a person's word (RFC 8058 section 3.2).
        if press.at < now - WINDOW or press.command is Command.ONE_CLICK:
            break
        burst.insert(0, press)
        now = press.at
        if press.confirmed:
            break
    return tuple(burst)
