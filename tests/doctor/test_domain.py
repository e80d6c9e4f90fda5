"""What is looked at of a sending domain, and where nobody can tell."""

from __future__ import annotations

from flask_optout.doctor.case import Case
from flask_optout.doctor.domain import domain
from tests.doctor.conftest import Ask, severities, the
from tools.doctor_demo import SENDER, ZONE

ALL = Case("mended.example", "mended.example", [("invite", "mended.example")], SENDER, True)


def test_all_that_is_looked_at(ask: Ask) -> None:
    assert severities(domain(ALL, ask(ZONE))) == {
        "domain.spf.record": "ok",
        "domain.spf.sender": "ok",
        "domain.dkim.key": "ok",
        "domain.dmarc.record": "ok",
        "domain.alignment": "ok",
        "domain.mx": "ok",
        "domain.ptr": "ok",
    }


def test_without_a_domain_nobody_can_tell(ask: Ask) -> None:
    assert severities(domain(Case(), ask({}))) == {"domain.name": "warn"}


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
    assert severities(domain(case, ask(ZONE)))["domain.bounce"] == "note"
