"""Fixtures: zones in memory, asked through the doctor's resolver."""

from __future__ import annotations

import time

import pytest

from flask_optout.doctor import resolver
from flask_optout.doctor.resolver import Resolver
from tests.support.dns_server import SILENCE, Nameserver, Zone
from tests.support.zones import Ask, InMemory


@pytest.fixture
def nameserver() -> Nameserver:
    """A nameserver in memory, without a zone yet."""
    return Nameserver({})


@pytest.fixture
def ask(nameserver: Nameserver, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Serve a zone in place of the one before; gives a resolver, which waits only briefly where silence is served."""

    def ask(zone: Zone) -> Resolver:
        nameserver.zone = dict(zone)
        silent = any(SILENCE in values for values in zone.values())
        monkeypatch.setattr(resolver, "SECONDS_PER_QUESTION", 0.05 if silent else 10.0)
        asking = Resolver(time.monotonic() + 15, [nameserver.address])
        asking.nameservers = [InMemory(nameserver)]
        return asking

    return ask
