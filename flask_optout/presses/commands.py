"""The commands of a page, and what is remembered of a press."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple

#: Seconds within which opposite presses are weighed against each other.
WINDOW = 120.0
#: Whether each of the two choices of a link mutes: of its opportunity (0), and of all invitations (1).
Muted = tuple[bool, bool]


class Command(Enum):
    """What a button does: its value, the state it sets (``None``: none), and which of the two choices it is about."""

    MUTE = "mute", True, (0,)
    UNDO = "undo", False, (0,)
    MUTE_ALL = "mute-all", True, (1,)
    UNDO_ALL = "undo-all", False, (1,)
    KEEP = "keep", False, (0,)
    LEAVE = "leave", None, (0, 1)
    DECOY = "none", None, (0, 1)

    def __init__(self, choice: str, muted: bool | None, about: tuple[int, ...]) -> None:
        self.choice = choice
        self.muted = muted
        # "Keep me invited" contradicts every mute, although it sets one choice alone.
        self.reach: tuple[int, ...] = (0, 1) if choice == "keep" else about
        self.target: int = about[0]

    def contradicts(self, other: Command) -> bool:
        """Whether no person presses both within seconds and means both."""
        if Command.DECOY in (self, other):
            return False
        return (self.muted is False) is not (other.muted is False) and bool({*self.reach} & {*other.reach})


COMMANDS = {command.choice: command for command in Command}


class Outcome(StrEnum):
    """What came of a press: it was obeyed, obeyed after a question, asked about, or it made its visitor doubtful."""

    OBEYED = "o"
    CONFIRMED = "c"
    ASKED = "a"
    DOUBTFUL = "d"


OBEYED = (Outcome.OBEYED, Outcome.CONFIRMED)


class Press(NamedTuple):
    """A recent press of a link.

    :param at: seconds since the epoch.
    :param visit: the id of the pages that it belongs to.
    :param visitor: a pseudonym of address and user agent that lives as long as the press.
    :param found: what stood before the first of this visitor's presses that are weighed together.
    """

    at: float
    visit: str
    visitor: str
    command: Command
    found: Muted
    outcome: Outcome = Outcome.OBEYED
