"""A sending domain on a real DNS server, over UDP and TCP."""

from __future__ import annotations

import time

import pytest

from flask_optout.doctor.domain import check_domain
from flask_optout.doctor.resolver import Resolver
from tests.support.dns_server import SERVFAIL, SILENCE, Nameserver
from tests.support.findings import ids
from tests.support.zones import FOUND, MENDED, Ask
from tools.doctor_demo import ZONE


def test_all_that_is_looked_at(ask: Ask) -> None:
    assert ids(check_domain(MENDED, ask(ZONE), "https://jobs.mended.example/optout/x")) == FOUND


def test_an_answer_that_is_too_long_for_udp_comes_over_tcp(ask: Ask) -> None:
    texts = [f"{number} {'x' * 240}" for number in range(40)]
    assert sorted(ask({"long.example TXT": texts}).texts("long.example")) == sorted(texts)


@pytest.mark.parametrize("trouble", [SILENCE, SERVFAIL])
def test_a_server_that_does_not_answer_leaves_everything_open(ask: Ask, trouble: str) -> None:
    zone = {name: [trouble] for name in ZONE}
    assert {id.rpartition(".")[2] for id in ids(check_domain(MENDED, ask(zone)))} == {"unknown"}


def test_nobody_at_all_is_could_not_tell(nameserver: Nameserver) -> None:
    resolver = Resolver(time.monotonic() + 1, ("127.0.0.1", 1))
    assert {id.rpartition(".")[2] for id in ids(check_domain(MENDED, resolver))} == {"unknown"}
