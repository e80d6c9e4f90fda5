"""SPF, line by line of RFC 7208."""

from __future__ import annotations

import pytest

from flask_optout.doctor.finding import Finding, attempt
from flask_optout.doctor.spf import check_spf
from tests.support.dns_server import SERVFAIL, SILENCE, Zone
from tests.support.findings import ids, the
from tests.support.zones import Ask

SENDER = "192.0.2.25"
D = "invite.example"


def looked_at(ask: Ask, zone: Zone, sender: str = SENDER, explicit: bool = True) -> list[Finding]:
    return list(attempt("domain.spf", check_spf(ask(zone), D, [sender], explicit)))


def record(*terms: str, **others: str) -> Zone:
    """A domain with this record, and names with one each."""
    zone = {f"{name.replace('_', '.')}.example TXT": [text] for name, text in others.items()}
    return {f"{D} TXT": [" ".join(terms)], **zone}


ELEVEN = {f"n{number}": "v=spf1 -all" for number in range(1, 12)}
INCLUDES = [f"include:n{number}.example" for number in range(1, 12)]
WELL = {"domain.spf.record", "domain.spf.sender"}


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        # Section 4.5: which record it is.
        (record("v=spf1 ip4:192.0.2.0/24 -all"), WELL),
        (record("V=SPF1 IP4:192.0.2.25 -ALL"), WELL),
        ({f"{D} TXT": [[b"v=spf1 ip4:192.", b"0.2.25 -all"]]}, WELL),
        (record(" v=spf1 ip4:192.0.2.25 -all"), {"domain.spf.flawed"}),
        (record("v=spf10 ip4:192.0.2.25 -all"), {"domain.spf.flawed"}),
        (record("v=spf1;ip4:192.0.2.25 -all"), {"domain.spf.flawed"}),
        ({f"{D} TXT": ["v=spf1 ip4:192.0.2.25 -all", " v=spf1 mx -all"]}, WELL | {"domain.spf.unread"}),
        ({f"{D} TXT": ["v=spf1 ip4:192.0.2.25 -all", '"v=spf1 mx -all"']}, WELL | {"domain.spf.unread"}),
        ({f"{D} TXT": ["v=spf1 ip4:192.0.2.25 -all", "v=spf2.0 mx -all"]}, WELL),
        (record("spf2.0/pra ip4:192.0.2.25 -all"), {"domain.spf.none"}),
        ({f"{D} TXT": ["another text"]}, {"domain.spf.none"}),
        ({f"{D} MX": ["10 mx.example."]}, {"domain.spf.none"}),
        ({}, {"domain.spf.none"}),
        # Section 4.6.4: 10 look-ups and 2 void ones; a limit that only other senders meet is a warning.
        (record("v=spf1", "ip4:192.0.2.25", *INCLUDES[:10], "-all", **ELEVEN), WELL),
        (record("v=spf1", *INCLUDES, "ip4:192.0.2.25", "-all", **ELEVEN), {"domain.spf.lookups"}),
        (
            record("v=spf1", "ip4:192.0.2.25", *INCLUDES, "-all", **ELEVEN),
            {"domain.spf.some", "domain.spf.sender"},
        ),
        (record("v=spf1 ip4:192.0.2.25 a:x.example a:y.example -all"), WELL),
        (record("v=spf1 a:x.example a:y.example a:z.example ip4:192.0.2.25 -all"), {"domain.spf.void"}),
        (
            record("v=spf1 ip4:192.0.2.25 a:x.example a:y.example a:z.example -all"),
            {"domain.spf.some", "domain.spf.sender"},
        ),
        (
            {
                **record("v=spf1 mx -all"),
                f"{D} MX": [f"10 mx{number}.example." for number in range(11)],
                "* A": ["192.0.2.9"],
            },
            {"domain.spf.lookups"},
        ),
        # Section 5.5: ptr should not be used.
        (
            {**record("v=spf1 ip4:192.0.2.25 ptr -all"), f"{D} A": ["192.0.2.9"]},
            WELL | {"domain.spf.ptr"},
        ),
        # Sections 5.1 and 6.1: all, and redirect.
        (record("v=spf1 +all"), WELL | {"domain.spf.open"}),
        (record("v=spf1 all"), WELL | {"domain.spf.open"}),
        (record("v=spf1 ip4:192.0.2.25 ?all"), WELL | {"domain.spf.all"}),
        (record("v=spf1 ip4:192.0.2.25"), WELL | {"domain.spf.all"}),
        (record("v=spf1 ip4:0.0.0.0/0 -all"), WELL | {"domain.spf.open"}),
        (record("v=spf1 include:n.example -all", n="v=spf1 +all"), WELL | {"domain.spf.open"}),
        (record("v=spf1 redirect=n.example", n="v=spf1 ip4:192.0.2.25 -all"), WELL),
        (record("v=spf1 redirect=n.example", n="v=spf1 +all"), WELL | {"domain.spf.open"}),
        (record("v=spf1 ip4:192.0.2.25 redirect=n.example", n="v=spf1 ?all"), WELL | {"domain.spf.all"}),
        (record("v=spf1 ip4:192.0.2.25 -all redirect=gone.example"), WELL),
        (record("v=spf1 redirect=gone.example"), {"domain.spf.include"}),
        # Section 7: macros, upper case too; what depends on the message is no mistake.
        (record("v=spf1 ip4:192.0.2.25 exists:%{I}.%{d2}.example -all"), WELL),
        (record("v=spf1 exists:%{q}.example -all"), {"domain.spf.syntax"}),
        (record("v=spf1 exists:%{l}.u.example -all"), {"domain.spf.record", "domain.spf.unknown"}),
        (record("v=spf1 exists:%{i}.%{h}.e.example ~all"), {"domain.spf.record", "domain.spf.unknown"}),
        # Section 6: a modifier that nobody knows is passed over.
        (record("v=spf1 ip4=192.0.2.25 -all"), {"domain.spf.record", "domain.spf.refused"}),
        (record("v=spf1 ip4:192.0.2.25 ra=postmaster rp=10 -all"), WELL),
        # Section 12: syntax, also behind the term that the sender matches.
        (record("v=spf1 ip4:192.0.2.256 -all"), {"domain.spf.syntax"}),
        (record("v=spf1 ipv4:192.0.2.25 -all"), {"domain.spf.syntax"}),
        (record("v=spf1 ip4:192.0.2.25~all"), {"domain.spf.syntax"}),
        (record("v=spf1 a:192.0.2.25 -all"), {"domain.spf.syntax"}),
        (record("v=spf1 ip4:192.0.2.0/24 -all moo"), {"domain.spf.syntax"}),
        (record("v=spf1 ip4:192.0.2.0/24, -all"), {"domain.spf.syntax"}),
        (record("v=spf1 ip4:192.0.2.0/33 -all"), {"domain.spf.syntax"}),
        (record("v=spf1 ip4:192.0.2.25 -all:x"), {"domain.spf.syntax"}),
        (record("v=spf1 ip4:192.0.2.25 redirect=a.example redirect=b.example"), {"domain.spf.syntax"}),
        # Strings are joined without a blank (section 3.3).
        ({f"{D} TXT": [[b"v=spf1 ip4:192.0.2.25", b"include:n1.example -all"]]}, {"domain.spf.syntax"}),
        ({f"{D} TXT": [[b"v=spf1", b"ip4:192.0.2.25 -all"]]}, {"domain.spf.flawed"}),
        # Section 5.2: includes that lead nowhere, or back.
        (record("v=spf1 include:gone.example -all"), {"domain.spf.include"}),
        (record(f"v=spf1 include:{D} -all"), {"domain.spf.include"}),
        (
            record("v=spf1 include:a.example -all", a="v=spf1 include:b.example -all", b="v=spf1 moo"),
            {"domain.spf.syntax"},
        ),
        (record("v=spf1 include:a.example -all", a="v=spf1 include:a.example -all"), {"domain.spf.include"}),
        # Section 2.6: the verdict on the sending host.
        (record("v=spf1 ip4:192.0.2.9 -all"), {"domain.spf.record", "domain.spf.refused"}),
        (record("v=spf1 ip4:192.0.2.9 ~all"), {"domain.spf.record", "domain.spf.refused"}),
        # What is meant for SPF and is not read as it: section 4.5, and the hands of those who type it in.
        (record('"v=spf1 ip4:192.0.2.25 -all"'), {"domain.spf.flawed"}),
    ],
)
def test_each_line_of_the_standard(ask: Ask, zone: Zone, expected: set[str]) -> None:
    assert ids(looked_at(ask, zone)) == expected


