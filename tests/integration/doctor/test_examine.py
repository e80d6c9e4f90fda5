"""All four groups at once: within the time, and with findings whatever comes."""

from __future__ import annotations

import re
import sys
import threading
import time
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_optout.doctor import examine as module
from flask_optout.doctor import resolver
from flask_optout.doctor.case import Case
from flask_optout.doctor.domain import check_domain
from flask_optout.doctor.examine import check_message, examine
from flask_optout.doctor.finding import Severity, tell
from flask_optout.doctor.report import Report
from flask_optout.doctor.resolver import Resolver
from tests.conftest import MakeHost
from tests.support.dns_server import SILENCE, Nameserver, Zone
from tests.support.findings import ids, not_well
from tests.support.hosts import Host, Mailbox, free_port
from tests.support.samples import PREFIX, SETTINGS, eml
from tools.doctor_demo import ZONE, looked_at

pytestmark = pytest.mark.long

D = "invite.example"
#: Seconds. The manual says 20, which a busy machine may miss; what has no end takes far longer.
LONGEST = 60


@pytest.fixture
def host(make: MakeHost) -> Host:
    """A host whose deployed app is not there, so that nothing is asked of the Internet."""
    return make(OPTOUT_BASE_URL=f"https://127.0.0.1:{free_port()}")


def of(case: Case, server: Nameserver) -> Case:
    return Case(
        author=case.author,
        bounce=case.author,
        selectors=[("s1", D)],
        sending_host="192.0.2.25",
        nameserver=server.address,
    )


def record(text: str | list[bytes]) -> Zone:
    return {f"{D} TXT": [text], f"_dmarc.{D} TXT": [text], f"s1._domainkey.{D} TXT": [text]}


def includes(prefix: str) -> str:
    return "v=spf1 " + " ".join(f"include:{prefix}{number}.example" for number in range(10)) + " -all"


HOSTILE: dict[str, Zone] = {
    "an include of itself": record(f"v=spf1 include:{D} redirect={D}"),
    "a tree of includes without end": {**record(includes("a")), "* TXT": [includes("b")]},
    "a chain of includes": {
        **record("v=spf1 include:n0.example -all"),
        **{f"n{n}.example TXT": [f"v=spf1 include:n{n + 1}.example -all"] for n in range(400)},
    },
    "10 kB": record("v=spf1 " + "a:x.example " * 900 + "-all"),
    "10 kB of spaces": record("v=spf1" + " " * 10_000 + "x"),
    "10 kB of DMARC": record("v=DMARC1; p=none; " + "rua=mailto:a@b.example; x=1;" * 400),
    "10 kB of reports": record("v=DMARC1; p=none; rua=" + ",".join(f"mailto:a@n{n}.test" for n in range(600))),
    "10 kB of a key": record("v=DKIM1; p=" + "A" * 10_000),
    "1000 strings": record([b"v=spf1 "] + [b"ip4:192.0.2.1 "] * 1_000),
    "1000 empty strings": record([b""] * 1_000),
    "1000 records": {f"{D} TXT": [f"v=spf1 ip4:192.0.2.{n % 250} {n}" for n in range(1_000)]},
    "not ASCII": record("v=spf1 include:é.example exists:%{ü} ~all"),
    "not UTF-8": record([b"v=spf1 \xff\xfe\x00 -all"]),
    "names that are none": record("v=spf1 a:..x a:" + "x" * 300 + ".example mx:. ptr:-.example -all"),
    "a storm of names that do not exist": record("v=spf1 " + " ".join(f"exists:n{n}.test" for n in range(400))),
    "macros that do not end": record("v=spf1 " + "%{" * 3_000),
    "MX without end": {**record("v=spf1 mx -all"), f"{D} MX": [f"{n} m{n}.example." for n in range(1_000)]},
    "escapes for a terminal": record("v=spf1 \x1b[2J\x07\u202e -all"),
    "a server that says nothing": record(SILENCE),
    "silence behind every include": {
        **record(includes("a")),
        **{f"a{n}.example TXT": [SILENCE] for n in range(10)},
        f"_dmarc.{D} TXT": [SILENCE],
        f"{D} MX": [SILENCE],
        "25.2.0.192.in-addr.arpa PTR": [SILENCE],
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_zone_ends_in_findings_in_time(
    host: Host, nameserver: Nameserver, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(resolver, "SECONDS_PER_QUESTION", 0.5)
    nameserver.zone = dict(HOSTILE[name])
    started = time.monotonic()
    report = examined(host, of(Case(author=D), nameserver))
    assert time.monotonic() - started < LONGEST
    found = [finding for finding in report.findings if finding.group == "domain"]
    assert any(finding.severity in (Severity.FAIL, Severity.WARN, Severity.UNKNOWN) for finding in found)
    assert not any(id.endswith("trouble.unknown") for id in ids(found))
    for finding in found:
        for text in (finding.seen, finding.paste, *finding.details):
            assert text.replace("\n", "").isprintable()


def examined(host: Host, case: Case, **options: Any) -> Report:
    groups = examine(host.app.extensions["optout"], case, **{"offline": False, **options})
    return Report.of(case.author, groups)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=255), min_size=1, max_size=4), st.sampled_from([b"v=spf1 ", b"v=DMARC1;", b""]))
