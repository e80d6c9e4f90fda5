"""The gate that every invitation passes as it is sent: it clears it or drops it, and knows no mail library.

A mailer asks for the letter, makes its library's message of it, and hands that off only if the gate clears it. All
that can fail comes before the choice is read: an invitation that cannot be sent fails for everybody alike, and the
choice is as fresh as can be.
"""

from __future__ import annotations

from .addresses import Recipient, parse
from .choices import Choices
from .invitation import Composer, Draft, Letter


class Gate:
    """Obeys the choices of one app."""

    def __init__(self, choices: Choices, composer: Composer) -> None:
        self._choices = choices
        self._composer = composer

    def may_invite(self, recipient: Recipient, opportunity: str) -> bool:
        """Whether this person may be invited to this opportunity.

        :raises OptOutError: when the address is malformed, or when nobody can tell.
        """
        return not self._choices.muted(parse(recipient), opportunity)

    def letter(self, draft: Draft) -> Letter:
        """What to hand off, once it is cleared.

        :raises OptOutError: when the draft cannot be sent to anybody.
        """
        return self._composer.letter(draft)

    def clears(self, letter: Letter) -> bool:
        """Whether this letter may leave now; when not, it is dropped without a trace.

        :raises OptOutError: when nobody can tell.
        """
        return not self._choices.muted(letter.address, letter.opportunity)
