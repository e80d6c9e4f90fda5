"""DMARC, line by line of RFC 9989."""

from __future__ import annotations

import pytest

from flask_optout.doctor.dmarc import check_alignment, check_dmarc, find_policy, is_aligned
from flask_optout.doctor.finding import Finding, attempt, clean
from flask_optout.doctor.resolver import Resolver
from tests.support.dns_server import SERVFAIL, SILENCE, Zone
from tests.support.findings import ids, the
from tests.support.zones import Ask

D = "mail.invite.example"


def looked_at(resolver: Resolver) -> list[Finding]:
    return list(attempt("domain.dmarc", check_dmarc(resolver, D)))


def at(name: str, *records: str) -> Zone:
    return {f"_dmarc.{name} TXT": list(records)}


GOOD = "v=DMARC1; p=reject; rua=mailto:dmarc@invite.example"
WELL = {"domain.dmarc.record"}


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        # Section 4.10: the record that applies.
        (at(D, GOOD), WELL),
        (at("invite.example", GOOD), WELL),
        (at("example", "v=DMARC1; p=reject; psd=y; rua=mailto:dmarc@example"), WELL),
        ({}, {"domain.dmarc.none"}),
        (at(D, "v=spf1 -all"), {"domain.dmarc.none"}),
        (at(D, GOOD, "unrelated"), WELL),
        (at(D, GOOD, GOOD + "; t=n"), {"domain.dmarc.several"}),
        ({**at(D, GOOD, GOOD + "; t=n"), **at("invite.example", GOOD)}, WELL | {"domain.dmarc.several"}),
        ({f"{D} TXT": [GOOD], **at("other", "")}, {"domain.dmarc.none"}),
        (at(D, GOOD, GOOD.replace("DMARC1", "dmarc1")), WELL | {"domain.dmarc.unread"}),
        (at(D, GOOD, GOOD + "; t=n", " " + GOOD), {"domain.dmarc.several"}),
        # Section 4.8: the version's letters, and what is typed into forms.
        (at(D, GOOD.replace("v=", "V =")), WELL),
        (at(D, GOOD.replace("DMARC1", "dmarc1")), {"domain.dmarc.flawed"}),
        (at(D, " " + GOOD), {"domain.dmarc.flawed"}),
        (at(D, f'"{GOOD}"'), {"domain.dmarc.flawed"}),
        (at(D, GOOD.replace(";", "\\;")), {"domain.dmarc.flawed"}),
        (at(D, GOOD.replace(";", "", 1)), {"domain.dmarc.flawed"}),
        (at(D, "DMARC1; p=reject"), {"domain.dmarc.flawed"}),
        (at(D, f"“{GOOD}”"), {"domain.dmarc.flawed"}),
        (at(D, GOOD.replace("; ", ";\u00a0")), {"domain.dmarc.flawed"}),
        # The record above the domain, too, is told with what is wrong with it.
        (at("invite.example", GOOD, GOOD + "; t=n"), {"domain.dmarc.several"}),
        (at("invite.example", GOOD.replace("DMARC1", "dmarc1")), {"domain.dmarc.flawed"}),
        ({**at(D, GOOD), **at("invite.example", GOOD.replace("DMARC1", "dmarc1"))}, WELL),
        # Section 4.7: values in any letters; bad optional tags are dropped; removed and added tags, test mode.
        (at(D, GOOD.replace("p=reject", "P=Reject") + "; ADKIM=S; aspf=R; fo=1:D:s"), WELL),
        (at(D, GOOD + "; adkim=strict"), WELL | {"domain.dmarc.dropped"}),
        (at(D, GOOD + "; fo=2"), WELL | {"domain.dmarc.dropped"}),
        (at(D, GOOD + "; psd=x; t=maybe"), WELL | {"domain.dmarc.dropped"}),
        (at(D, GOOD + "; pct=50"), WELL | {"domain.dmarc.removed"}),
        (at(D, GOOD + "; rf=afrf; ri=86400"), WELL | {"domain.dmarc.removed"}),
        (at(D, GOOD + "; np=reject; sp=quarantine"), WELL),
        (at(D, GOOD + "; t=y"), WELL | {"domain.dmarc.test"}),
        (at(D, GOOD + "; new=1"), WELL | {"domain.dmarc.unknown-tag"}),
        (at(D, GOOD + "; p=none"), {"domain.dmarc.twice"}),
        (at(D, GOOD + "; mailto:b@invite.example"), WELL | {"domain.dmarc.unknown-tag"}),
        (
            at(D, GOOD.replace("p=reject", "p:reject")),
            WELL | {"domain.dmarc.unknown-tag", "domain.dmarc.no-policy"},
        ),
        (at(D, GOOD.replace("p=reject; ", "")), WELL | {"domain.dmarc.no-policy"}),
        (at(D, GOOD.replace("reject", "none")), WELL | {"domain.dmarc.unenforced"}),
        (at(D, "v=DMARC1; p=reject"), WELL | {"domain.dmarc.no-reports"}),
        (at(D, GOOD + "!10m"), WELL),
        (at(D, GOOD.replace("mailto:", "")), WELL | {"domain.dmarc.report-address"}),
        (at(D, GOOD.replace("mailto:", "mailto://")), WELL | {"domain.dmarc.report-address"}),
        (at(D, GOOD + " mailto:b@invite.example"), WELL | {"domain.dmarc.report-address"}),
        (at(D, GOOD.replace("mailto:dmarc@", "https://")), WELL | {"domain.dmarc.report-address"}),
        (at(D, GOOD + ", MAILTO:b@invite.example"), WELL),
        (at(D, GOOD.replace("reject", "rejekt")), {"domain.dmarc.policy"}),
        (at(D, GOOD + "; sp=no"), {"domain.dmarc.policy"}),
        # The policy of the domain at hand: sp where it exists, np where it does not (section 4.10.1).
        ({**at("invite.example", GOOD + "; sp=none"), f"{D} A": ["192.0.2.1"]}, WELL | {"domain.dmarc.unenforced"}),
        (at("invite.example", GOOD + "; sp=none; np=reject"), WELL),
        (at("invite.example", GOOD + "; np=none"), WELL | {"domain.dmarc.unenforced"}),
        ({**at("invite.example", GOOD + "; np=none"), f"{D} MX": ["1 mx.example."]}, WELL),
        (at(D, GOOD + "; sp=none; np=none"), WELL),
    ],
)
def test_each_line_of_the_standard(ask: Ask, zone: Zone, expected: set[str]) -> None:
    assert ids(looked_at(ask(zone))) == expected