def test_whatever_bytes_a_zone_holds(nameserver: Nameserver, strings: list[bytes], start: bytes) -> None:
    nameserver.zone = dict(record([start + strings[0][: 255 - len(start)], *strings[1:]]))
    case = of(Case(author=D), nameserver)
    assert list(check_domain(case, Resolver(time.monotonic() + 10, case.nameserver)))


SPOILT: dict[str, bytes] = {
    "nested without end": eml(
        "".join(f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(3_000)),
        Content_Type="multipart/mixed; boundary=b0",
    ),
    "10000 parts": eml(
        "--b\r\nContent-Type: text/html\r\n\r\n<a>\r\n" * 10_000, Content_Type="multipart/mixed; boundary=b"
    ),
    "a charset that is none": eml(Content_Type="text/plain; charset=x\x00y"),
    "open tags": eml("<a " * 200_000, Content_Type="text/html"),
    "open comments": eml("<!--" * 100_000, Content_Type="text/html"),
    "rules without end": eml(
        "<style>" + "a{color:red}" * 20_000 + "</style>" + "<a>x</a>" * 20_000, Content_Type="text/html"
    ),
    "elements in elements": eml("<div>" * 90_000 + "<a href=x>x", Content_Type="text/html"),
    "selectors of selectors": eml(
        "<style>" + "* * * * a{color:red}" * 3_000 + "</style>" + "<div>" * 200 + "<a>x</a>" * 3_000,
        Content_Type="text/html",
    ),
    "colours of nothing": eml(
        "<p style='color:;background:url(;font:/;font-size:1e999px'>" * 5_000, Content_Type="text/html"
    ),
    "verdicts without end": eml(Authentication_Results="mx.example; " + "dkim=pass header.d=x.example; " * 2_000),
    "brackets in a verdict": eml(Authentication_Results="(" * 20_000),
    "less than": eml("<" * 300_000, Content_Type="text/html"),
    "base64 that is none": eml("=" * 1_000, Content_Transfer_Encoding="base64"),
    "a list of 10000 people": eml(To=", ".join("a@b.example" for _ in range(5_000))),
    "brackets in To": eml(To="(" * 20_000),
    "quotes in To": eml(To='"' * 20_001),
    "brackets in List-Unsubscribe": eml(List_Unsubscribe="<" * 50_000),
    "a signature of spaces": eml(DKIM_Signature="b=" + " " * 50_000 + "!"),
    "many signatures": eml(
        DKIM_Signature="\r\nDKIM-Signature: ".join(["v=1; a=rsa-sha256; b=A; d=x.example; s=s"] * 500)
    ),
    "a signature of folds": eml(DKIM_Signature="v=1; b=" + "\r\n " * 10_000 + "A"),
    "a signature of 3000 blanks": eml(DKIM_Signature=("v=1; b=" + "A \t" * 900 + "!")),
    "a body of blanks": eml(" " * 1_000_000 + "x"),
    "a body of line ends": eml("\r\n" * 900_000 + "x"),
    "a List-Id of dots": eml(List_Id="<" + "a." * 40_000),
    "an address of quotes": eml(From="\\" * 20_000 + "@b.example"),
    "a signature of nothing": eml(DKIM_Signature=";;;===;;"),
    "a domain of nothing": eml(From="@", Return_Path="<>"),
    "folded for ever": eml(Subject="x" + "\r\n " * 20_000 + "y"),
    "all octets": bytes(range(256)) * 1_000,
    "25 MB of carriage returns": b"\r" * 24_999_999,
    "25 MB of blanks": b" " * 24_999_999,
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_hostile_message_ends_in_findings_in_time(host: Host, nameserver: Nameserver, name: str) -> None:
    nameserver.zone = {}
    started = time.monotonic()
    case = replace(Case.of(host.app.config, message=SPOILT[name]), nameserver=nameserver.address)
    found = ids(examined(host, case).findings)
    assert time.monotonic() - started < LONGEST
    assert any(id.startswith("message.") for id in found)
    assert not any(id.endswith("trouble.unknown") for id in found)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=200))
