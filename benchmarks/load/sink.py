"""The mail server: it notes when the send of each invitation started, when it came, and the links in it."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from tests.support.hosts import Mailbox

from .judge import Mail, Pair

SUBJECT = re.compile(rb"^Subject: (\S+) (\d+)\r?$", re.MULTILINE)
LINK = re.compile(rb"(?<!<)http://\S+/optout/[a-z2-7]{50,}")
ONE_CLICK = re.compile(rb"http://\S+/optout/one-click/[a-z2-7]{50,}")


class Letter(NamedTuple):
    """What a person keeps of an invitation."""

    link: str
    one_click: str


@dataclass
class Sink(Mailbox):
    """What arrived; read while more arrives."""

    mails: list[Mail] = field(default_factory=list)
    letters: dict[Pair, Letter] = field(default_factory=dict)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        came, raw = time.monotonic(), envelope.original_content
        (to,), subject = envelope.rcpt_tos, SUBJECT.search(raw)
        link, one_click = LINK.search(raw), ONE_CLICK.search(raw)
        if subject is None or link is None or one_click is None:
            return "554 this is no invitation"
        pair = Pair(to, subject[1].decode())
        self.letters[pair] = Letter(link[0].decode(), one_click[0].decode())
        self.mails.append(Mail(pair, int(subject[2]), server.greeted, came))
        return "250 OK"


class _Server(SMTP):
    greeted = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Before the greeting goes out, and so before the worker can ask the gate.
        self.greeted = time.monotonic()
        super().connection_made(transport)


class Greeting(Controller):
    """Serves a sink that knows when each send started."""

    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)
