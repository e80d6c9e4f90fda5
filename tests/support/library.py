"""What a mail library and its adapter look like to the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formataddr
from typing import Any, Protocol

from flask_optout.invitations.gate import OnError
from tests.support.hosts import Host, Mailbox


@dataclass(frozen=True)
class Wanted:
    """A message in no library's terms; without a sender, the host's default one."""

    to: list[Any] = field(default_factory=lambda: ["jane@example.org"])
    cc: list[Any] = field(default_factory=list)
    bcc: list[Any] = field(default_factory=list)
    opportunity: str = "beta-42"
    language: str | None = None
    subject: str = "Join us"
    sender: Any = ("The team", "team@example.org")
    reply_to: tuple[str, str] | None = None
    text: str | None = "Come and try it."
    html: str | None = "<p>Come and try it.</p>"
    headers: dict[str, str] = field(default_factory=dict)
    #: Name, type and data of each.
    attachments: list[tuple[str, str, bytes]] = field(default_factory=list)

    def __repr__(self) -> str:
        """What is wanted other than usual, as the id of a test."""
        usual = vars(Wanted())
        return ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if value != usual[name])


#: Sends messages of its library one way, and gives the bytes of those that left.
Way = Callable[[Host, Mailbox, list[Any]], list[bytes]]
#: Sends many messages over one connection.
Many = Callable[[Host, Iterable[Any]], object]


class Library(Protocol):
    """One mail library and its adapter."""

    #: ``-k`` finds the tests of one library by it.
    name: str
    #: Every way out that its adapter gives to ``check_library``, and every other that is documented.
    ways: dict[str, Way]
    #: Every way to send many over one connection; the first is in docs/compatibility.md.
    many: dict[str, Many]
    #: Changes to a message, after which it has parts of other kinds.
    parts: dict[str, Callable[[Any], object]]
    #: Whether it delivers to an address with a local part outside ASCII.
    smtputf8: bool
    #: Whether hosts send by its adapter also in an app that has no OptOut.
    works_without_optout: bool

    def invitation(self, host: Host, wanted: Wanted) -> Any:
        """The library's own message that names its opportunity."""

    def ordinary(self, host: Host, wanted: Wanted) -> Any:
        """The library's own message that names none."""

    def address(self, message: Any, to: str) -> None:
        """Make this the message's one recipient."""

    def send(self, host: Host, message: Any) -> object:
        """Send one message over SMTP, as most hosts do; gives what they get, as something that ``==`` compares."""

    def send_invitations(self, host: Host, messages: Iterable[Any], on_error: OnError | None = None) -> object:
        """Send many as the adapter does."""

    def send_ungated(self, host: Host, message: Any) -> None:
        """Send it by the library alone, as a host that forgot the adapter would."""


def password(to: str = "jane@example.org", text: str = "Set a new one.") -> Wanted:
    """An ordinary message."""
    return Wanted([to], subject="Your password", text=text, html=None)


def over_smtp(send: Callable[[Host, Any], object]) -> Way:
    def way(host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        before = len(smtp.received)
        for message in messages:
            send(host, message)
        return [mail.raw for mail in smtp.received[before:]]

    return way


def pair(recipient: Any) -> Any:
    return formataddr(recipient) if isinstance(recipient, tuple) else recipient
