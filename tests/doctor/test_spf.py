"""SPF, line by line of RFC 7208, against a real DNS server."""

from __future__ import annotations

import pytest

from flask_optout.doctor.finding import Finding
from flask_optout.doctor.spf import spf
from tests.doctor.conftest import Ask, severities, the
from tests.support.dns_server import SERVFAIL, SILENCE, Zone

SENDER = "192.0.2.25"
D = "invite.example"


def looked_at(ask: Ask, zone: Zone, sender: str = SENDER, explicit: bool = True) -> list[Finding]:
    return list(spf(ask(zone), D, [sender], explicit))


def record(*terms: str, **others: str) -> Zone:
    """A domain with this record, and names with one each."""
    zone = {f"{name.replace('_', '.')}.example TXT": [text] for name, text in others.items()}
    return {f"{D} TXT": [" ".join(terms)], **zone}


TEN = {f"n{number}": "v=spf1 -all" for number in range(1, 12)}
INCLUDES = [f"include:n{number}.example" for number in range(1, 12)]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        # Section 4.5: which record it is.
        (record("v=spf1 ip4:192.0.2.0/24 -all"), {"domain.spf.record": "ok", "domain.spf.sender": "ok"}),
        (record("V=SPF1 IP4:192.0.2.25 -ALL"), {"domain.spf.record": "ok", "domain.spf.sender": "ok"}),
        (
            {f"{D} TXT": [[b"v=spf1 ip4:192.", b"0.2.25 -all"]]},
            {"domain.spf.record": "ok", "domain.spf.sender": "ok"},
        ),
        (record(" v=spf1 ip4:192.0.2.25 -all"), {"domain.spf.record": "fail"}),
        (record("v=spf10 ip4:192.0.2.25 -all"), {"domain.spf.record": "fail"}),
        ({f"{D} TXT": ["another text"]}, {"domain.spf.record": "fail"}),
        ({f"{D} MX": ["10 mx.example."]}, {"domain.spf.record": "fail"}),
        ({}, {"domain.spf.record": "fail"}),
        # Section 4.6.4: 10 look-ups and 2 void ones.
        (
            record("v=spf1", "ip4:192.0.2.25", *INCLUDES[:10], "-all", **TEN),
            {"domain.spf.record": "ok", "domain.spf.sender": "ok"},
        ),
        (
            record("v=spf1", *INCLUDES, "ip4:192.0.2.25", "-all", **TEN),
            {"domain.spf.lookups": "fail", "domain.spf.sender": "fail"},
        ),
        (
            record("v=spf1 ip4:192.0.2.25 a:x.example a:y.example -all"),
            {"domain.spf.record": "ok", "domain.spf.sender": "ok", "domain.spf.remark": "warn"},
        ),
        (
            record("v=spf1 a:x.example a:y.example a:z.example ip4:192.0.2.25 -all"),
            {"domain.spf.void": "fail", "domain.spf.sender": "fail"},
        ),
        (
            {
                **record("v=spf1 ip4:192.0.2.25 mx -all"),
                f"{D} MX": [f"10 mx{number}.example." for number in range(11)],
                "* A": ["192.0.2.9"],
            },
            {"domain.spf.lookups": "fail", "domain.spf.sender": "ok"},
        ),
        # Section 5.5: ptr should not be used.
        (
            {**record("v=spf1 ip4:192.0.2.25 ptr -all"), f"{D} A": ["192.0.2.9"]},
            {"domain.spf.record": "ok", "domain.spf.remark": "warn", "domain.spf.sender": "ok"},
        ),
        # Sections 5.1 and 6.1: all, and redirect.
        (
            record("v=spf1 +all"),
            {"domain.spf.record": "ok", "domain.spf.all": "fail", "domain.spf.sender": "ok"},
        ),
        (
            record("v=spf1 ip4:192.0.2.25 ?all"),
            {"domain.spf.record": "ok", "domain.spf.all": "warn", "domain.spf.sender": "ok"},
        ),
        (
            record("v=spf1 ip4:192.0.2.25"),
            {"domain.spf.record": "ok", "domain.spf.all": "warn", "domain.spf.sender": "ok"},
        ),
        (
            record("v=spf1 redirect=n.example", n="v=spf1 ip4:192.0.2.25 -all"),
            {"domain.spf.record": "ok", "domain.spf.sender": "ok"},
        ),
        (
            record("v=spf1 ip4:192.0.2.25 -all redirect=gone.example"),
            {"domain.spf.record": "ok", "domain.spf.sender": "ok", "domain.spf.remark": "warn"},
        ),
        # Section 7: macros, upper case too; what depends on the message is no mistake.
        (
            record("v=spf1 ip4:192.0.2.25 exists:%{I}.%{d2}.example include:%{l}.example -all"),
            {"domain.spf.record": "ok", "domain.spf.sender": "ok"},
        ),
        (
            record("v=spf1 exists:%{q}.example -all"),
            {"domain.spf.syntax": "fail", "domain.spf.sender": "fail"},
        ),
        # Section 12: syntax.
        (record("v=spf1 ip4:192.0.2.256 -all"), {"domain.spf.syntax": "fail", "domain.spf.sender": "fail"}),
        (record("v=spf1 ipv4:192.0.2.25 -all"), {"domain.spf.syntax": "fail", "domain.spf.sender": "fail"}),
        (record("v=spf1 ip4:192.0.2.25~all"), {"domain.spf.syntax": "fail", "domain.spf.sender": "fail"}),
        # Section 5.2: includes that lead nowhere, or back.
        (
            record("v=spf1 include:gone.example -all"),
            {"domain.spf.include": "fail", "domain.spf.sender": "fail"},
        ),
        (
            record("v=spf1 include:a.example -all", a="v=spf1 include:a.example -all"),
            {"domain.spf.loop": "fail", "domain.spf.sender": "fail"},
        ),
        # Section 2.6: the verdict on the sending host.
        (record("v=spf1 ip4:192.0.2.9 -all"), {"domain.spf.record": "ok", "domain.spf.sender": "fail"}),
        (record("v=spf1 ip4:192.0.2.9 ~all"), {"domain.spf.record": "ok", "domain.spf.sender": "fail"}),
    ],
)
def test_each_line_of_the_standard(ask: Ask, zone: Zone, expected: dict[str, str]) -> None:
    assert severities(looked_at(ask, zone)) == expected


