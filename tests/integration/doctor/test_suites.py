"""The command that holds the doctor against public suites, run on suites that are written here in their form."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.doctor_suites import main, zone_of

SUITE = """
description: Mistakes that are found wherever they stand
tests:
  sound: {mailfrom: a@sound.example, host: 192.0.2.1, helo: h.example, result: pass}
  softfail: {mailfrom: a@sound.example, host: 192.0.2.9, helo: h.example, result: softfail}
  none: {mailfrom: a@nothing.example, host: 192.0.2.1, helo: h.example, result: none}
  behind-the-match: {mailfrom: a@behind.example, host: 192.0.2.1, helo: h.example, result: permerror}
  address-as-name: {mailfrom: a@name.example, host: 192.0.2.1, helo: h.example, result: permerror}
  two-records: {mailfrom: a@two.example, host: 192.0.2.1, helo: h.example, result: permerror}
  joined-strings: {mailfrom: a@joined.example, host: 192.0.2.1, helo: h.example, result: [pass, neutral]}
  empty-string: {mailfrom: a@empty.example, host: 192.0.2.1, helo: h.example, result: pass}
  silent: {mailfrom: a@silent.example, host: 192.0.2.1, helo: h.example, result: temperror}
  by-mx: {mailfrom: a@mx.example, host: 192.0.2.7, helo: h.example, result: pass}
  by-ptr: {mailfrom: a@ptr.example, host: 192.0.2.7, helo: h.example, result: pass}
  by-alias: {mailfrom: a@alias.example, host: 192.0.2.7, helo: h.example, result: pass}
  spaces-in-names: {mailfrom: a@spaces.example, host: 192.0.2.1, helo: h.example, result: pass}
  ipv6: {mailfrom: a@six.example, host: "2001:db8::7", helo: h.example, result: pass}
  by-local-part: {mailfrom: jane@local.example, host: 192.0.2.1, helo: h.example, result: pass}
  helo-alone: {mailfrom: "", host: 192.0.2.1, helo: sound.example, result: pass}
zonedata:
  sound.example: [{SPF: "v=spf1 ip4:192.0.2.1 ~all"}]
  nothing.example: [{SPF: "v=spf10"}, {A: 192.0.2.1}]
  behind.example: [{SPF: "v=spf1 ip4:192.0.2.0/24 -all moo"}]
  name.example: [{SPF: "v=spf1 a:192.0.2.1 -all"}]
  two.example: [{SPF: "v=spf1 -all"}, {SPF: "v=spf1 +all"}]
  joined.example: [{SPF: ["v=spf1 ip4:192.", "0.2.1 -all"]}, {TXT: ["v=spf1 ip4:192.", "0.2.1 -all"]}]
  empty.example: [{SPF: "v=spf1 ip4:192.0.2.1 -all"}, {TXT: "v=spf1 ip4:192.0.2.1 -all"}, {TXT: []}]
  silent.example: [{SPF: "v=spf1 -all"}, {TXT: NONE}, TIMEOUT]
  mx.example: [{SPF: "v=spf1 mx -all"}, {MX: [10, out.example]}, {MX: [0, ""]}]
  ptr.example: [{SPF: "v=spf1 ptr -all"}]
  7.2.0.192.in-addr.arpa: [{PTR: out.ptr.example}, {PTR: ""}]
  out.ptr.example: [{A: 192.0.2.7}]
  out.example: [{A: 192.0.2.7}]
  alias.example: [{SPF: "v=spf1 a:other.example -all"}]
  other.example: [{CNAME: out.example}]
  spaces.example: [{SPF: "v=spf1 exists:a%_b.spaces.example -all"}]
  a b.spaces.example: [{A: 127.0.0.2}]
  six.example: [{SPF: "v=spf1 a -all"}, {AAAA: "2001:db8::7"}]
  local.example: [{SPF: "v=spf1 exists:%{l}.local.example -all"}]
  jane.local.example: [{A: 127.0.0.2}]
---
description: A suite that is wrong
tests:
  wrong: {mailfrom: a@sound.example, host: 192.0.2.1, helo: h.example, result: fail}
zonedata:
  sound.example: [{SPF: "v=spf1 ip4:192.0.2.1 ~all"}]
"""


def test_the_figures_and_each_disagreement_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right, _, wrong = SUITE.partition("---\n")
    (tmp_path / "right.yml").write_text(right)
    (tmp_path / "wrong.yml").write_text(wrong)
    assert main([tmp_path / "right.yml"]) == 0
    assert capsys.readouterr().out == "right.yml: 14 agree, 0 disagree, 2 not asked\n"
    assert main([tmp_path / "right.yml", tmp_path / "wrong.yml"]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "wrong.yml: wrong: the suite says fail, the doctor pass",
        "wrong.yml: 0 agree, 1 disagree, 0 not asked",
    ]


def test_an_spf_record_stands_for_a_txt_record_unless_there_is_one() -> None:
    assert zone_of({"a.example": [{"SPF": "v=spf1 -all"}]}) == {"a.example TXT": [[b"v=spf1 -all"]]}
    assert zone_of({"a.example": [{"SPF": "v=spf1 -all"}, {"TXT": "x"}]}) == {"a.example TXT": [[b"x"]]}
    assert zone_of({"a.example": [{"SPF": "v=spf1 -all"}, {"TXT": "NONE"}]}) == {}
