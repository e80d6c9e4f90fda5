"""One press, beside what stands and what was pressed on its link of late."""

from __future__ import annotations

from typing import NamedTuple

from .commands import OBEYED, WINDOW, Command, Muted, Outcome, Press
from .evidence import Evidence
from .nonces import Page

#: Seconds between "Keep me invited" and a mute that show that somebody has read in between.
PAUSE = 15.0
#: No page has both; the second half of a double click may press the other.
MUTE_AND_LEAVE = {Command.MUTE, Command.LEAVE}


class Weighed(NamedTuple):
    """One press, beside what stands and the recent presses of its link, oldest first.

    :param signalled: which of the mutes that stand came from a mail program's own button.
    """

    evidence: Evidence
    muted: Muted
    recent: tuple[Press, ...]
    signalled: Muted

    @property
    def changes(self) -> bool:
        """Whether obeying it would change a choice."""
        command = self.evidence.command
        return command.muted is not None and command.muted is not self.muted[command.target]

    @property
    def asked(self) -> float:
        """What was pressed before the page asked has been asked about."""
        return self.evidence.issued if self.evidence.page is Page.REPEAT else float("-inf")

    @property
    def own(self) -> tuple[Press, ...]:
        """The presses of the same visitor that led to this one, each within the window of the next."""
        presses: list[Press] = []
        later = self.evidence.at
        for press in reversed(self.recent):
            if self.evidence.is_by_same(press):
                if later - press.at > WINDOW:
                    break
                presses.insert(0, press)
                later = press.at
        return tuple(presses)

    @property
    def weighed(self) -> tuple[Press, ...]:
        """Those of the own presses that it may contradict: from the last one that was confirmed on."""
        presses: list[Press] = []
        for press in self.own:
            if press.outcome is Outcome.CONFIRMED:
                presses = []
            if press.at > self.asked:
                presses.append(press)
        return tuple(presses)

    @property
    def found(self) -> Muted:
        return self.weighed[0].found if self.weighed else self.muted

    @property
    def opposed(self) -> tuple[Press, ...]:
        """The own presses that it contradicts."""
        return tuple(press for press in self.weighed if self._contradicts(press))

    @property
    def blind(self) -> tuple[Press, ...]:
        """The own presses that its page does not show yet: another button of the same page, say."""
        return tuple(press for press in self.weighed if press.at > self.evidence.issued)

    def _contradicts(self, press: Press) -> bool:
        command, pair = self.evidence.command, {self.evidence.command, press.command}
        if press in self.blind:
            return command.muted is not press.command.muted and pair != MUTE_AND_LEAVE and Command.DECOY not in pair
        return command.contradicts(press.command) and not self._read(press)

    def _read(self, press: Press) -> bool:
        """Whether this press came after one that set nothing, and after somebody has read what came of that."""
        later = self.evidence.at - press.at > PAUSE
        return (press.command is Command.LEAVE and (later or press.visit == self.evidence.visit)) or (
            press.command is Command.KEEP and later
        )

    @property
    def others(self) -> tuple[Press, ...]:
        """The presses of others within the window that were obeyed; whoever is doubtful has said nothing."""
        doubtful = [press for press in self.recent if press.outcome is Outcome.DOUBTFUL]
        return tuple(
            press
            for press in self.recent
            if press.outcome in OBEYED
            and not self.evidence.is_by_same(press)
            and press.at > max(self.asked, self.evidence.at - WINDOW)
            and not any(press.visit == one.visit or press.visitor == one.visitor for one in doubtful)
        )
