"""The report as text and as JSON."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import click
import pytest

from flask_optout.doctor.finding import TEXTS, tell
from flask_optout.doctor.report import Report, as_json, format_lines, write
from tests.support.command_line import on_terminal

ROOT = Path(__file__).parents[3]
MANUAL = ROOT / "docs" / "doctor.md"
REPORT = Report.of(
    "invite.example",
    [
        tell("setup.keys", count="1 key"),
        tell(
            "domain.spf.lookups",
            ("invite.example: v=spf1 mx", "└─ mx"),
            'invite.example. IN TXT "v=spf1 ' + "ip4:192.0.2.1 " * 20 + '-all"',
            domain="[bold]invite.example[/bold]",
            lookups=14,
            reason="Too many.",
        ),
        tell("domain.mx.unknown", reason="no answer in time"),
        tell("message.none"),
        tell("setup.mail.suppressed"),
        tell("setup.keys", count="1 key"),
    ],
)


def test_the_json_is_as_the_manual_says() -> None:
    said = json.loads(as_json(REPORT))
    assert said["version"] == 1
    assert said["exit_status"] == 1
    assert said["counts"] == {"fail": 1, "warn": 1, "note": 1, "unknown": 1, "ok": 1}
    manual = MANUAL.read_text()
    [example] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", manual, re.DOTALL)]
    assert example.keys() == said.keys()
    assert example["findings"][0].keys() == said["findings"][0].keys()
    for name in (*said, *said["findings"][0]):
        assert f"`{name}`" in manual


def test_the_manual_has_every_id_with_its_severity() -> None:
    rows = dict(re.findall(r"^\| `([a-z0-9.-]+)` \| ([a-z]+) \|", MANUAL.read_text(), re.MULTILINE))
    shared = {id: TEXTS.get(id.rpartition(".")[2], {}) | texts for id, texts in TEXTS.items() if "." in id}
    assert rows == {id: texts["severity"] for id, texts in shared.items()}


def test_every_id_that_the_code_tells_has_a_text() -> None:
    code = "".join(path.read_text() for path in (ROOT / "flask_optout" / "doctor").glob("*.py"))
    told = set(re.findall(r'tell\(\s*"([a-z0-9.-]+)"', code))
    assert len(told) > 50
    assert {id for id in told if id not in TEXTS and id.rpartition(".")[2] not in TEXTS} == set()


def test_findings_are_told_once_and_the_worst_first() -> None:
    assert [finding.severity.value for finding in REPORT.findings] == ["fail", "warn", "note", "unknown", "ok"]


def test_the_text_fits_80_columns_but_for_what_is_to_be_pasted() -> None:
    text = [click.unstyle(line) for line in format_lines(REPORT)]
    assert text[0] == "invite.example:"
    assert text[-1] == "1 thing to mend, 2 to look at, 1 well, 1 could not be told"
    [wide] = [line for line in text if len(line) > 80]
    assert wide.endswith('-all"') and "v=spf1" in wide


def test_elsewhere_than_on_a_terminal_it_is_plain() -> None:
    out = io.StringIO()
    write(REPORT, out)
    assert "\x1b" not in out.getvalue()


def test_an_old_terminal_gets_what_it_can_show() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as out:
        write(REPORT, out)
        out.flush()
        assert b"?? mx" in raw.getvalue()


@click.command()
def show() -> None:
    write(REPORT, sys.stdout)


def test_on_a_terminal_it_has_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    said = on_terminal(show)
    assert "\x1b[31m\x1b[1mfail" in said
    assert "[bold]invite.example[/bold]" in said


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://no-color.org"""
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*m", on_terminal(show))
