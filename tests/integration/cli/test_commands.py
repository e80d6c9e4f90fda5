"""Every command of ``flask optout``: its exit status is what docs/cli.md says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_optout.cli.commands import optout_cli
from tests.conftest import MakeHost
from tests.support.hosts import Host, Mailbox
from tests.support.people import run

pytestmark = pytest.mark.usefixtures("minutes_over")

COMMANDS = sorted(optout_cli.commands)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run, with the files that they are given."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def deployed(make: MakeHost, smtp: Mailbox, folder: Path) -> Iterator[Host]:
    """A host with a mail server, a journal and all tables."""
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, OPTOUT_JOURNAL=str(folder / "journal"))
    with host.app.app_context():
        assert run(host, "replay", "--new")[0] == 0
        host.mail.send(host.invitation("kim@example.org"))
        yield host


FILES = {
    "mutes.csv": "email,opportunity\nkim@example.org,beta-42\n",
    "headless.csv": "kim@example.org,beta-42\n",
    "bad.csv": "email,opportunity\nnobody,beta-42\n",
}
#: Without a database, all that need one end with 1.
UNREACHABLE = (
    ["init"],
    ["init-db"],
    ["prune"],
    ["alarms"],
    ["rotate-key"],
    ["replay"],
    ["doctor", "--offline"],
    ["import", "mutes.csv", "--yes"],
    ["mute", "kim@example.org", "beta-42"],
    ["erase", "kim@example.org", "--yes"],
    ["export", "kim@example.org"],
)
STATUS = [
    ([], 0),
    (["init"], 0),
    (["init-db"], 0),
    (["prune"], 0),
    (["prune", "--dry-run"], 0),
    (["rotate-key"], 0),
    (["doctor", "--offline"], 0),
    (["replay"], 0),
    (["import", "mutes.csv", "--yes"], 0),
    (["mute", "kim@example.org", "beta-42"], 0),
    (["erase", "kim@example.org", "--yes"], 0),
    (["export", "kim@example.org"], 0),
    (["receive", "--recipient", "kim@example.org"], 75),
    (["alarms"], 0),
    (["notify-domain", "example.org", "--yes"], 0),
    (["import", "headless.csv"], 2),
    (["import", "bad.csv"], 1),
    (["notify-domain", "other.example", "--yes"], 1),
    (["scan-me", "http://127.0.0.1:9/"], 1),
    (["import", "missing.csv"], 2),
    (["scan-me", "https://elsewhere.example/"], 2),
    (["list"], 2),
    (["unmute", "jane@example.org"], 2),
]


def test_every_command_of_the_manual_is_seen_to_end_with_0_and_with_1() -> None:
    seen = {(name, status) for [name, *_], status in STATUS[1:]} | {(name, 1) for name, *_ in UNREACHABLE}
    seen.add(("scan-me", 0))  # by test_scan.py, as it takes a deployed app and some seconds
    own = {("receive", 0), ("receive", 1)}  # see test_receive.py
    assert {(name, status) for name in COMMANDS for status in (0, 1)} <= seen | own


@pytest.mark.parametrize(("arguments", "status"), STATUS, ids=lambda given: str(given)[:40])
def test_the_exit_status(deployed: Host, arguments: list[str], status: int) -> None:
    code, output = run(deployed, *arguments)
    assert code == status, output
    assert not any(unwanted in output for unwanted in ("Traceback", "\x1b", "\r"))


@pytest.mark.parametrize("arguments", UNREACHABLE, ids=" ".join)
def test_without_a_database_the_exit_status_is_1(deployed: Host, folder: Path, arguments: list[str]) -> None:
    deployed.db.engine.dispose()
    (folder / "host.db").unlink()
    (folder / "host.db").mkdir()
    code, output = run(deployed, *arguments)
    assert code == 1 and "Traceback" not in output and "kim" not in output, output


@pytest.mark.parametrize("command", ["prune", "rotate-key", "replay"])
def test_a_database_without_tables_ends_with_1_and_the_mend(host: Host, command: str) -> None:
    host.db.drop_all()
    code, output = run(host, command)
    assert code == 1 and "Error: " in output and "Traceback" not in output