@pytest.mark.parametrize(
    ("zone", "policy"),
    [
        (at(D, GOOD), "reject"),
        ({**at("invite.example", GOOD + "; sp=quarantine"), f"{D} A": ["192.0.2.1"]}, "quarantine"),
        (at("invite.example", GOOD + "; sp=quarantine; np=none"), "none"),
        (at("invite.example", GOOD + "; sp=quarantine"), "quarantine"),
    ],
)
def test_the_policy_that_is_told_is_that_of_the_domain_at_hand(ask: Ask, zone: Zone, policy: str) -> None:
    assert the(looked_at(ask(zone)), "domain.dmarc.record").facts["policy"] == policy


@pytest.mark.parametrize(
    ("id", "tags", "kept"),
    [
        ("removed", "p=reject; pct=50; sp=none", "p=reject; sp=none"),
        ("removed", "p=reject; pct=0", "p=reject; t=y"),
        ("removed", "p=Quarantine; pct=0; rua=mailto:a.b@x.example", "p=Quarantine; rua=mailto:a.b@x.example; t=y"),
        ("dropped", "p=reject; adkim=strict; rua=mailto:a@x.example", "p=reject; rua=mailto:a@x.example"),
        ("test", "p=reject; t=y", "p=reject"),
        ("no-reports", "p=reject", f"p=reject; rua=mailto:postmaster@{D}"),
        ("no-policy", "rua=mailto:a@x.example", "rua=mailto:a@x.example; p=none"),
    ],
)
def test_a_paste_keeps_the_policy_that_stands_and_the_mailboxes(ask: Ask, id: str, tags: str, kept: str) -> None:
    finding = the(looked_at(ask(at(D, f"v=DMARC1; {tags}"))), f"domain.dmarc.{id}")
    assert finding.paste == f'_dmarc.{D}. IN TXT "v=DMARC1; {kept}"'


