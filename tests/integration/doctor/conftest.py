"""Fixtures: zones on a real DNS server, asked through the doctor's resolver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flask_optout.doctor.resolver import Resolver
from tests.support.dns_server import Nameserver, Zone, dns_server
from tests.support.zones import Ask, resolver_of


@pytest.fixture(scope="session")
def nameserver() -> Iterator[Nameserver]:
    """A DNS server, without a zone yet."""
    with dns_server({}) as server:
        yield server


@pytest.fixture
def ask(nameserver: Nameserver, monkeypatch: pytest.MonkeyPatch) -> Ask:
    def ask(zone: Zone) -> Resolver:
        return resolver_of(nameserver, zone, monkeypatch, if_silent=0.4)

    return ask
