"""The gate that every invitation passes as it is sent: it clears it or drops it, and knows no mail library.

A mailer asks for the letters, makes its library's messages of them, and hands each off only if the gate clears it.
All that can fail comes before the choice is read, and so does the row of the Email Log: an invitation that cannot be
sent fails for everybody alike, the row is the same for everybody, and the choice is as fresh as can be.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate, quote
from typing import Generic, Protocol, TypeVar

from ..addresses import Recipient, parse
from ..choices.repository import Choices
from ..email_log.records import EmailLog, Outgoing
from ..errors import StoreUnavailable
from .compose import Composer, Draft, Letter

#: Letters recorded in one transaction before they are handed off: it costs the disk as much as one does. So many rows
#: at most tell of a mail that did not leave when the process dies.
TOGETHER = 50
#: What a display name may hold only in quotes (RFC 5322 section 3.2.3).
SPECIAL = re.compile(r'[()<>\[\]:;@\\,."]')


class Message(Protocol):
    """A library's message, made of a letter."""

    message_id: str


S = TypeVar("S")
M = TypeVar("M", bound=Message)


class Gate:
    """Obeys the choices of one app."""

    def __init__(self, choices: Choices, composer: Composer, log: EmailLog) -> None:
        self._choices = choices
        self._composer = composer
        self._log = log

    def may_invite(self, recipient: Recipient, opportunity: str) -> bool:
        """Whether this person may be invited to this opportunity.

        :raises OptOutError: when the address is malformed, or when nobody can tell.
        """
        return not self._choices.muted(parse(recipient), opportunity)

    def letters(self, draft: Draft) -> list[Letter]:
        """What to hand off, one by one, as each is cleared: a letter for each recipient.

        :raises OptOutError: when the draft cannot be sent as it is.
        """
        return self._composer.letters(draft)

    @contextmanager
    def passing(self, letter: Letter, *, message_id: str) -> Iterator[bool]:
        """Record this letter, then say whether it may leave now; when not, it is dropped without a trace.

        Hand it off inside the ``with``: what goes wrong there is noted on its row and raised again. Of one that may
        not leave, rehearse what can fail for everybody, so that a note tells as little as can be.

        :raises OptOutError: when it cannot be recorded, or when nobody can tell whether it may leave.
        """
        [row] = self._log.record([_outgoing(letter, message_id)])
        with self._cleared(letter, row) as clear:
            yield clear

    def hand_off(
        self,
        sources: Iterable[S],
        draft: Callable[[S], Draft],
        make: Callable[[S, Letter], M],
        leave: Callable[[M, bool], None],
    ) -> int:
        """Record many letters, ``TOGETHER`` at a time, and let each leave, or not, as it is cleared.

        Gives how many sources there were, whoever opted out.

        :param draft: says what a source is to be.
        :param make: makes a message of it and a letter; what it cannot make fails before the gate is asked.
        :param leave: hands off, as inside :meth:`passing`; told whether this one may leave.
        :raises OptOutError: as :meth:`passing`, at the first that fails; those before it have left.
        """
        number = 0

        def ready() -> Iterator[list[tuple[Letter, M]]]:
            nonlocal number
            for source in sources:
                number += 1
                yield [(letter, make(source, letter)) for letter in self.letters(draft(source))]

        made = ready()
        while batch := _Batch(made):
            if batch.ready:
                self._hand_off(batch.ready, leave)
            batch.raise_error()
        return number

    def _hand_off(self, ready: list[tuple[Letter, M]], leave: Callable[[M, bool], None]) -> None:
        waiting = deque(self._log.record([_outgoing(letter, message.message_id) for letter, message in ready]))
        try:
            for letter, message in ready:
                with self._cleared(letter, waiting.popleft()) as clear:
                    leave(message, clear)
        finally:
            if waiting:
                with suppress(StoreUnavailable):
                    self._log.forget(waiting)

    @contextmanager
    def _cleared(self, letter: Letter, row: int) -> Iterator[bool]:
        try:
            yield not self._choices.muted(letter.address, letter.opportunity)
        except Exception as error:
            with suppress(StoreUnavailable):
                self._log.record_failure(row, error)
            raise

    def either(self, letter: Letter, neutral: Letter) -> Letter:
        """The letter if it may leave now, else the neutral one, which invites nobody to anything.

        :raises OptOutError: when nobody can tell.
        """
        return neutral if self._choices.muted(letter.address, letter.opportunity) else letter


class _Batch(Generic[M]):
    """The next letters and their messages, and what was wrong with the one after them, if anything was."""

    def __init__(self, ready: Iterator[list[tuple[Letter, M]]]) -> None:
        self.ready: list[tuple[Letter, M]] = []
        self._error: Exception | None = None
        try:
            while len(self.ready) < TOGETHER and (more := next(ready, None)) is not None:
                self.ready += more
        except Exception as error:
            self._error = error

    def __bool__(self) -> bool:
        return bool(self.ready) or self._error is not None

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error


def _outgoing(letter: Letter, message_id: str) -> Outgoing:
    address = letter.address
    own = {
        "From": _shown(letter.sender),
        "To": _shown((address.name, address.deliverable)),
        "Reply-To": _shown(letter.reply_to) if letter.reply_to else None,
        "Subject": letter.subject,
        "Date": formatdate(),
        "Message-ID": message_id,
    }
    return Outgoing(
        address,
        letter.opportunity,
        subject=letter.subject,
        message_id=message_id,
        headers=[(name, value) for name, value in {**own, **letter.headers}.items() if value],
        text=letter.text,
        html=letter.html,
        personal=tuple(letter.personal),
    )


def _shown(who: Recipient) -> str:
    name, address = ("", who) if isinstance(who, str) else who
    quoted = f'"{quote(name)}"' if SPECIAL.search(name) else name
    return f"{quoted} <{address}>" if name else address