def test_several_records_are_replaced_by_one(ask: Ask) -> None:
    zone = {f"{D} TXT": ["v=spf1 ip4:192.0.2.1 -all", "v=spf1 ip4:192.0.2.25 ip4:192.0.2.1 -all", "other"]}
    finding = the(looked_at(ask, zone), "domain.spf.several")
    assert finding.paste == f'{D}. IN TXT "v=spf1 ip4:192.0.2.1 ip4:192.0.2.25 ~all"'
    assert severities(looked_at(ask, {f"{D} TXT": [finding.paste.split('"')[1]]})) == {
        "domain.spf.record": "ok",
        "domain.spf.sender": "ok",
    }


def test_the_tree_names_the_branches_that_spend_the_look_ups(ask: Ask) -> None:
    zone = record(
        "v=spf1 include:a.example mx -all a:behind.example", a="v=spf1 include:b.example a -all", b="v=spf1 -all"
    )
    finding = the(looked_at(ask, {**zone, f"{D} MX": ["1 x.example."], "* A": ["192.0.2.9"]}), "domain.spf.record")
    assert finding.details == (
        f"{D}  4 look-ups",
        "├─ include:a.example  3 look-ups",
        "│  ├─ include:b.example  1 look-up",
        "│  └─ a  1 look-up",
        "└─ mx  1 look-up",
    )


def test_a_redirect_beside_all_spends_nothing(ask: Ask) -> None:
    found = looked_at(ask, record("v=spf1 ip4:192.0.2.25 -all redirect=n.example", n="v=spf1 a mx -all"))
    assert the(found, "domain.spf.record").details == (f"{D}  0 look-ups",)


@pytest.mark.parametrize("trouble", [SILENCE, SERVFAIL])
@pytest.mark.parametrize(
    "zone",
    [
        {f"{D} TXT": ["trouble"]},
        record("v=spf1 include:n.example -all", n="trouble"),
        record("v=spf1 redirect=n.example", n="trouble"),
        {**record("v=spf1 a:n.example -all"), "n.example A": ["trouble"]},
        {**record("v=spf1 mx -all"), f"{D} MX": ["trouble"]},
    ],
)
def test_trouble_in_dns_is_could_not_tell(ask: Ask, zone: Zone, trouble: str) -> None:
    """checkdmarc takes it for a record that is not there, and an include without an answer for a permanent error."""
    troubled = {name: [trouble if value == "trouble" else value for value in values] for name, values in zone.items()}
    found = looked_at(ask, troubled)
    assert found
    assert all(finding.seen.startswith("Could not tell") for finding in found), found


def test_nobody_but_the_given_server_is_asked(ask: Ask) -> None:
    """checkdmarc looks an explanation up elsewhere, pyspf everything, and a cache would answer for another server."""
    zone = record("v=spf1 ip4:192.0.2.25 exp=why.example -all", why="because")
    assert severities(looked_at(ask, zone)) == {"domain.spf.record": "ok", "domain.spf.sender": "ok"}
    without = {name: values for name, values in zone.items() if name != "why.example TXT"}
    assert "domain.spf.remark" in severities(looked_at(ask, without))


@pytest.mark.parametrize(("explicit", "severity"), [(True, "fail"), (False, "warn")])
def test_a_host_that_may_only_take_mail_in_is_no_failure(ask: Ask, explicit: bool, severity: str) -> None:
    found = looked_at(ask, record("v=spf1 ip4:192.0.2.9 -all"), explicit=explicit)
    assert the(found, "domain.spf.sender").severity == severity


def test_an_ipv6_sender(ask: Ask) -> None:
    found = looked_at(ask, record("v=spf1 ip6:2001:db8::/32 -all"), sender="2001:db8::25")
    assert severities(found) == {"domain.spf.record": "ok", "domain.spf.sender": "ok"}


def test_a_domain_without_a_record_gets_one_to_paste(ask: Ask) -> None:
    paste = the(looked_at(ask, {}), "domain.spf.record").paste
    assert paste == f'{D}. IN TXT "v=spf1 ip4:{SENDER} ~all"'
