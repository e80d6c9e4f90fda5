"""After SIGKILL at any point nobody whose 200 had left is invited, and no choice is half written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.crashes import MARKS
from tests.support.databases import Database
from tests.support.hosts import Mailbox

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


def test_killed_at_each_marked_point_and_restarted(database: Database, smtp: Mailbox, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.support.crashes",
        str(tmp_path),
        database.uri,
        str(smtp.port),
        str(len(MARKS)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["mark"] for report in reports] == [mark.name for mark in MARKS], done.stderr
    for report in reports:
        assert report["killed"], report["mark"]
        assert report["rows"] == int(report["muted"])
        assert report["muted"] or report["said"] == ""
        assert len(smtp.to(report["person"])) == int(not report["muted"])
    assert {report["said"] for report in reports} == {"", "200"}
    assert {report["muted"] for report in reports} == {True, False}