@pytest.mark.parametrize(
    ("text", "record"),
    [
        (" v=spf1 ip4:192.0.2.25 -all", "v=spf1 ip4:192.0.2.25 -all"),
        ('"v=spf1 ip4:192.0.2.25 -all"', "v=spf1 ip4:192.0.2.25 -all"),
        ("v=spf1ip4:192.0.2.25 -all", "v=spf1 ip4:192.0.2.25 -all"),
    ],
)
def test_a_flawed_record_is_shown_as_found_and_mended(ask: Ask, text: str, record: str) -> None:
    finding = the(looked_at(ask, {f"{D} TXT": [text]}), "domain.spf.flawed")
    assert finding.details == (text,)
    assert finding.paste == f'{D}. IN TXT "{record}"'


def test_the_reason_is_that_of_the_evaluation(ask: Ask) -> None:
    finding = the(looked_at(ask, record("v=spf1 ip4:192.0.2.0/24 -all moo")), "domain.spf.syntax")
    assert "moo" in finding.seen


def test_it_is_said_whose_record_is_wrong(ask: Ask) -> None:
    zone = record("v=spf1 include:esp.example -all", esp="v=spf1 ip4:192.0.2.0/24 moo -all")
    finding = the(looked_at(ask, zone, sender="198.51.100.1"), "domain.spf.syntax")
    assert f"The SPF record of esp.example, which that of {D} leads to," in finding.seen
    assert "v=spf1 ip4:192.0.2.0/24 moo -all" in finding.mend


