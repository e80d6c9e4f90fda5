"""What each command writes, at 80 columns: whole, with right plurals, in colours on a terminal only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from flask import Flask
from flask.cli import ScriptInfo
from flask_sqlalchemy import SQLAlchemy

from flask_optout import OptOut
from flask_optout.cli.commands import optout_cli
from flask_optout.cli.terminal import progress
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.command_line import on_terminal
from tests.support.hosts import KEY, OLD, Host, Mailbox

ROOT = Path(__file__).parents[3]
COLUMNS = 80


def run(host: Host, *arguments: str, given: str = "") -> str:
    """What a command writes, with a new key, days and this folder under names."""
    said = host.app.test_cli_runner().invoke(args=["optout", *arguments], input=given).output
    said = re.sub(r"\d{4}-\d\d-\d\d", "DAY", re.sub(r"[0-9a-f]{64}", "KEY", said))
    return said.replace(f"{Path.cwd()} && {sys.executable}", "FOLDER && PYTHON")


@pytest.mark.parametrize("name", ["", *sorted(optout_cli.commands)])
def test_help_is_whole_and_fits(host: Host, name: str) -> None:
    said = run(host, *name.split(), "--help")
    assert max(map(len, said.splitlines())) <= COLUMNS and "…" not in said
    for command in optout_cli.commands.values() if not name else [optout_cli.commands[name]]:
        first = " ".join((command.help or "").split("\n\n")[0].split())
        assert first.endswith(".") and first in " ".join(said.split())


def test_every_command_is_in_one_section(host: Host) -> None:
    names = re.findall(r"^  ([a-z][\w-]+)  ", run(host, "--help"), re.MULTILINE)
    assert sorted(names) == sorted(optout_cli.commands)


@pytest.fixture
def shown(make: MakeHost, smtp: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host that invited one person at one domain and two at another, with files in its folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out.csv").write_text(
        "email,status\na@x.org,unsubscribed\nno address,spam\nb@x.org,zzz\nc@x.org,ok\n"
    )
    (tmp_path / "one.csv").write_text("email\na@x.org\n")
    host = make(
        MAIL_SERVER=smtp.host,
        MAIL_PORT=smtp.port,
        OPTOUT_KEYS=[KEY],
        OPTOUT_LOG_DAYS=1,
        SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 5}},
    )
    with host.app.app_context():
        for person in ("kim@example.org", "jane@acme.example", "bob@acme.example"):
            host.mail.send(host.invitation(person))
        yield host


SCREENS = {
    "": """\
Flask-OptOut in the app "host":

ok      The keys come from OPTOUT_KEYS.
ok      Links lead to https://invite.example.org.
note    SQLite writes without a write-ahead log (journal_mode=delete).
ok      The database's time-outs are set.
ok      The sqlite database has all tables.
ok      The choices can be read with these keys.
note    There is no journal of choices.
ok      The app's Mail (flask_mail) passes the gate.
ok      No login, CSRF check or other hook of this app stands before the
        candidate's pages.
note    The Email Log has no pages, as OptOut was given no guard.
ok      The Email Log holds nothing that should have been pruned.

To begin:        flask optout init
To look deeper:  flask optout doctor
All commands:    flask optout --help
""",
    "init-db": "The sqlite database has all tables of Flask-OptOut. Nothing was missing.\n",
    "prune": "Deleting\nDeleted 0 invitations older than 1 day from the Email Log.\n",
    "prune --dry-run": "Would delete 0 invitations older than 1 day from the Email Log.\n",
    "rotate-key": """\
Only the newest key opens the store. To replace it, put a new key in front of
it in OPTOUT_KEYS, such as

    KEY

restart every process of the app, then run this command again. Where
OPTOUT_KEYS is not set, set it to a list of the new key alone: SECRET_KEY
opens the store until this command has run.
""",
    "alarms": "No alarm.\n",
    "alarms --json": "[]\n",
    "mute jane@example.org beta-42": "1 address is muted.\n",
    "notify-domain example.org --dry-run": "1 person at example.org would be asked.\n",
    "notify-domain acme.example": "Mail 2 people at acme.example? [y/N]: n\nAborted!\n",
    "erase kim@example.org": """\
