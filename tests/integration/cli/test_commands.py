"""Every command of ``flask optout``: its help has an example, and its exit status is what docs/cli.md says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask_babel import Babel

from flask_optout.cli.commands import optout_cli
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import Host, Mailbox

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
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
        assert run(host, "replay", "--new").exit_code == 0
        host.mail.send(host.invitation("kim@example.org"))
        yield host


def run(host: Host, *arguments: str) -> Result:
    return host.app.test_cli_runner().invoke(args=["optout", *arguments])


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help_has_an_example_and_the_exit_status(host: Host, command: list[str]) -> None:
    result = run(host, *command, "--help")
    assert result.exit_code == 0
    assert re.search(r"Example:\n +flask optout ", result.output), result.output
    assert "Exit status" in result.output


def test_help_says_why_there_is_no_list_and_no_unmute(host: Host) -> None:
    said = " ".join(run(host, "--help").output.split())
    assert "deliberately no list: who opted out is for nobody but themselves to know" in said
    assert "no unmute either: only the candidate can undo" in said
    assert not {"list", "unmute", "undo", "show"} & set(COMMANDS)


def test_the_manual_names_every_command() -> None:
    assert sorted(re.findall(r"^\| `([\w-]+)", PAGE, re.MULTILINE)) == COMMANDS


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
    (["preview", "beta-42"], 0),
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
    (["preview", "x" * 129], 1),
    (["preview"], 2),
    (["preview", "beta-42", "--language", "de"], 2),
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
    result = run(deployed, *arguments)
    assert result.exit_code == status and "Traceback" not in result.output, result.output
    assert "\x1b" not in result.output and "\r" not in result.output


@pytest.mark.parametrize("arguments", UNREACHABLE, ids=" ".join)
def test_without_a_database_the_exit_status_is_1(deployed: Host, folder: Path, arguments: list[str]) -> None:
    deployed.db.engine.dispose()
    (folder / "host.db").unlink()
    (folder / "host.db").mkdir()
    result = run(deployed, *arguments)
    assert result.exit_code == 1 and "Traceback" not in result.output, result.output


@pytest.mark.parametrize("command", ["prune", "rotate-key", "replay"])
def test_a_database_without_tables_ends_with_1_and_the_mend(host: Host, command: str) -> None:
    host.db.drop_all()
    result = run(host, command)
    assert result.exit_code == 1 and "Error: " in result.output and "Traceback" not in result.output


def test_preview_shows_headers_and_footer_and_sends_nothing(host: Host, smtp: Mailbox) -> None:
    text = run(host, "preview", "beta-42").output
    link = host.optout.link("nobody@example.com", "beta-42")
    for header in (
        "List-Unsubscribe: <https://",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "List-Id: <beta-42",
    ):
        assert header in text
    assert link in text and "<a " not in text
    assert f'href="{link}"' in run(host, "preview", "beta-42", "--html").output
    assert smtp.received == []
    with host.db.engine.connect() as connection:
        assert connection.execute(sa.select(current_state().tables.log.email)).all() == []


def test_preview_takes_a_language_where_flask_babel_is(make: MakeHost) -> None:
    host = make()
    Babel(host.app)
    german = run(host, "preview", "beta-42", "--language", "de")
    assert german.exit_code == 0 and "Kein Interesse?" in german.output and "Content-Language: de" in german.output
    assert run(host, "preview", "beta-42", "--language", "no such").exit_code == 2