@pytest.mark.parametrize("senders", [[], [SENDER]])
def test_the_syntax_is_asked_for_whether_the_sender_is_known_or_not(ask: Ask, senders: list[str]) -> None:
    zone = record("v=spf1 ip4:192.0.2.0/24 -all moo")
    assert ids(check_spf(ask(zone), D, senders, True)) == {"domain.spf.syntax"}


def test_an_include_that_depends_on_the_sender_is_no_mistake_while_nobody_knows_the_sender(ask: Ask) -> None:
    zone = record("v=spf1 include:%{ir}.%{v}.%{d}.hosted.example ~all")
    assert ids(attempt("domain.spf", check_spf(ask(zone), D, [], False))) == {"domain.spf.unknown"}


def test_what_a_record_redirects_to_is_included_where_it_is_merged(ask: Ask) -> None:
    zone = {
        f"{D} TXT": ["v=spf1 redirect=n.example", "v=spf1 mx -all"],
        "n.example TXT": [f"v=spf1 ip4:{SENDER} -all"],
    }
    zone |= {f"{D} MX": ["1 x.example."], "x.example A": ["192.0.2.9"]}
    finding = the(looked_at(ask, zone), "domain.spf.several")
    assert finding.paste == f'{D}. IN TXT "v=spf1 mx include:n.example ~all"'


def test_an_open_record_is_not_offered_again(ask: Ask) -> None:
    zone = record("v=spf1 include:n.example", n="v=spf1 +all")
    assert the(looked_at(ask, zone), "domain.spf.open").paste == ""


@pytest.mark.parametrize(("zone", "id"), [({}, "none"), (record("v=spf1", *INCLUDES, "-all", **ELEVEN), "lookups")])
def test_a_relay_is_not_offered_as_the_sender(ask: Ask, zone: Zone, id: str) -> None:
    assert the(looked_at(ask, zone, explicit=False), f"domain.spf.{id}").paste == ""


def test_several_records_are_replaced_by_one(ask: Ask) -> None:
    zone = {f"{D} TXT": ["v=spf1 ip4:192.0.2.1 -all", "v=spf1 ip4:192.0.2.25 ip4:192.0.2.1 -all", "other"]}
    finding = the(looked_at(ask, zone), "domain.spf.several")
    assert finding.paste == f'{D}. IN TXT "v=spf1 ip4:192.0.2.1 ip4:192.0.2.25 ~all"'
    assert ids(looked_at(ask, {f"{D} TXT": [finding.paste.split('"')[1]]})) == WELL


def test_a_second_record_that_is_not_read_is_merged_with_the_one_that_is(ask: Ask) -> None:
    zone = {f"{D} TXT": ["v=spf1 ip4:192.0.2.25 -all", '"v=spf1 ip4:192.0.2.1 -all"']}
    finding = the(looked_at(ask, zone), "domain.spf.unread")
    assert finding.details == ('"v=spf1 ip4:192.0.2.1 -all"',)
    assert finding.paste == f'{D}. IN TXT "v=spf1 ip4:192.0.2.25 ip4:192.0.2.1 ~all"'


