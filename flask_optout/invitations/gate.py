"""The gate, which clears or drops each invitation as it is sent, and code that the adapters share.

An adapter turns each letter into a message of its library, and hands it off only if the gate clears it. Everything
that can fail, and the row of the Email Log, come before the choice is read: so errors and rows are the same for muted
people as for others, and the choice is as fresh as possible.
"""

from __future__ import annotations

import binascii
import logging
import re
import smtplib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from email.message import Message
from email.utils import formatdate
from functools import lru_cache, partial
from typing import Any, TypeVar

from ..addresses import Address, format_recipient, unfold
from ..choices.repository import Choices
from ..email_log.records import EmailLog, Outgoing, classify_error
from ..errors import AddressError, InvitationError, NotAllSent, OptOutError, StoreUnavailable
from ..links.log_records import log
from .compose import OWN_HEADERS, Composer, Draft, Letter

#: Rows of the Email Log in one transaction. If the process dies, at most this many are of mails not sent.
TOGETHER = 50
#: RFC 5322 section 2.1.1, in octets.
LONGEST_LINE = 998

S = TypeVar("S")
M = TypeVar("M")
#: Called with each message that could not be sent, and its error.
OnError = Callable[[Any, Exception], object]


@dataclass(eq=False)
class Gate:
    """Clears or drops the invitations of one app."""

    choices: Choices
    composer: Composer
    log: EmailLog
    logger: logging.Logger
    _warned: bool = field(default=False, init=False)

    def hand_off(
        self,
        sources: Iterable[S],
        draft: Callable[[S], Draft | None],
        make: Callable[[Any, Letter], M],
        leave: Callable[[S | M, bool], object],
        on_error: OnError | None = None,
    ) -> int:
        """Record invitations, ``TOGETHER`` at a time, and hand off those that are cleared.

        :param draft: returns the draft of a source, or ``None`` if it is no invitation and leaves as it is.
        :param make: makes the message from a source and a letter; it may fail, before the gate is asked.
        :param leave: sends a message if its second argument is true; else does all that can fail, but sends no text.
        :return: how many sources did not fail, counting those to muted people.
        :raises NotAllSent: at the end, when some failed and there is no ``on_error``; for a single source, its error.
        :raises Exception: what an ordinary message or ``on_error`` raises, at once.
        """
        failures = Failures(on_error)
        ready: list[tuple[S, Outgoing, M]] = []
        flush, number = partial(self._hand_off, ready, leave, failures.tell), 0
        for source in _pull(sources, flush):
            number += 1
            try:
                drafted = draft(source)
                if drafted is not None:
                    letter = self.composer.compose(drafted)
                    ready.append((source, _make_outgoing(letter), make(source, letter)))
            except Exception as error:
                failures.tell(source, error)
                continue
            if drafted is None or len(ready) >= TOGETHER:
                flush()
            if drafted is None:
                leave(source, True)
        flush()
        return failures.count_sent(number)

    def _hand_off(
        self, ready: list[tuple[S, Outgoing, M]], leave: Callable[[S | M, bool], object], tell: OnError
    ) -> None:
        if not ready:
            return
        rows: deque[int] = deque()
        with ExitStack() as stack, ExitStack() as held:
            stack.callback(ready.clear)
            stack.callback(self._forget, rows)
            try:
                rows += self.log.record([outgoing for _, outgoing, _ in ready])
                # Holding a connection costs more than a single read.
                looking = self.choices.looking() if len(ready) > 1 else nullcontext(self.choices.is_muted)
                muted = held.enter_context(looking)
            except OptOutError as error:
                for source, _, _ in ready:
                    tell(source, error)
                return
            for source, outgoing, message in ready:
                row = rows.popleft()
                try:
                    leave(message, not muted(outgoing.address, outgoing.opportunity))
                except Exception as error:
                    held.close()  # the pool may have no other connection
                    muted = self.choices.is_muted
                    with suppress(StoreUnavailable):
                        self.log.record_failure(row, error)
                    if isinstance(error, OSError):  # smtplib's, too; the traceback would reveal a rehearsal
                        error.with_traceback(None)
                    tell(source, error)

    def _forget(self, rows: deque[int]) -> None:
        if rows:
            with suppress(StoreUnavailable):
                self.log.forget(rows)

    def warn_if_ungated(self, texts: Callable[[], Iterable[object]]) -> None:
        """Warn once about an ordinary message that carries a candidate's link; an error here must not stop it."""
        with suppress(Exception):
            if self._warned or not any(self.composer.find_personal_links(text) for text in texts()):
                return
            self._warned = True
            warning = "A message with a candidate's link left without passing the gate, as it is not an Invitation. "
            warning += "If it invites people, send it as an Invitation of flask_optout.mailers."
            log(self.logger, logging.WARNING, "ungated_link", warning)


def _pull(sources: Iterable[S], flush: Callable[[], None]) -> Iterator[S]:
    """Yield the sources; if the host's iterable raises, hand off first what it yielded before."""
    try:
        yield from sources
    except Exception:
        flush()
        raise


