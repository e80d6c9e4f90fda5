"""What is looked at of a sending domain, and where nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flask_optout.doctor.case import Case
from flask_optout.doctor.domain import check_domain, check_encryption, check_helo, check_mx, check_ptr, find_senders
from flask_optout.doctor.finding import Unsure, attempt
from tests.support.dns_server import SERVFAIL, SILENCE, Zone
from tests.support.findings import ids, not_well, the
from tests.support.zones import FOUND, MENDED, Ask
from tools.doctor_demo import SENDER, ZONE


def test_all_that_is_looked_at(ask: Ask) -> None:
    assert ids(check_domain(MENDED, ask(ZONE), "https://jobs.mended.example/optout/x")) == FOUND


TAKES_MAIL = {"in.example MX": ["10 mx.in.example."], "mx.in.example A": ["192.0.2.3"]}


@pytest.mark.parametrize(
    ("zone", "id"),
    [
        (TAKES_MAIL, "domain.mailto"),
        ({"in.example A": ["192.0.2.3"]}, "domain.mailto"),
        ({"in.example TXT": ["nothing"]}, "domain.mailto.none"),
        ({"in.example MX": ["0 ."]}, "domain.mailto.none"),
        ({"in.example MX": [SILENCE]}, "domain.mailto.unknown"),
    ],
)
def test_opt_outs_by_mail_go_to_a_domain_that_takes_mail(ask: Ask, zone: Zone, id: str) -> None:
    config = {"OPTOUT_MAILTO": "optout+{token}@in.example", "OPTOUT_SENDING_HOST": None, "OPTOUT_DKIM_SELECTORS": ()}
    case = Case.of({**config, "OPTOUT_BOUNCE_DOMAIN": None})
    assert id in ids(check_domain(case, ask(zone)))


def test_without_a_domain_nobody_can_tell(ask: Ask) -> None:
    assert ids(check_domain(Case(), ask({}))) == {"domain.name.unknown"}


def test_spf_is_about_the_domain_that_bounces_go_to(ask: Ask) -> None:
    case = Case("mended.example", "bounce.example", [("invite", "mended.example")], SENDER, True)
    zone = {**ZONE, "bounce.example TXT": [f"v=spf1 ip4:{SENDER} -all"], "bounce.example A": ["192.0.2.8"]}
    found = list(check_domain(case, ask(zone)))
    assert the(found, "domain.spf.record").seen.startswith("bounce.example has an SPF record")
    assert [finding.seen.split()[0] for finding in found if finding.id == "domain.mx"] == [
        "mended.example",
        "bounce.example",
    ]


def test_a_bounce_domain_that_is_not_known_is_said_to_be_taken_for_granted(ask: Ask) -> None:
    case = Case("mended.example", None, [("invite", "mended.example")], SENDER, True)
    assert "domain.bounce" in ids(check_domain(case, ask(ZONE)))


@pytest.mark.parametrize(
    ("link", "other"),
    [
        ("https://mended.example/optout/x", False),
        ("https://jobs.mended.example/optout/x", False),
        ("https://mended-jobs.example/optout/x", True),
        ("http://127.0.0.1:5000/optout/x", False),
        ("http://[::1]/optout/x", False),
    ],
)
def test_links_that_lead_to_another_organisation_are_noted(ask: Ask, link: str, other: bool) -> None:
    assert ("domain.link" in ids(check_domain(MENDED, ask(ZONE), link))) is other


def test_a_selector_alone_does_not_tell_that_anything_is_signed(ask: Ask) -> None:
    case = replace(MENDED, bounce="bounce.test")
    zone = {**ZONE, "bounce.test TXT": [f"v=spf1 ip4:{SENDER} -all"], "bounce.test A": ["192.0.2.8"]}
    assert "domain.alignment.unknown" in ids(check_domain(case, ask(zone)))
    assert "domain.alignment" in ids(check_domain(replace(case, signers=["mended.example"]), ask(zone)))


def test_a_relay_whose_name_is_unknown_is_no_failure(ask: Ask) -> None:
    """MAIL_SERVER is the host that the app hands its mail to; what the world sees may be another."""
    zone = {name: records for name, records in ZONE.items() if not name.startswith("25.2.0.192")}
    found = list(check_domain(replace(MENDED, sender_is_explicit=False), ask(zone)))
    assert not_well(found) == {"domain.ptr.relay.unknown"}


def test_block_lists_are_asked_about_the_domain_of_the_links_too(ask: Ask) -> None:
    case = replace(MENDED, block_lists=("bl.test",))
    zone = {**ZONE, "jobs.mended.example.bl.test A": ["127.0.0.2"]}
    finding = the(check_domain(case, ask(zone), "https://jobs.mended.example/optout/x"), "domain.block-list.listed")
    assert "jobs.mended.example" in finding.seen


D = "invite.example"
REVERSE = "25.2.0.192.in-addr.arpa PTR"


@pytest.mark.parametrize(
    ("zone", "id"),
    [
        ({f"{D} MX": ["10 mx.example."], "mx.example A": ["192.0.2.1"]}, "domain.mx"),
        ({f"{D} MX": ["10 mx.example.", "5 gone.example."], "mx.example AAAA": ["2001:db8::1"]}, "domain.mx"),
        ({f"{D} A": ["192.0.2.1"]}, "domain.mx"),
        ({f"{D} MX": [f"{n} mx{n}.example." for n in range(6)], "mx5.example A": ["192.0.2.1"]}, "domain.mx"),
        ({f"{D} MX": ["0 ."]}, "domain.mx.none"),
        ({f"{D} MX": ["10 gone.example."]}, "domain.mx.none"),
        ({f"{D} TXT": ["nothing"]}, "domain.mx.none"),
        ({}, "domain.mx.none"),
        ({f"{D} MX": [SILENCE]}, "domain.mx.unknown"),
        # It is broken, or the nameserver is one for the inside alone.
        ({f"{D} MX": ["10 localhost."], "localhost A": ["127.0.0.1"]}, "domain.mx.unknown"),
        ({f"{D} A": ["10.0.0.5"]}, "domain.mx.unknown"),
        ({f"{D} MX": ["10 mx.example."], "mx.example A": [SERVFAIL]}, "domain.mx.unknown"),
    ],
)
def test_a_domain_that_sends_invitations_takes_mail(ask: Ask, zone: Zone, id: str) -> None:
    assert ids(attempt("domain.mx", check_mx("domain.mx", ask(zone), D))) == {id}


@pytest.mark.parametrize(
    ("zone", "explicit", "id"),
    [
        ({REVERSE: ["out.example."], "out.example A": ["192.0.2.25"]}, True, "domain.ptr"),
        ({REVERSE: [f"n{n}.example." for n in range(10)], "n9.example A": ["192.0.2.25"]}, True, "domain.ptr"),
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
    assert ids(attempt("domain.ptr", check_ptr(ask(zone), "192.0.2.25", explicit))) == {id}


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
    assert ids(attempt("domain.helo", check_helo(ask(zone), "out.example", ["192.0.2.25"]))) == {id}


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ({"2.0.0.127.bl.test A": ["127.0.0.2"]}, {"domain.block-list"}),
        ({"test.bl.test A": ["127.0.0.2"]}, {"domain.block-list"}),
        # Its name is misspelt, it was shut down, or its domain was sold (RFC 5782 section 5).
        ({}, {"domain.block-list.unknown"}),
        ({"* A": ["203.0.113.9"]}, {"domain.block-list.unknown"}),
        ({"25.2.0.192.bl.test A": ["127.0.0.2"]}, {"domain.block-list.listed"}),
        ({f"{D}.bl.test A": ["127.0.1.2"]}, {"domain.block-list.listed"}),
        # What lists answer to a resolver that they do not serve, and to what they are not about.
        ({f"{D}.bl.test A": ["127.255.255.254"]}, {"domain.block-list.unknown"}),
        ({f"{D}.bl.test A": ["127.0.0.1"]}, {"domain.block-list.unknown"}),
        (dict.fromkeys(("25.2.0.192.bl.test A", "2.0.0.127.bl.test A"), ["127.0.1.255"]), {"domain.block-list"}),
        ({f"{D}.bl.test A": [SILENCE]}, {"domain.block-list.unknown"}),
    ],
)
def test_block_lists_are_asked_about_addresses_and_domains(ask: Ask, zone: Zone, expected: set[str]) -> None:
    assert listed(ask, zone, "bl.test") == expected


def listed(ask: Ask, zone: Zone, *lists: str, sender: str = "192.0.2.25") -> set[str]:
    case = Case(D, D, sending_host=sender, sender_is_explicit=True, block_lists=lists)
    return {id for id in ids(check_domain(case, ask(zone))) if id.startswith("domain.block-list")}


def test_no_block_list_is_asked_when_none_is_set(ask: Ask) -> None:
    assert listed(ask, {f"{D}.bl.test A": ["127.0.0.2"]}) == set()


def test_an_ipv6_address_is_asked_about_nibble_by_nibble(ask: Ask) -> None:
    name = "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test"
    zone: Zone = {f"{name} A": ["127.0.0.2"]}
    assert listed(ask, zone, "bl.test", sender="2001:db8::25") == {"domain.block-list.listed"}


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
    found = list(check_encryption(ask({f"{D} A": ["192.0.2.1"], **zone}), D))
    assert ids(found) == expected
    assert {finding.severity.value for finding in found} <= {"ok", "note"}


HOSTS: Zone = {"out.example A": ["192.0.2.25"], "inside.example A": ["10.1.2.3"], "silent.example A": [SILENCE]}


@pytest.mark.parametrize(
    ("host", "address"),
    [("192.0.2.25", "192.0.2.25"), ("2001:db8::25", "2001:db8::25"), ("out.example", "192.0.2.25")],
)
def test_a_sending_host_is_an_address_or_has_some(ask: Ask, host: str, address: str) -> None:
    assert find_senders(ask(HOSTS), host) == [address]


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("inside.example", "inside"),
        ("127.0.0.1", "inside"),
        ("::1", "inside"),
        ("gone.example", "lost"),
        ("silent.example", "no answer in time for silent.example A"),
        (None, "unset"),
    ],
)
def test_of_one_that_the_world_does_not_see_nobody_can_tell(ask: Ask, host: str | None, reason: str) -> None:
    with pytest.raises(Unsure, match=reason):
        find_senders(ask(HOSTS), host)
