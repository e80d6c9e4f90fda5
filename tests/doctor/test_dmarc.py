"""DMARC, line by line of RFC 9989, against a real DNS server."""

from __future__ import annotations

import pytest

from flask_optout.doctor.dmarc import aligned, alignment, dmarc, organizational
from tests.doctor.conftest import Ask, severities, the
from tests.support.dns_server import SERVFAIL, SILENCE, Zone

D = "mail.invite.example"


def at(name: str, *records: str) -> Zone:
    return {f"_dmarc.{name} TXT": list(records)}


GOOD = "v=DMARC1; p=reject; rua=mailto:dmarc@invite.example"
MAILBOX: Zone = {"invite.example MX": ["10 mx.invite.example."]}


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        # Section 4.10: the record that applies.
        (at(D, GOOD), {"domain.dmarc.record": "ok"}),
        (at("invite.example", GOOD), {"domain.dmarc.record": "ok"}),
        (
            at("example", GOOD.replace(";", "; psd=y;", 1)),
            {"domain.dmarc.record": "ok", "domain.dmarc.remark": "warn"},
        ),
        ({}, {"domain.dmarc.record": "fail"}),
        (at(D, "v=spf1 -all"), {"domain.dmarc.record": "fail"}),
        (at(D, GOOD, "unrelated"), {"domain.dmarc.record": "ok"}),
        (at(D, GOOD, GOOD + "; t=n"), {"domain.dmarc.several": "fail"}),
        ({f"{D} TXT": [GOOD], **at("other", "")}, {"domain.dmarc.record": "fail"}),
        # Section 4.7: removed and added tags, defaults, test mode.
        (at(D, GOOD + "; pct=50"), {"domain.dmarc.record": "ok", "domain.dmarc.removed": "warn"}),
        (at(D, GOOD + "; rf=afrf; ri=86400"), {"domain.dmarc.record": "ok", "domain.dmarc.removed": "warn"}),
        (at(D, GOOD + "; np=reject; sp=quarantine"), {"domain.dmarc.record": "ok"}),
        (at(D, GOOD + "; t=y"), {"domain.dmarc.record": "ok", "domain.dmarc.test": "warn"}),
        (at(D, GOOD + "; new=1"), {"domain.dmarc.record": "ok", "domain.dmarc.remark": "note"}),
        (at(D, GOOD.replace("p=reject; ", "")), {"domain.dmarc.record": "ok", "domain.dmarc.remark": "warn"}),
        (at(D, GOOD.replace("reject", "none")), {"domain.dmarc.record": "ok", "domain.dmarc.remark": "note"}),
        (at(D, "v=DMARC1; p=reject"), {"domain.dmarc.record": "ok", "domain.dmarc.remark": "note"}),
        (at(D, GOOD + "!10m"), {"domain.dmarc.record": "ok", "domain.dmarc.remark": "note"}),
        (at(D, GOOD.replace("reject", "rejekt")), {"domain.dmarc.syntax": "fail"}),
        # Reports to another domain: RFC 9990 section 4.
        (
            {**at(D, GOOD.replace("invite.example", "reports.test")), "reports.test MX": ["1 mx.reports.test."]},
            {"domain.dmarc.record": "ok", "domain.dmarc.remark": "warn"},
        ),
        (
            {
                **at(D, GOOD.replace("invite.example", "reports.test")),
                "reports.test MX": ["1 mx.reports.test."],
                f"{D}._report._dmarc.reports.test TXT": ["v=DMARC1"],
            },
            {"domain.dmarc.record": "ok"},
        ),
    ],
)
def test_each_line_of_the_standard(ask: Ask, zone: Zone, expected: dict[str, str]) -> None:
    assert severities(dmarc(ask({**MAILBOX, **zone}), D)) == expected


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ("p=reject; pct=50; sp=none", "p=reject; sp=none"),
        ("p=reject; pct=0", "p=reject; t=y"),
    ],
)
def test_the_mend_of_a_removed_tag_is_the_record_without_it(ask: Ask, tags: str, kept: str) -> None:
    finding = the(dmarc(ask(at(D, f"v=DMARC1; {tags}")), D), "domain.dmarc.removed")
    assert finding.paste == f'_dmarc.{D}. IN TXT "v=DMARC1; {kept}"'


