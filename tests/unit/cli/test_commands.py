"""``flask optout``: its help is whole, has an example and fits; and the commands of its upkeep."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.cli import ScriptInfo
from flask_sqlalchemy import SQLAlchemy

from flask_optout import OptOut
from flask_optout.cli.commands import optout_cli
from flask_optout.cli.terminal import WIDTH
from flask_optout.email_log.records import PER_MINUTE
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.command_line import on_terminal
from tests.support.email_log import post, sent
from tests.support.hosts import KEY, OLD, Host, say
from tests.support.people import run

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "cli.md").read_text()
COMMANDS = sorted(optout_cli.commands)
#: What each command is given, where it needs something.
GIVEN = {
    "erase": ["jane@example.org"],
    "export": ["jane@example.org"],
    "import": ["--list"],
    "mute": ["jane@example.org", "beta-42"],
    "notify-domain": ["example.org"],
    "scan-me": ["http://127.0.0.1/"],
}


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_an_app_that_does_not_start_gets_its_error_alone(command: str) -> None:
    def mistyped() -> Flask:
        app = Flask("mistyped")
        app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", OPTOUT_BASE_URI="https://example.org")
        OptOut(SQLAlchemy(app), app)
        return app

    arguments = [*command.split(), *GIVEN.get(command, [])]
    result = Flask("other").test_cli_runner().invoke(optout_cli, arguments, obj=ScriptInfo(create_app=mistyped))
    start = "" if command == "receive" else "Error: "
    assert result.exit_code == (75 if command == "receive" else 1) and result.stdout == ""
    said = " ".join(result.stderr.split())
    assert said.startswith(f"{start}There is no setting OPTOUT_BASE_URI.")
    assert "Did you mean OPTOUT_BASE_URL?" in said and "Traceback" not in said


@pytest.mark.parametrize("charset", ["latin-1", "cp1252", "cp437"])
def test_a_name_that_the_console_cannot_write_ends_no_command(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, charset: str
) -> None:
    folder = tmp_path / "Михаил"
    folder.mkdir()
    (folder / "список.csv").write_text("Почта\njane@example.org\n")
    monkeypatch.chdir(folder)
    runner = host.app.test_cli_runner(charset=charset)
    given = ["import", "список.csv", "--opportunity", "beta-42", "--yes"]
    for arguments, said in ((given, b"??????.csv:\n"), (["import", "--list"], b"??????.csv"), (["init"], b"??????")):
        result = runner.invoke(args=["optout", *arguments])
        assert result.exit_code == 0 and said in result.stdout_bytes


@pytest.mark.parametrize(
    ("stream", "command", "status"),
    [
        ("stdin", "rotate-key", 0),
        ("stdin", "mute - beta-42", 1),
        ("stdin", "import - --opportunity beta-42 --yes", 2),
        ("stdin", "receive --recipient jane@example.org", 67),
        ("stdout", "prune", 0),
        ("stdout", "init", 0),
        ("stderr", "prune", 0),
        ("stderr", "mute jane beta-42", 1),
    ],
)
def test_a_job_may_close_a_stream(
    host: Host, monkeypatch: pytest.MonkeyPatch, stream: str, command: str, status: int
) -> None:
    monkeypatch.setattr(sys, stream, None)
    with pytest.raises(SystemExit) as ended:
        optout_cli.main(command.split(), obj=ScriptInfo(create_app=lambda: host.app))
    assert ended.value.code == status


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_an_app_without_optout_is_told_so(command: str) -> None:
    arguments = [*command.split(), *GIVEN.get(command, [])]
    result = (
        Flask("other").test_cli_runner().invoke(optout_cli, arguments, obj=ScriptInfo(create_app=lambda: Flask("x")))
    )
    assert result.exit_code == (75 if command == "receive" else 1), result.exception
    assert "app has no OptOut" in " ".join(result.output.split())


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_whole_and_fits_and_has_an_example_and_the_exit_status(host: Host, command: str) -> None:
    status, said = run(host, *command.split(), "--help")
    assert status == 0 and max(map(len, said.splitlines())) <= WIDTH and "…" not in said
    assert re.search(r"Example:\s+flask optout ", said) and said.count("Exit status: 0 ") == 1
    for name in [command] if command else COMMANDS:
        first = " ".join((optout_cli.commands[name].help or "").split("\n\n")[0].split())
        assert first.endswith(".") and first in " ".join(said.split())


def test_help_says_why_there_is_no_list_and_no_unmute(host: Host) -> None:
    said = " ".join(run(host, "--help")[1].split())
    assert "deliberately no list: who opted out is for nobody but themselves to know" in said
    assert "no unmute either: only the candidate can undo" in said
    assert not {"list", "unmute", "undo", "show"} & set(COMMANDS)


def test_the_manual_names_every_command() -> None:
    assert sorted(re.findall(r"^\| `([\w-]+)", PAGE, re.MULTILINE)) == COMMANDS


def test_every_command_is_in_one_section(host: Host) -> None:
    assert sorted(re.findall(r"^  ([a-z][\w-]+)  ", run(host, "--help")[1], re.MULTILINE)) == COMMANDS


def test_the_commands_are_there_before_the_app_has_an_optout() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["flask.commands"]
    module, name = declared["optout"].split(":")
    assert getattr(import_module(module), name) is optout_cli


@pytest.mark.usefixtures("minutes_over")
def test_prune_deletes_what_is_too_old_and_breaks_no_link(make: MakeHost) -> None:
    host = make(operator=lambda: "Olga", MAIL_SUPPRESS_SEND=True)
    client = host.app.test_client()
    with host.app.app_context():
        path = sent(host)
        post(client, f"{path}/send-again")
        say(host, True, to="jane@example.org")
        with host.db.engine.begin() as connection:
            connection.execute(sa.text(f"update optout_email_log set id = id - {91 * 24 * 60 * PER_MINUTE}"))
        kept = sent(host, "joan@example.org")
        older = "1 invitation older than 90 days from the Email Log.\n"
        assert run(host, "prune", "--dry-run") == (0, f"Would delete {older}")
        assert run(host, "prune") == (0, f"Deleted {older}")
        assert (client.get(path).status_code, client.get(kept).status_code) == (404, 200)
        with host.db.engine.connect() as connection:
            assert connection.scalar(sa.text("select count(*) from optout_resend")) == 0
        landing = client.get(host.path())
        assert (landing.status_code, "I&#39;ve changed my mind." in landing.text) == (200, True)


def test_a_key_is_taken_away_only_after_a_question_on_a_terminal(make: MakeHost) -> None:
    old = make(OPTOUT_KEYS=[OLD])
    with old.app.app_context():
        current_state().key_slots.open()
    host = make(OPTOUT_KEYS=[KEY, OLD], SQLALCHEMY_DATABASE_URI=old.app.config["SQLALCHEMY_DATABASE_URI"])
    with host.app.app_context():
        slots = current_state().key_slots
        slots.open()
        question, done = "Take the store away from 1 older key? [y/N]:", "Remove the older ones"
        for answer, said, left in (("n\n", question, 1), ("y\n", done, 0)):
            assert said in on_terminal(optout_cli, "rotate-key", answer=answer, app=host.app)
            assert slots.count_old() == left
