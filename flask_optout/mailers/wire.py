"""What adapters share: unfolded headers of ours, lines of legal length, proof of the recipient, the rehearsal."""

from __future__ import annotations

import binascii
import re
import smtplib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import Message
from email.policy import Policy
from functools import lru_cache
from importlib.metadata import version
from typing import Any, TypeVar

from ..addresses import Address
from ..errors import AddressError, ConfigurationError, InvitationError, NotGated, OpportunityError
from ..invitations.compose import OWN_HEADERS

S = TypeVar("S")
#: RFC 5322 section 2.1.1, in octets.
LONGEST_LINE = 998
#: Names of public methods by which mail may leave.
WAY_OUT = re.compile(r"(?!_|get_).*(?:send|deliver|dispatch|connect|queue|submit)")


class _Verbatim:
    """A mixin for an email policy, which would fold our long URLs into encoded words that no mail program reads."""

    linesep: str

    def fold(self, name: str, value: Any) -> str:
        return f"{name}: {value}{self.linesep}" if name in OWN_HEADERS else super().fold(name, value)  # type: ignore[misc]

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name in OWN_HEADERS:
            return self.fold(name, value).encode("ascii")
        return super().fold_binary(name, value)  # type: ignore[misc,no-any-return]


@lru_cache(16)
def _verbatim(kind: type[Policy]) -> Any:
    return type("Verbatim", (_Verbatim, kind), {})


def finish(message: Message[Any, Any]) -> None:
    """Keep lines legal (RFC 5322 section 2.1.1): long ones become quoted-printable, our headers are not folded."""
    message.policy = _verbatim(type(message.policy))(**vars(message.policy))
    for part in message.walk():
        payload = part.get_payload()
        if not isinstance(payload, str) or max(map(len, payload.split("\n"))) * 4 <= LONGEST_LINE:
            continue  # not long in any charset; to look at the headers costs more
        raw = part.get_payload(decode=True)
        encoding = str(part.get("Content-Transfer-Encoding", "7bit")).lower()
        if encoding in ("7bit", "8bit") and isinstance(raw, bytes) and max(map(len, raw.splitlines())) > LONGEST_LINE:
            del part["Content-Transfer-Encoding"]
            part["Content-Transfer-Encoding"] = "quoted-printable"
            part.set_payload(binascii.b2a_qp(raw.replace(b"\r\n", b"\n")).decode("ascii"))


def check_library(
    distribution: str, classes: Mapping[Any, str], hooks: Iterable[tuple[Any, str]], tried: Mapping[str, bool]
) -> None:
    """Refuse a release of a mail library that has a way out, or lacks a hook, that its adapter does not know of.

    :param classes: the library's classes, each with the names of the methods by which mail leaves, as far as known.
    :param hooks: what the adapter overrides or calls.
    :param tried: which of the ways out meet the gate, as was tried.
    :raises ConfigurationError: when the installed release has changed.
    """
    ways = {f"{kind.__name__}.{name}": name in known.split() for kind, known in classes.items() for name in dir(kind)}
    misfits = [way for way, known in ways.items() if not known and WAY_OUT.match(way.partition(".")[2])]
    misfits += [f"{kind.__name__}.{name}" for kind, name in hooks if not hasattr(kind, name)]
    misfits += [way for way, gated in tried.items() if not gated]
    if misfits:
        raise ConfigurationError(
            f"The adapter does not fit {distribution} {version(distribution)} ({', '.join(misfits)}).",
            "Mail might leave by a way that does not pass the gate, so none is sent.",
            f"Install a release of {distribution} that the manual names, or a newer Flask-OptOut.",
        )


def is_gated(serialise: Callable[[], object]) -> bool:
    """Whether the library meets the gate where it serialises an invitation in this way."""
    try:
        serialise()
    except NotGated:
        return True
    except Exception:
        return False
    return False


def proved(spellings: Iterable[S], spell: Callable[[S], str], address: Address) -> S:
    """The first spelling of the recipient with which a mail goes to the address that was checked.

    :param spell: gives what the mail library hands to :mod:`smtplib` for a spelling.
    :raises AddressError: when the library would send to another address, whatever the spelling.
    """
    for spelling in spellings:
        with suppress(ValueError):  # of what the library cannot write
            if smtplib.quoteaddr(spell(spelling)) == f"<{address.deliverable}>":
                return spelling
    raise AddressError(
        "The mail library would send an invitation to another address than the one that was checked.",
        "It rewrites this spelling, and whoever reads mail at the other address may have opted out.",
        "Give the bare address, such as 'jane@example.org'.",
    )


class Inviting:
    """A mixin that makes a library's message an invitation.

    :param opportunity: its id, 1 to 128 bytes.
    :param language: the recipient's, as a tag such as ``"de"``: of the footer, and of the page that its link opens.
    """

    def __init__(self, *args: Any, opportunity: str = "", language: str | None = None, **kwargs: Any) -> None:
        if not opportunity:
            raise OpportunityError(
                "An Invitation does not say what it invites to.",
                "Its opportunity decides whose answers hold for it: without one, nobody could opt out of it.",
                "Name it by a short stable id, as in Invitation(..., opportunity='camera').",
            )
        super().__init__(*args, **kwargs)
        self.opportunity = opportunity
        self.language = language


def not_gated(mend: str) -> NotGated:
    """What an invitation raises when it is serialised for a mailer that does not know the gate."""
    return NotGated(
        "An Invitation was handed to a mailer that does not know the gate.",
        "It would reach people who opted out, and carry no link.",
        mend,
    )


@contextmanager
def serialising() -> Iterator[None]:
    """Name what is wrong where the library meets a character that it cannot write.

    :raises InvitationError: in place of the library's error, which may quote an address.
    """
    try:
        yield
    except UnicodeError:
        raise InvitationError(
            "A header of an invitation has a character that cannot stand there.",
            "The mail library cannot write it, so the invitation would reach nobody.",
            "Look at the sender and Reply-To, where a name with an @ or a comma needs quotes and a domain its ASCII "
            "form, and at your own headers, which some mail libraries take in ASCII alone.",
        ) from None


@contextmanager
def rehearsing(smtp: smtplib.SMTP) -> Iterator[None]:
    """Let :meth:`smtplib.SMTP.sendmail` say all but the text of a message, then RSET.

    What the server says against the size, the options, the sender or the recipient, it says for everybody alike.
    """
    smtp.data = lambda msg: smtp.rset()  # type: ignore[method-assign]
    try:
        yield
    finally:
        del smtp.data
