"""Fixtures: zones in memory, asked through the doctor's resolver."""

from __future__ import annotations

import pytest

from flask_optout.doctor.resolver import Resolver
from tests.support.dns_server import Nameserver, Zone
from tests.support.zones import Ask, InMemory, resolver_of


@pytest.fixture
def nameserver() -> Nameserver:
    """A nameserver in memory, without a zone yet."""
    return Nameserver({})


@pytest.fixture
def ask(nameserver: Nameserver, monkeypatch: pytest.MonkeyPatch) -> Ask:
    def ask(zone: Zone) -> Resolver:
        asking = resolver_of(nameserver, zone, monkeypatch, if_silent=0.05)
        asking.nameservers = [InMemory(nameserver)]
        return asking

    return ask