Of this person the Email Log holds 1 invitation and 0 that were sent again.
Remove all of it? [y/N]: n
Aborted!
""",
    "erase kim@example.org --yes": "Removed 1 invitation and 0 that were sent again.\n",
    "import one.csv --opportunity beta-42 --yes": """\
Reading
one.csv:
  address      column 1 "email"
  opportunity  beta-42
  opt-outs     each row

1 row counts as an opt-out.
Muting
1 row is muted. This is import 1. To take it back:
    flask optout import --undo 1
""",
    "import out.csv --opportunity beta-42": """\
Reading
out.csv:
  address      column 1 "email"
  opportunity  beta-42
  opt-outs     column 2 "status"

1 row does not count, a recipient has no @: line 3.
2 rows do not count, its columns do not say clearly whether this is an
opt-out: lines 4, 5.
1 row counts as an opt-out.
Mute now? [y/N]: n
Aborted!
""",
    "import --list": "There was no import.\n",
    "import one.csv": """\
Usage: host optout import [OPTIONS] [FILE]
Try 'host optout import --help' for help.

Error: The list has no column for the opportunity. Each row must say who wants
no invitation to what, and a wrong guess would mute other people. Begin the list
with a line such as 'email,opportunity', or add an option such as --opportunity
beta-42.
See https://flask-optout.readthedocs.io/page/errors.html#list-error
""",
    "replay": """\