@pytest.mark.parametrize(
    ("texts", "end", "record"),
    [
        ([" v=spf1 mx -all", '"v=spf1 a -all"'], "flawed", "v=spf1 mx a ~all"),
        (['"v=spf1 a -all"', '"v=spf1 mx -all"'], "flawed", "v=spf1 a mx ~all"),
        (
            ["v=spf1 a -all", " v=spf1 mx -all", '"v=spf1 ip4:192.0.2.1 -all"'],
            "unread",
            "v=spf1 a mx ip4:192.0.2.1 ~all",
        ),
        (["v=spf10 ip4:192.0.2.1 -all", '"v=spf1 mx -all"'], "flawed", ""),
    ],
)
def test_all_records_that_are_not_read_become_one(ask: Ask, texts: list[str], end: str, record: str) -> None:
    zone = {f"{D} TXT": texts, f"{D} A": [SENDER], f"{D} MX": [f"1 {D}."]}
    [finding] = [found for found in looked_at(ask, zone) if found.id == f"domain.spf.{end}"]
    assert finding.paste == (f'{D}. IN TXT "{record}"' if record else "")
    assert set(finding.details) == set(texts) - {"v=spf1 a -all"}


def test_records_that_break_a_limit_together_are_not_merged(ask: Ask) -> None:
    zone = {
        f"{D} TXT": ["v=spf1 " + " ".join(INCLUDES[:7]) + " -all", "v=spf1 " + " ".join(INCLUDES[4:]) + " -all"],
        **{f"{name}.example TXT": [text] for name, text in ELEVEN.items()},
    }
    finding = the(looked_at(ask, zone), "domain.spf.several")
    assert finding.paste == ""
    assert "would take 11 look-ups, and may take 10" in finding.mend
    assert any("n4.example" in line for line in finding.details)


def test_a_long_record_is_pasted_in_strings_that_fit(ask: Ask) -> None:
    blocks = [f"ip4:198.51.100.{number}" for number in range(40)]
    finding = the(looked_at(ask, record("v=spf1", "ip4:192.0.2.25", *blocks)), "domain.spf.all")
    strings = finding.paste.partition(" IN TXT ")[2].split('" "')
    assert len(strings) > 1
    assert max(len(string.strip('"')) for string in strings) <= 255
    zone: Zone = {f"{D} TXT": [[string.strip('"').encode() for string in strings]]}
    assert ids(looked_at(ask, zone)) == WELL


def test_the_tree_names_the_branches_that_spend_the_look_ups(ask: Ask) -> None:
    zone = record(
        "v=spf1 include:a.example mx -all a:behind.example", a="v=spf1 include:b.example a -all", b="v=spf1 -all"
    )
    finding = the(looked_at(ask, {**zone, f"{D} MX": ["1 x.example."], "* A": ["192.0.2.9"]}), "domain.spf.record")
    assert finding.details == (
        f"[4] {D}: v=spf1 include:a.example mx -all a:behind.example",
        "  [2] a.example: v=spf1 include:b.example a -all",
        "    [0] b.example: v=spf1 -all",
    )


def test_a_redirect_stands_beside_the_record_that_it_takes_the_place_of(ask: Ask) -> None:
    zone = record("v=spf1 redirect=a.example", a="v=spf1 include:b.example -all", b=f"v=spf1 ip4:{SENDER} -all")
    assert the(looked_at(ask, zone), "domain.spf.record").details == (
        f"[2] {D}: v=spf1 redirect=a.example",
        "[1] a.example: v=spf1 include:b.example -all",
        f"  [0] b.example: v=spf1 ip4:{SENDER} -all",
    )


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
    troubled = {name: [trouble if value == "trouble" else value for value in values] for name, values in zone.items()}
    assert ids(looked_at(ask, troubled)) == {"domain.spf.unknown"}


def test_a_host_that_may_only_take_mail_in_is_no_failure(ask: Ask) -> None:
    zone = record("v=spf1 ip4:192.0.2.9 -all")
    assert ids(looked_at(ask, zone, explicit=False)) == {"domain.spf.record", "domain.spf.sender.unknown"}


def test_an_ipv6_sender(ask: Ask) -> None:
    assert ids(looked_at(ask, record("v=spf1 ip6:2001:db8::/32 -all"), sender="2001:db8::25")) == WELL


def test_a_domain_without_a_record_gets_one_to_paste(ask: Ask) -> None:
    assert the(looked_at(ask, {}), "domain.spf.none").paste == f'{D}. IN TXT "v=spf1 ip4:{SENDER} ~all"'


def test_an_error_that_only_the_sender_meets_is_told(ask: Ask) -> None:
    zone = {**record(f"v=spf1 exists:%{{i}}.{D} include:gone.example -all"), f"240.0.0.1.{D} A": ["127.0.0.2"]}
    finding = the(looked_at(ask, zone), "domain.spf.broken")
    assert SENDER in finding.seen
    assert "gone.example" in finding.seen
    of_a_relay = ids(looked_at(ask, zone, explicit=False))
    assert "domain.spf.sender.unknown" in of_a_relay
    assert "domain.spf.broken" not in of_a_relay
