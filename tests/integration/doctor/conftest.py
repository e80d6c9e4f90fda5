"""Fixtures: zones on a real DNS server, asked through the doctor's resolver."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from flask_optout.doctor import resolver
from flask_optout.doctor.resolver import Resolver
from tests.support.dns_server import SILENCE, Nameserver, Zone, dns_server
from tests.support.zones import Ask


@pytest.fixture(scope="session")
def nameserver() -> Iterator[Nameserver]:
    """A DNS server, without a zone yet."""
    with dns_server({}) as server:
        yield server


@pytest.fixture
def ask(nameserver: Nameserver, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Serve a zone in place of the one before; gives a resolver, which waits only briefly where silence is served."""

    def ask(zone: Zone) -> Resolver:
        nameserver.zone = dict(zone)
        silent = any(SILENCE in values for values in zone.values())
        monkeypatch.setattr(resolver, "SECONDS_PER_QUESTION", 0.4 if silent else 10.0)
        return Resolver(time.monotonic() + 15, [nameserver.address])

    return ask
