"""What a mail library and its adapter look like to the tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formataddr
from typing import Any, Protocol

from tests.support.hosts import Host, Mailbox


@dataclass(frozen=True)
class Wanted:
    """An invitation in no library's terms."""

    to: list[Any] = field(default_factory=lambda: ["jane@example.org"])
    cc: list[Any] = field(default_factory=list)
    bcc: list[Any] = field(default_factory=list)
    opportunity: str = "beta-42"
    subject: str = "Join us"
    text: str | None = "Come and try it."
    html: str | None = "<p>Come and try it.</p>"
    headers: dict[str, str] = field(default_factory=dict)


#: Sends messages of its library one way, and gives the bytes of those that left.
Way = Callable[[Host, Mailbox, list[Any]], list[bytes]]


class Library(Protocol):
    """One mail library and its adapter."""

    name: str
    ways: dict[str, Way]

    def invitation(self, wanted: Wanted) -> Any:
        """The library's own message that names its opportunity."""

    def ordinary(self, to: str) -> Any:
        """The library's own message that names none."""

    def send_ungated(self, host: Host, message: Any) -> None:
        """Send it by the library alone, as a host that forgot the adapter would."""


def over_smtp(send: Callable[[Host, Any], None]) -> Way:
    def way(host: Host, smtp: Mailbox, messages: list[Any]) -> list[bytes]:
        before = len(smtp.received)
        for message in messages:
            send(host, message)
        return [mail.raw for mail in smtp.received[before:]]

    return way


def pair(recipient: Any) -> Any:
    return formataddr(recipient) if isinstance(recipient, tuple) else recipient
