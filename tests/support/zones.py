"""Zones in memory, asked through the doctor's own resolver: no socket is opened."""

from __future__ import annotations

from collections.abc import Callable

import dns.exception
import dns.message
import dns.nameserver

from flask_optout.doctor.resolver import Resolver
from tests.support.dns_server import Nameserver, Zone

#: Serves a zone in place of the one before, and gives a resolver that asks it.
Ask = Callable[[Zone], Resolver]


class InMemory(dns.nameserver.Nameserver):
    """Lets a nameserver answer without a network."""

    def __init__(self, nameserver: Nameserver) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nameserver = nameserver

    def __str__(self) -> str:
        return "in memory"

    def kind(self) -> str:
        return "in memory"

    def is_always_max_size(self) -> bool:
        return True

    def answer_nameserver(self) -> str:
        return "in memory"

    def answer_port(self) -> int:
        return 0

    def query(self, request: dns.message.QueryMessage, *args: object, **options: object) -> dns.message.Message:
        reply = self.nameserver.answer(request.to_wire(), 65_535)
        if reply is None:
            raise dns.exception.Timeout(timeout=0.0)  # type: ignore[no-untyped-call]
        return dns.message.from_wire(reply)
