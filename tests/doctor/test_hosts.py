"""MX and PTR records, and which addresses send."""

from __future__ import annotations

import pytest

from flask_optout.doctor.hosts import mx, ptr, senders
from tests.doctor.conftest import Ask, severities
from tests.support.dns_server import SERVFAIL, SILENCE, Zone

D = "invite.example"
REVERSE = "25.2.0.192.in-addr.arpa PTR"


@pytest.mark.parametrize(
    ("zone", "severity"),
    [
        ({f"{D} MX": ["10 mx.example."], "mx.example A": ["192.0.2.1"]}, "ok"),
        ({f"{D} MX": ["10 mx.example.", "5 gone.example."], "mx.example AAAA": ["2001:db8::1"]}, "ok"),
        ({f"{D} A": ["192.0.2.1"]}, "ok"),
        ({f"{D} MX": ["0 ."]}, "fail"),
        ({f"{D} MX": ["10 gone.example."]}, "fail"),
        ({f"{D} TXT": ["nothing"]}, "fail"),
        ({}, "fail"),
        ({f"{D} MX": [SILENCE]}, "warn"),
        ({f"{D} MX": ["10 mx.example."], "mx.example A": [SERVFAIL]}, "warn"),
    ],
)
def test_a_domain_that_sends_invitations_takes_mail(ask: Ask, zone: Zone, severity: str) -> None:
    assert severities(mx(ask(zone), D)) == {"domain.mx": severity}


@pytest.mark.parametrize(
    ("zone", "severity"),
    [
        ({REVERSE: ["out.example."], "out.example A": ["192.0.2.25"]}, "ok"),
        ({REVERSE: ["out.example."], "out.example A": ["192.0.2.26"]}, "fail"),
        ({REVERSE: ["out.example."]}, "fail"),
        ({}, "fail"),
        ({REVERSE: [SILENCE]}, "warn"),
    ],
)
def test_a_sending_host_has_a_name_that_leads_back(ask: Ask, zone: Zone, severity: str) -> None:
    assert severities(ptr(ask(zone), "192.0.2.25")) == {"domain.ptr": severity}


@pytest.mark.parametrize(
    ("host", "addresses", "severity"),
    [
        ("192.0.2.25", ["192.0.2.25"], None),
        ("2001:db8::25", ["2001:db8::25"], None),
        ("out.example", ["192.0.2.25"], None),
        ("inside.example", [], "warn"),
        ("127.0.0.1", [], "warn"),
        ("gone.example", [], "warn"),
        ("silent.example", [], "warn"),
        (None, [], "warn"),
    ],
)
def test_which_addresses_send(ask: Ask, host: str | None, addresses: list[str], severity: str | None) -> None:
    zone: Zone = {"out.example A": ["192.0.2.25"], "inside.example A": ["10.1.2.3"], "silent.example A": [SILENCE]}
    found, trouble = senders(ask(zone), host)
    assert found == addresses
    assert [finding.severity.value for finding in trouble] == ([severity] if severity else [])