def test_whatever_bytes_a_message_holds(head: bytes, body: bytes) -> None:
    for raw in (head, b"From: a@b.example\r\n" + head + b"\r\n\r\n" + body):
        assert list(check_message(Case.of(SETTINGS, message=raw), PREFIX))


def test_a_group_that_breaks_or_does_not_end_says_so(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> Any:
        yield tell("domain.dkim.selector")
        raise KeyError("secret")

    over = threading.Event()

    def lasts(*_: object) -> Any:
        yield tell("doors.headers")
        over.wait(60)

    monkeypatch.setattr(module, "SECONDS", 2.0)
    monkeypatch.setattr(module, "_check_domain", breaks)
    monkeypatch.setattr(module, "_check_doors", lasts)
    report = examined(host, Case())
    over.set()
    assert {
        "domain.dkim.selector",
        "domain.trouble.unknown",
        "doors.headers",
        "doors.time.unknown",
    } <= ids(report.findings)
    assert not any("secret" in finding.seen for finding in report.findings)


@pytest.mark.parametrize("same_key", [True, False])
def test_a_link_of_another_key_is_not_taken_for_ours(make: MakeHost, smtp: Mailbox, same_key: bool) -> None:
    sender = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with sender.app.app_context():
        sender.mail.send(sender.invitation())
    sample = smtp.received[0].raw
    if not same_key:
        sample = re.sub(
            rb"(/one-click/[a-z2-7]{9})([a-z2-7])", lambda m: m[1] + (b"y" if m[2] == b"x" else b"x"), sample
        )
    found = ids(examined(sender, Case.of(sender.app.config, message=sample), offline=True).findings)
    assert ("message.list-unsubscribe" in found) is same_key
    assert ("message.list-unsubscribe.other-key" in found) is not same_key


def test_offline_asks_nobody(host: Host, nameserver: Nameserver) -> None:
    nameserver.asked.clear()
    case = replace(Case.of(host.app.config, message=eml()), nameserver=nameserver.address)
    found = ids(examined(host, case, offline=True).findings)
    assert {"domain.offline", "doors.offline", "message.offline"} <= found
    assert nameserver.asked == []


def test_without_the_extra_the_rest_still_runs(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name for name in sys.modules if name.startswith("flask_optout.doctor.") and not name.endswith("finding")]
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    for name in ("authres", "checkdmarc", "cssselect2", "dkim", "dns", "lxml", "spf", "tinycss2"):
        monkeypatch.setitem(sys.modules, name, None)
    state, case = host.app.extensions["optout"], Case.of(host.app.config, message=eml())
    groups = import_module("flask_optout.doctor.examine").examine(state, case, offline=False)
    found = ids(groups)
    assert {"domain.extra", "message.extra", "setup.store", "message.list-id", "doors.unreachable"} <= found


def test_the_sample_domains_of_the_demo(nameserver: Nameserver) -> None:
    nameserver.zone = dict(ZONE)
    broken, mended = looked_at("broken.example", nameserver), looked_at("mended.example", nameserver)
    assert not_well(broken.findings) == {
        "domain.spf.several",
        "domain.dkim.short",
        "domain.dmarc.removed",
        "domain.dmarc.unenforced",
    }
    assert not_well(mended.findings) == set()