@dataclass
class Failures:
    """The messages that could not be sent: passed to ``on_error`` at once, or counted and raised at the end."""

    on_error: OnError | None
    last: Exception | None = None
    reasons: Counter[str] = field(default_factory=Counter)

    def tell(self, source: object, error: Exception) -> None:
        self.last = error
        self.reasons[classify_error(error)] += 1
        if self.on_error is not None:
            self.on_error(source, error)

    def count_sent(self, number: int) -> int:
        """Return how many of ``number`` messages did not fail; without ``on_error``, raise the failures."""
        failed = self.reasons.total()
        if self.last is None or self.on_error is not None:
            return number - failed
        if number == 1:
            raise self.last
        reasons = ", ".join(f"{name}: {count}" for name, count in self.reasons.most_common())
        raise NotAllSent(
            f"Of {number} messages, {failed} could not be sent ({reasons}).",
            "The others were handed off, so sending all of them again would send those twice.",
            "Pass on_error to be told each message that failed and its error, and send only those again.",
        )


def _make_outgoing(letter: Letter) -> Outgoing:
    own = {
        "From": format_recipient(letter.sender),
        "To": format_recipient(letter.address.named),
        "Reply-To": format_recipient(letter.reply_to or ""),
        "Subject": unfold(letter.subject),
        "Date": formatdate(time.time() // 60 * 60),
        "Message-ID": letter.message_id,
    }
    # Not the host's Date, which would reveal the second.
    host = {name: unfold(value) for name, value in letter.headers.items() if name.lower() != "date"}
    return Outgoing(
        letter.address,
        letter.opportunity,
        subject=own["Subject"],
        message_id=letter.message_id,
        headers=[(name, value) for name, value in {**own, **host}.items() if value],
        text=_replace_other_links(letter.text, *letter.links),
        html=_replace_other_links(letter.html, *letter.links),
        links=letter.links,
        attachments=letter.attachments,
    )


def _replace_other_links(body: str | None, link: str, one_click: str, *others: str) -> str | None:
    """Replace other links in a body by this invitation's, so that only that one has to be hidden."""
    for other in others:
        body = body and re.sub(other.rpartition("/")[2], link.rpartition("/")[2], body, flags=re.IGNORECASE)
    return body or None


class DynamicMixin:
    """Base of a class that is mixed into an object's class; it can be pickled, as some hosts send from a queue."""

    @classmethod
    def like(cls, source: Any, *more: Any) -> Any:
        """Mix this class into that of ``source``, and make an object of it from ``source`` and ``more``."""
        return _mixed(cls, type(source))(source, *more)

    def __reduce__(self) -> Any:
        return _make_blank, type(self).__bases__, vars(self)


_mixed: Callable[[Any, Any], Any] = lru_cache(64)(lambda mixin, kind: type(mixin.__name__, (mixin, kind), {}))


def _make_blank(mixin: Any, kind: Any) -> Any:
    return object.__new__(_mixed(mixin, kind))


class _Verbatim(DynamicMixin):
    """A mixin for an email policy that does not fold our headers: no mail program reads a URL in encoded words."""

    def __init__(self, policy: object) -> None:
        super().__init__(**vars(policy))

    def fold(self, name: str, value: Any) -> str:
        return f"{name}: {value}{self.linesep}" if name in OWN_HEADERS else super().fold(name, value)  # type: ignore[attr-defined,misc]

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode() if name in OWN_HEADERS else super().fold_binary(name, value)  # type: ignore[misc]


def finish(message: Message[Any, Any]) -> None:
    """Keep lines legal (RFC 5322 section 2.1.1): long ones become quoted-printable, our headers are not folded."""
    message.policy = _Verbatim.like(message.policy)
    for part in message.walk():
        payload = part.get_payload()
        if not isinstance(payload, str) or max(map(len, payload.split("\n"))) * 4 <= LONGEST_LINE:
            continue  # short in any charset; reading the headers would cost more
        raw = part.get_payload(decode=True)
        encoding = str(part.get("Content-Transfer-Encoding", "7bit")).lower()
        if encoding in ("7bit", "8bit") and isinstance(raw, bytes) and max(map(len, raw.splitlines())) > LONGEST_LINE:
            del part["Content-Transfer-Encoding"]
            part["Content-Transfer-Encoding"] = "quoted-printable"
            part.set_payload(binascii.b2a_qp(raw.replace(b"\r\n", b"\n")).decode("ascii"))


def prove_recipient(spellings: Iterable[S], spell: Callable[[S], str], address: Address) -> S:
    """Return the first spelling of the recipient with which the mail goes to the address that was checked.

    :param spell: returns what the mail library hands to :mod:`smtplib` for a spelling.
    :raises AddressError: when the library would send to another address, whatever the spelling.
    """
    for spelling in spellings:
        with suppress(Exception):  # a spelling that the library cannot handle
            if smtplib.quoteaddr(spell(spelling)) == f"<{address.deliverable}>":
                return spelling
    raise AddressError(
        "The mail library would send an invitation to another address than the one that was checked.",
        "It rewrites this spelling, and whoever reads mail at the other address may have opted out.",
        "Give the bare address, such as 'jane@example.org'.",
    )


@contextmanager
def serialising() -> Iterator[None]:
    """Raise an InvitationError in place of the library's own error, which may quote an address."""
    try:
        yield
    except (KeyError, IndexError):  # an error of the host's own code
        raise
    except (LookupError, ValueError):  # such as for an unknown charset
        raise InvitationError(
            "An invitation has a character that cannot stand there: in a header, its body or an attachment.",
            "The mail library cannot write it, so the invitation would reach nobody.",
            "Look at the sender and Reply-To, where a name with an @ or a comma needs quotes and a domain its ASCII "
            "form; at your own headers, which some mail libraries take in ASCII alone; at the charset, the body "
            "and the attachments: a lone surrogate, which badly read bytes leave in a string, fits no charset.",
        ) from None
