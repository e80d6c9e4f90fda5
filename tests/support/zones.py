"""Zones in memory, asked through the doctor's own resolver: no socket is opened."""

from __future__ import annotations

import time
from collections.abc import Callable

import dns.exception
import dns.message
import dns.nameserver
import pytest

from flask_optout.doctor import resolver
from flask_optout.doctor.case import Case
from flask_optout.doctor.resolver import Resolver
from tests.support.dns_server import SILENCE, Nameserver, Zone
from tools.doctor_demo import SENDER

#: Serves a zone in place of the one before, and gives a resolver that asks it.
Ask = Callable[[Zone], Resolver]
#: The demo's mended domain, and what is found when all of it is looked at.
MENDED = Case("mended.example", "mended.example", [("invite", "mended.example")], SENDER, True)
FOUND = {
    "domain.spf.record",
    "domain.spf.sender",
    "domain.dkim.key",
    "domain.dmarc.record",
    "domain.alignment",
    "domain.mx",
    "domain.ptr",
}


def resolver_of(nameserver: Nameserver, zone: Zone, monkeypatch: pytest.MonkeyPatch, if_silent: float) -> Resolver:
    """Serve a zone in place of the one before; gives a resolver, which waits only briefly where silence is served.

    :param if_silent: seconds for which it waits then.
    """
    nameserver.zone = dict(zone)
    silent = any(SILENCE in values for values in zone.values())
    monkeypatch.setattr(resolver, "SECONDS_PER_QUESTION", if_silent if silent else 10.0)
    return Resolver(time.monotonic() + 15, nameserver.address)


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