@pytest.mark.parametrize("trouble", [SILENCE, SERVFAIL])
@pytest.mark.parametrize(
    "zone",
    [
        at(D, "trouble"),
        at("invite.example", "trouble"),
        {
            **at(D, GOOD.replace("invite.example", "reports.test")),
            "reports.test MX": ["1 mx.reports.test."],
            f"{D}._report._dmarc.reports.test TXT": ["trouble"],
        },
    ],
)
def test_trouble_in_dns_is_could_not_tell(ask: Ask, zone: Zone, trouble: str) -> None:
    """checkdmarc says that there is no record, or that the reports are not authorised."""
    troubled = {name: [trouble if value == "trouble" else value for value in values] for name, values in zone.items()}
    found = [finding for finding in dmarc(ask({**MAILBOX, **troubled}), D) if finding.severity != "ok"]
    assert found
    assert all(finding.seen.startswith("Could not tell") for finding in found), found


@pytest.mark.parametrize(
    ("zone", "domain", "expected"),
    [
        ({}, "a.b.example", "a.b.example"),
        (at("b.example", GOOD), "a.b.example", "b.example"),
        ({**at("a.b.example", GOOD), **at("b.example", GOOD)}, "a.b.example", "b.example"),
        ({**at("a.b.example", "v=DMARC1; psd=n"), **at("b.example", GOOD)}, "x.a.b.example", "a.b.example"),
        (at("example", "v=DMARC1; psd=y"), "a.b.example", "b.example"),
        # Eight questions at most: of ten labels the second to the third from the left are skipped.
        (at("2.3.4.5.6.7.8.9.example", GOOD), "1.2.3.4.5.6.7.8.9.example", "1.2.3.4.5.6.7.8.9.example"),
        (at("4.5.6.7.8.9.example", GOOD), "1.2.3.4.5.6.7.8.9.example", "4.5.6.7.8.9.example"),
        ({**at("b.example", GOOD, GOOD + ";t=n")}, "a.b.example", "a.b.example"),
    ],
)
def test_the_tree_walk_finds_the_organizational_domain(ask: Ask, zone: Zone, domain: str, expected: str) -> None:
    """RFC 9989 section 4.10; checkdmarc would take it from the public suffix list."""
    assert organizational(ask(zone), domain) == expected


@pytest.mark.parametrize(
    ("author", "other", "strict", "expected"),
    [
        ("invite.example", "invite.example", True, True),
        ("invite.example", "bounce.invite.example", False, True),
        ("invite.example", "bounce.invite.example", True, False),
        ("a.invite.example", "b.invite.example", False, True),
        ("invite.example", "relay.test", False, False),
    ],
)
def test_alignment_of_two_domains(ask: Ask, author: str, other: str, strict: bool, expected: bool) -> None:
    assert aligned(ask(at("invite.example", GOOD)), author, other, strict) is expected


@pytest.mark.parametrize(
    ("record", "bounce", "signers", "severity"),
    [
        (GOOD, "bounce.invite.example", [], "ok"),
        (GOOD + "; aspf=s", "bounce.invite.example", ["relay.test"], "fail"),
        (GOOD, "relay.test", ["invite.example"], "ok"),
        (GOOD + "; adkim=s", "relay.test", ["mail.invite.example"], "fail"),
        (GOOD, "relay.test", ["relay.test"], "fail"),
        (GOOD, None, ["relay.test"], "warn"),
        (GOOD, "relay.test", [], "warn"),
    ],
)
def test_one_of_spf_and_dkim_must_speak_for_from(
    ask: Ask, record: str, bounce: str | None, signers: list[str], severity: str
) -> None:
    found = list(alignment(ask(at("invite.example", record)), "invite.example", bounce, signers))
    assert severities(found) == {"domain.alignment": severity}


def test_alignment_without_dns_is_could_not_tell(ask: Ask) -> None:
    zone = {"_dmarc.invite.example TXT": [SILENCE]}
    found = list(alignment(ask(zone), "invite.example", "invite.example", []))
    assert [finding.seen.startswith("Could not tell") for finding in found] == [True]
