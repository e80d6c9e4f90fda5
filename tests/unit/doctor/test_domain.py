"""What is looked at of a sending domain, and where nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flask_optout.doctor.case import Case
from flask_optout.doctor.domain import domain
from tests.support.dns_server import SILENCE, Zone
from tests.support.findings import ids, not_well, the
from tests.support.zones import FOUND, MENDED, Ask
from tools.doctor_demo import SENDER, ZONE


def test_all_that_is_looked_at(ask: Ask) -> None:
    assert ids(domain(MENDED, ask(ZONE), "https://jobs.mended.example/optout/x")) == FOUND


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
    assert id in ids(domain(case, ask(zone)))


def test_without_a_domain_nobody_can_tell(ask: Ask) -> None:
    assert ids(domain(Case(), ask({}))) == {"domain.name.unknown"}


def test_spf_is_about_the_domain_that_bounces_go_to(ask: Ask) -> None:
    case = Case("mended.example", "bounce.example", [("invite", "mended.example")], SENDER, True)
    zone = {**ZONE, "bounce.example TXT": [f"v=spf1 ip4:{SENDER} -all"], "bounce.example A": ["192.0.2.8"]}
    found = list(domain(case, ask(zone)))
    assert the(found, "domain.spf.record").seen.startswith("bounce.example has an SPF record")
    assert [finding.seen.split()[0] for finding in found if finding.id == "domain.mx"] == [
        "mended.example",
        "bounce.example",
    ]


def test_a_bounce_domain_that_is_not_known_is_said_to_be_taken_for_granted(ask: Ask) -> None:
    case = Case("mended.example", None, [("invite", "mended.example")], SENDER, True)
    assert "domain.bounce" in ids(domain(case, ask(ZONE)))


@pytest.mark.parametrize(
    ("link", "other"),
    [
        ("https://mended.example/optout/x", False),
        ("https://jobs.mended.example/optout/x", False),
        ("https://mended-jobs.example/optout/x", True),
        ("http://127.0.0.1:5000/optout/x", False),
        ("http://[::1]/optout/x", False),
        (None, False),
    ],
)
def test_links_that_lead_to_another_organisation_are_noted(ask: Ask, link: str | None, other: bool) -> None:
    assert ("domain.link" in ids(domain(MENDED, ask(ZONE), link))) is other


def test_a_selector_alone_does_not_tell_that_anything_is_signed(ask: Ask) -> None:
    case = replace(MENDED, bounce="bounce.test")
    zone = {**ZONE, "bounce.test TXT": [f"v=spf1 ip4:{SENDER} -all"], "bounce.test A": ["192.0.2.8"]}
    assert "domain.alignment.unknown" in ids(domain(case, ask(zone)))
    assert "domain.alignment" in ids(domain(replace(case, signers=["mended.example"]), ask(zone)))


def test_a_relay_whose_name_is_unknown_is_no_failure(ask: Ask) -> None:
    """MAIL_SERVER is the host that the app hands its mail to; what the world sees may be another."""
    zone = {name: records for name, records in ZONE.items() if not name.startswith("25.2.0.192")}
    found = list(domain(replace(MENDED, sender_is_explicit=False), ask(zone)))
    assert not_well(found) == {"domain.ptr.relay.unknown"}


def test_block_lists_are_asked_about_the_sender_and_the_links_domain(ask: Ask) -> None:
    case = replace(MENDED, block_lists=("bl.test",))
    zone = {**ZONE, "jobs.mended.example.bl.test A": ["127.0.0.2"]}
    finding = the(domain(case, ask(zone), "https://jobs.mended.example/optout/x"), "domain.block-list.listed")
    assert "jobs.mended.example" in finding.seen