def test_of_two_policies_none_is_chosen_for_pasting(ask: Ask) -> None:
    finding = the(looked_at(ask(at(D, "v=DMARC1; p=none; p=reject; pct=5"))), "domain.dmarc.removed")
    assert finding.paste == ""


def test_of_two_records_that_are_not_read_none_is_chosen_for_pasting(ask: Ask) -> None:
    texts = [f'"{GOOD}"', f'"{GOOD.replace("reject", "none")}"']
    [finding] = looked_at(ask(at(D, *texts)))
    assert (finding.id, finding.paste) == ("domain.dmarc.flawed", "")
    assert set(finding.details) == set(map(clean, texts))


@pytest.mark.parametrize(
    "zone",
    [
        {},
        at(D, "v=dmarc1; p=reject"),
        at(D, "v=DMARC1; p=reject; pct=20; adkim=x"),
        at(D, 'v=DMARC1\\; p=quarantine\\; rua=mailto:"a@x.example"'),
        at("invite.example", "“v=DMARC1;\u00a0p=reject”"),
    ],
)
def test_what_is_pasted_is_read_without_a_flaw(ask: Ask, zone: Zone) -> None:
    for _ in range(5):
        finding = next((found for found in looked_at(ask(zone)) if found.paste and found.severity != "note"), None)
        if finding is None:
            break
        zone = {f"{finding.paste.partition('. IN')[0]} TXT": [finding.paste.split('"')[1]]}
    assert not [found.id for found in looked_at(ask(zone)) if found.severity in ("fail", "warn")]


@pytest.mark.parametrize("trouble", [SILENCE, SERVFAIL])
@pytest.mark.parametrize(
    "zone",
    [
        at(D, "trouble"),
        at("invite.example", "trouble"),
    ],
)
def test_trouble_in_dns_is_could_not_tell(ask: Ask, zone: Zone, trouble: str) -> None:
    """checkdmarc says that there is no record."""
    troubled = {name: [trouble if value == "trouble" else value for value in values] for name, values in zone.items()}
    found = [finding for finding in looked_at(ask(troubled)) if finding.severity != "ok"]
    assert found and all(finding.seen.startswith("Could not tell") for finding in found), found


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
    assert find_policy(ask(zone), domain)[0] == expected


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
    assert is_aligned(ask(at("invite.example", GOOD)), author, other, strict) is expected


@pytest.mark.parametrize(
    ("record", "bounce", "signers", "id"),
    [
        (GOOD, "bounce.invite.example", [], "domain.alignment"),
        (GOOD + "; aspf=s", "bounce.invite.example", ["relay.test"], "domain.alignment.none"),
        (GOOD, "relay.test", ["invite.example"], "domain.alignment"),
        (GOOD + "; adkim=s", "relay.test", ["mail.invite.example"], "domain.alignment.none"),
        (GOOD + "; adkim=S", "relay.test", ["mail.invite.example"], "domain.alignment.none"),
        (GOOD + "; adkim=strict", "relay.test", ["mail.invite.example"], "domain.alignment"),
        (GOOD, "relay.test", ["relay.test"], "domain.alignment.none"),
        (GOOD, None, ["relay.test"], "domain.alignment.unknown"),
        (GOOD, "relay.test", [], "domain.alignment.unknown"),
    ],
)
def test_one_of_spf_and_dkim_must_speak_for_from(
    ask: Ask, record: str, bounce: str | None, signers: list[str], id: str
) -> None:
    found = check_alignment(ask(at("invite.example", record)), "invite.example", bounce, signers)
    assert ids(found) == {id}


def test_alignment_without_dns_is_could_not_tell(ask: Ask) -> None:
    zone: Zone = {"_dmarc.invite.example TXT": [SILENCE]}
    found = attempt("domain.alignment", check_alignment(ask(zone), "invite.example", "invite.example", []))
    assert ids(found) == {"domain.alignment.unknown"}