Error: OPTOUT_JOURNAL is not set. Without a journal there is nothing to replay.
Set OPTOUT_JOURNAL to a file that is backed up apart from the database.
See https://flask-optout.readthedocs.io/page/errors.html#configuration-error
""",
}


@pytest.mark.parametrize("command", SCREENS, ids=lambda command: command or "alone")
def test_a_screen(shown: Host, command: str) -> None:
    assert run(shown, *command.split(), given="n\n") == SCREENS[command]
    assert max(map(len, SCREENS[command].splitlines())) <= COLUMNS


def test_init_db_says_what_it_made(shown: Host) -> None:
    shown.db.drop_all()
    lines = run(shown, "init-db").splitlines()
    assert lines[0] == "Created optout_choice." and len(lines) == 1 + len(current_state().tables.all())
    assert lines[-1] == "The sqlite database has all tables of Flask-OptOut."


def test_an_import_that_is_taken_back_says_which(shown: Host) -> None:
    run(shown, "import", "one.csv", "--opportunity", "beta-42", "--yes")
    assert run(shown, "import", "--list") == f"   1  DAY  {'one.csv':40}  1 row\n"
    assert run(shown, "import", "--undo", "1", given="y\n") == (
        "Import 1 is one.csv of DAY, 1 row.\nTake it back? [y/N]: y\n"
        "Import 1 is taken back. What candidates said themselves stands.\n"
    )


def test_init_names_what_is_missing_and_the_lines_to_paste(shown: Host) -> None:
    shown.db.drop_all()
    said = run(shown, "init")
    assert "fail      Set-up: The database lacks all tables of Flask-OptOut." in said
    assert "\n               flask optout init-db\n" in said
    assert 'OPTOUT_JOURNAL = "/var/lib/(your app)/optout.journal"' in said
    assert 'OptOut(db, app, operator=lambda: session.get("operator"))' in said
    assert said.endswith("1 day from the Email Log:\n\n    0 4 * * *  cd FOLDER && PYTHON -m flask optout prune\n")
    assert max(map(len, said.splitlines())) <= COLUMNS


def begin(app: Callable[[], Flask]) -> tuple[int, str]:
    """What ``flask optout init`` says of an app that has no OptOut; its exit status."""
    runner = Flask("other").test_cli_runner()
    result = runner.invoke(optout_cli, ["init"], obj=ScriptInfo(create_app=app))
    return result.exit_code, result.output


def test_init_in_an_app_without_optout_says_how_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def mailing() -> Flask:
        app = Flask("new")
        app.extensions["mailman"] = object()
        return app

    code, said = begin(mailing)
    assert code == 1 and said.startswith("This app has no OptOut. Put this where the app is made")
    assert "from flask_optout.mailers.flask_mailman import Mail" in said
    assert "from flask_optout.mailers.flask_mail import Mail" in begin(lambda: Flask("new"))[1]
    assert max(map(len, said.splitlines())) <= COLUMNS
    [block] = re.findall(r"\n\n((?:    .*\n|\n)+?)\nA new key", said)
    [key] = re.findall(r"OPTOUT_KEY=(\w{64})", said)
    monkeypatch.setenv("OPTOUT_KEY", key)
    app = Flask("pasted")
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", MAIL_DEFAULT_SENDER="team@example.org")
    exec(re.sub("^    ", "", block, flags=re.MULTILINE), {"app": app, "db": SQLAlchemy(app), "os": os})
    runner = app.test_cli_runner()
    assert runner.invoke(args=["optout", "init-db"]).exit_code == 0
    result = runner.invoke(args=["optout", "init"])
    assert result.exit_code == 0 and "fail" not in result.output, result.output


def test_init_in_an_app_whose_settings_cannot_work_says_which(host: Host) -> None:
    def unset() -> Flask:
        app = Flask("unset")
        app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SECRET_KEY=KEY)
        OptOut(SQLAlchemy(app), app)
        return app

    code, said = begin(unset)
    assert code == 1 and 'app.config["OPTOUT_BASE_URL"] = "https://' in said
    assert "Error: OPTOUT_BASE_URL is not set." in said and "Traceback" not in said


def test_alone_in_an_app_without_optout_it_says_where_to_begin() -> None:
    result = Flask("new").test_cli_runner().invoke(optout_cli, [], obj=ScriptInfo(create_app=lambda: Flask("new")))
    assert result.exit_code == 1 and "has no OptOut" in result.output and "flask optout init\n" in result.output


def test_the_commands_are_there_before_the_app_has_an_optout() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["flask.commands"]
    module, name = declared["optout"].split(":")
    assert getattr(import_module(module), name) is optout_cli


def test_colours_are_for_a_terminal_and_no_color_takes_them_off(shown: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[32mok" in on_terminal(optout_cli, app=shown.app) and "\x1b[32mok" in on_terminal(
        optout_cli, "init", app=shown.app
    )
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in on_terminal(optout_cli, app=shown.app) + on_terminal(optout_cli, "init", app=shown.app)


def test_long_work_shows_its_rate_and_the_time_that_is_left() -> None:
    @click.command()
    def work() -> None:
        with progress("Working", "rows") as reach:
            reach(0.3, 300)
            time.sleep(1.1)  # click tells the time after a second
            reach(0.5, 500)

    drawn = re.split(r"[\r\n]+", re.sub(r"\x1b\[(\?25[lh]|K)", "", on_terminal(work)))
    assert re.fullmatch(r"Working  \[#+-+\] +51%  00:00:0\d  [\d,]+ rows/s", drawn[51]), drawn
    assert max(map(len, drawn)) <= COLUMNS


def test_a_key_is_taken_away_only_after_a_question_on_a_terminal(make: MakeHost, shown: Host) -> None:
    host = make(OPTOUT_KEYS=[OLD, KEY], SQLALCHEMY_DATABASE_URI=shown.app.config["SQLALCHEMY_DATABASE_URI"])
    with host.app.app_context():
        current_state().key_slots.open()
        assert "Take the store away from 1 older key? [y/N]:" in on_terminal(
            optout_cli, "rotate-key", answer="n\n", app=host.app
        )
        assert current_state().key_slots.old() == 1
        assert "Remove the older ones" in on_terminal(optout_cli, "rotate-key", answer="y\n", app=host.app)
        assert current_state().key_slots.old() == 0


def test_the_shell_completes_as_the_manual_says(tmp_path: Path) -> None:
    [line] = re.findall(r"```shell\n(.*)\n```", (ROOT / "docs" / "cli.md").read_text())
    app = f"app = make_host(Path({str(tmp_path)!r})).app"
    (tmp_path / "app.py").write_text(f"from pathlib import Path\nfrom tests.support.hosts import make_host\n{app}\n")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = f"""{line}
    COMP_WORDS=(flask optout im); COMP_CWORD=2
    _flask_completion flask; echo "${{COMPREPLY[@]}}" """
    said = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "FLASK_APP": "app.py"},
        capture_output=True,
        text=True,
    )
    assert said.stdout.strip() == "import", said
