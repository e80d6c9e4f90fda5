"""MX and PTR records, names in HELO, block lists, and which addresses send."""

from __future__ import annotations

import pytest

from flask_optout.doctor.finding import Unsure
from flask_optout.doctor.hosts import block_lists, encryption, helo, mx, ptr, senders
from tests.support.dns_server import SERVFAIL, SILENCE, Zone
from tests.support.findings import ids
from tests.support.zones import Ask

D = "invite.example"
REVERSE = "25.2.0.192.in-addr.arpa PTR"


@pytest.mark.parametrize(
    ("zone", "id"),
    [
        ({f"{D} MX": ["10 mx.example."], "mx.example A": ["192.0.2.1"]}, "domain.mx"),
        ({f"{D} MX": ["10 mx.example.", "5 gone.example."], "mx.example AAAA": ["2001:db8::1"]}, "domain.mx"),
        ({f"{D} A": ["192.0.2.1"]}, "domain.mx"),
        ({f"{D} MX": ["0 ."]}, "domain.mx.none"),
        ({f"{D} MX": ["10 gone.example."]}, "domain.mx.none"),
        ({f"{D} TXT": ["nothing"]}, "domain.mx.none"),
        ({}, "domain.mx.none"),
        ({f"{D} MX": [SILENCE]}, "domain.mx.unknown"),
        ({f"{D} MX": ["10 mx.example."], "mx.example A": [SERVFAIL]}, "domain.mx.unknown"),
    ],
)
def test_a_domain_that_sends_invitations_takes_mail(ask: Ask, zone: Zone, id: str) -> None:
    assert ids(mx(ask(zone), D)) == {id}


@pytest.mark.parametrize(
    ("zone", "explicit", "id"),
    [
        ({REVERSE: ["out.example."], "out.example A": ["192.0.2.25"]}, True, "domain.ptr"),
        ({REVERSE: ["out.example."], "out.example A": ["192.0.2.26"]}, True, "domain.ptr.none"),
        ({REVERSE: ["out.example."]}, True, "domain.ptr.none"),
        ({}, True, "domain.ptr.none"),
        ({REVERSE: [SILENCE]}, True, "domain.ptr.unknown"),
        # MAIL_SERVER may be a relay, which is not what the world sees.
        ({}, False, "domain.ptr.relay.unknown"),
        ({REVERSE: ["out.example."]}, False, "domain.ptr.relay.unknown"),
        ({REVERSE: ["out.example."], "out.example A": ["192.0.2.25"]}, False, "domain.ptr"),
    ],
)
def test_a_sending_host_has_a_name_that_leads_back(ask: Ask, zone: Zone, explicit: bool, id: str) -> None:
    assert ids(ptr(ask(zone), "192.0.2.25", explicit)) == {id}


@pytest.mark.parametrize(
    ("zone", "id"),
    [
        ({"out.example A": ["192.0.2.25"]}, "domain.helo"),
        ({"out.example A": ["192.0.2.26"]}, "domain.helo.other"),
        ({}, "domain.helo.other"),
        ({"out.example A": [SILENCE]}, "domain.helo.unknown"),
    ],
)
def test_a_sending_host_says_its_own_name(ask: Ask, zone: Zone, id: str) -> None:
    assert ids(helo(ask(zone), "out.example", ["192.0.2.25"])) == {id}


LISTS = ["bl.test"]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ({}, {"domain.block-list"}),
        ({"25.2.0.192.bl.test A": ["127.0.0.2"]}, {"domain.block-list.listed"}),
        ({f"{D}.bl.test A": ["127.0.1.2"]}, {"domain.block-list.listed"}),
        # What lists answer to a resolver that they do not serve, and to what they are not about.
        ({f"{D}.bl.test A": ["127.255.255.254"]}, {"domain.block-list.unknown"}),
        ({"25.2.0.192.bl.test A": ["127.0.1.255"]}, {"domain.block-list"}),
        ({f"{D}.bl.test A": [SILENCE]}, {"domain.block-list.unknown"}),
    ],
)
def test_block_lists_are_asked_about_addresses_and_domains(ask: Ask, zone: Zone, expected: set[str]) -> None:
    assert ids(block_lists(ask(zone), LISTS, ["192.0.2.25"], [D])) == expected


def test_no_block_list_is_asked_when_none_is_set(ask: Ask) -> None:
    assert ids(block_lists(ask({f"{D}.bl.test A": ["127.0.0.2"]}), [], ["192.0.2.25"], [D])) == set()


def test_an_ipv6_address_is_asked_about_nibble_by_nibble(ask: Ask) -> None:
    name = "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test"
    assert ids(block_lists(ask({f"{name} A": ["127.0.0.2"]}), LISTS, ["2001:db8::25"], [])) == {
        "domain.block-list.listed"
    }


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ({}, set()),
        ({f"_mta-sts.{D} TXT": ["v=STSv1; id=20261126"]}, {"domain.encryption"}),
        ({f"_mta-sts.{D} TXT": ["v=STSv1; id="]}, {"domain.encryption.wrong"}),
        ({f"_smtp._tls.{D} TXT": [f"v=TLSRPTv1; rua=mailto:tls@{D}"]}, {"domain.encryption"}),
        ({f"_smtp._tls.{D} TXT": ["v=TLSRPTv1; rua=nobody"]}, {"domain.encryption.wrong"}),
    ],
)
def test_encryption_is_a_note_at_most(ask: Ask, zone: Zone, expected: set[str]) -> None:
    found = list(encryption(ask({f"{D} A": ["192.0.2.1"], **zone}), D))
    assert ids(found) == expected
    assert {finding.severity.value for finding in found} <= {"ok", "note"}


@pytest.mark.parametrize(
    ("host", "addresses", "reason"),
    [
        ("192.0.2.25", ["192.0.2.25"], None),
        ("2001:db8::25", ["2001:db8::25"], None),
        ("out.example", ["192.0.2.25"], None),
        ("inside.example", [], "inside"),
        ("127.0.0.1", [], "inside"),
        ("::1", [], "inside"),
        ("gone.example", [], "lost"),
        ("silent.example", [], "no answer in time for silent.example A"),
        (None, [], "unset"),
    ],
)
def test_which_addresses_send(ask: Ask, host: str | None, addresses: list[str], reason: str | None) -> None:
    zone: Zone = {"out.example A": ["192.0.2.25"], "inside.example A": ["10.1.2.3"], "silent.example A": [SILENCE]}
    if reason is None:
        assert senders(ask(zone), host) == addresses
        return
    with pytest.raises(Unsure, match=reason):
        senders(ask(zone), host)
