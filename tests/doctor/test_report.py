"""The report as text and as JSON."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flask_optout.doctor.examine import Report
from flask_optout.doctor.finding import Finding, Severity, ok
from flask_optout.doctor.report import Progress, as_json, lines, write
from flask_optout.doctor.spf import ERRORS

ROOT = Path(__file__).parents[2]
MANUAL = ROOT / "docs" / "doctor.md"
REPORT = Report(
    "invite.example",
    [
        ok("setup.keys", "OPTOUT_KEYS holds 1 key."),
        Finding(
            "domain.spf.lookups",
            Severity.FAIL,
            "Too many [bold]look-ups[/bold].",
            "Because.",
            "Publish this.",
            "RFC 7208 section 4.6.4",
            ("invite.example", "└─ mx"),
            'invite.example. IN TXT "v=spf1 ' + "ip4:192.0.2.1 " * 20 + '-all"',
        ),
    ],
)


def test_the_json_is_as_the_manual_says() -> None:
    said = json.loads(as_json(REPORT))
    assert said["version"] == 1
    assert said["exit_status"] == 1
    assert said["counts"] == {"ok": 1, "note": 0, "warn": 0, "fail": 1}
    manual = MANUAL.read_text()
    [example] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", manual, re.DOTALL)]
    assert example.keys() == said.keys()
    assert example["findings"][0].keys() == said["findings"][0].keys()
    for name in (*said, *said["findings"][0]):
        assert f"`{name}`" in manual


def test_the_demo_shows_a_broken_domain_and_a_mended_one() -> None:
    [command] = re.findall(r"^```shell\n(.*)\n```$", MANUAL.read_text(), re.MULTILINE)
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m ")
    said = subprocess.run(
        [sys.executable, "-m", shlex.split(command)[-1]], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    assert "takes 14 look-ups in DNS, and may take 10" in said
    assert "3 fail, 1 warn, 1 note, 4 ok" in said
    assert "0 fail, 0 warn, 0 note, 7 ok" in said


def test_the_manual_has_every_id() -> None:
    code = "".join(path.read_text() for path in (ROOT / "flask_optout" / "doctor").glob("*.py"))
    ids = set(re.findall(r'"((?:setup|domain|message|doors)(?:\.[a-z0-9-]+)+)"', code))
    ids |= {f"domain.spf.{row[1]}" for row in ERRORS}
    assert len(ids) > 50
    assert {id for id in ids if f"`{id}`" not in MANUAL.read_text()} == set()


def test_the_text_breaks_sentences_and_never_what_is_to_be_pasted() -> None:
    text = [line for _, line in lines(REPORT, 60)]
    assert "Sending domain: invite.example" in text
    assert any(line.endswith('-all"') and "v=spf1" in line for line in text)
    assert text[-1] == "1 fail, 0 warn, 0 note, 1 ok"


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


@pytest.mark.parametrize("rich", [True, False])
def test_on_a_terminal_it_has_colours_where_rich_is_installed(rich: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not rich:
        monkeypatch.setitem(__import__("sys").modules, "rich.console", None)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    said = on_terminal()
    assert ("\x1b[1;31m" in said) is rich
    assert "[bold]look-ups[/bold]" in said
    assert "\x1b[KLooking at: set-up, sending domain" in said


def on_terminal() -> str:
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as out:
        with Progress(out) as progress:
            progress.done("setup")
        write(REPORT, out)
    said = b""
    while True:
        try:
            said += os.read(controller, 65_536)
        except OSError:
            break
    os.close(controller)
    return said.decode()
