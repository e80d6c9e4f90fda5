"""What an app has and lacks, with the lines to paste; and the tables that are made."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.cli import ScriptInfo
from flask_sqlalchemy import SQLAlchemy

from flask_optout import OptOut
from flask_optout.cli.commands import optout_cli
from flask_optout.cli.terminal import WIDTH
from flask_optout.doctor.setup import LIBRARIES
from flask_optout.wiring import current_state
from tests.support.command_line import on_terminal
from tests.support.hosts import KEY, Host


def run(host: Host, *arguments: str) -> str:
    """What a command writes, with this folder under a name."""
    said = host.app.test_cli_runner().invoke(args=["optout", *arguments]).output
    return said.replace(f"{Path.cwd()} && {sys.executable}", "FOLDER && PYTHON")


def test_init_db_says_what_it_made(host: Host) -> None:
    host.db.drop_all()
    lines = run(host, "init-db").splitlines()
    assert lines[0] == "Created optout_choice." and len(lines) == 2 + len(current_state().tables.all())
    assert lines[-2:] == [
        "Created the data key.",
        "The sqlite database has all tables of Flask-OptOut, and the data key.",
    ]


def test_after_init_db_an_invitation_may_leave_amid_a_transaction_of_the_app(host: Host) -> None:
    host.db.drop_all()
    run(host, "init-db")
    current_state().begin()
    host.db.session.execute(sa.text("CREATE TABLE job (id INTEGER)"))
    host.db.session.execute(sa.text("INSERT INTO job VALUES (1)"))
    with host.mail.record_messages() as outbox:
        host.mail.send(host.invitation())
    assert len(outbox) == 1
    host.db.session.rollback()


def test_init_names_what_is_missing_and_the_lines_to_paste(host: Host) -> None:
    host.db.drop_all()
    said = run(host, "init")
    assert "fail      Set-up: The database lacks all tables of Flask-OptOut." in said
    assert "\n               flask optout init-db\n" in said
    assert 'OPTOUT_JOURNAL = "/var/lib/(your app)/optout.journal"' in said
    assert 'OptOut(db, app, operator=lambda: session.get("operator"))' in said
    assert said.endswith("90 days from the Email Log:\n\n    0 4 * * *  cd FOLDER && PYTHON -m flask optout prune\n")
    assert max(map(len, said.splitlines())) <= WIDTH


def test_the_line_for_cron_is_one_that_a_shell_reads_as_it_is_meant(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Jane's 50% of it"
    folder.mkdir()
    monkeypatch.chdir(folder)
    info = ScriptInfo('new:create_app("a b")', create_app=lambda: host.app)
    said = host.app.test_cli_runner().invoke(optout_cli, ["init"], obj=info).output.splitlines()[-1]
    assert said.startswith("    0 4 * * *  cd ") and "50\\% of" in said
    named = ["-m", "flask", "--app", 'new:create_app("a b")', "optout", "prune"]
    assert shlex.split(said.replace("\\%", "%"))[5:] == ["cd", str(folder), "&&", sys.executable, *named]


def begin(app: Callable[[], Flask]) -> tuple[int, str]:
    """What ``flask optout init`` says of an app that has no OptOut; its exit status."""
    runner = Flask("other").test_cli_runner()
    result = runner.invoke(optout_cli, ["init"], obj=ScriptInfo(create_app=app))
    return result.exit_code, result.output


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.usefixtures("minutes_over")
def test_init_in_an_app_without_optout_says_how_to_begin(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def mailing() -> Flask:
        app = Flask("new")
        app.extensions[library] = object()
        return app

    code, said = begin(mailing)
    assert code == 1 and said.startswith("This app has no OptOut. Put this where the app is made,")
    assert f"from flask_optout.mailers.{LIBRARIES[library][0]} import Invitation, Mail" in said
    assert max(map(len, said.splitlines())) <= WIDTH
    [block] = re.findall(r"\n\n((?:    .*\n|\n)+?)\nIn a factory: ", said)
    [send] = re.findall(r"send this:\n\n    (.*)\n\nA new key", said)
    [key] = re.findall(r"OPTOUT_KEY=(\w{64})", said)
    monkeypatch.setenv("OPTOUT_KEY", key)
    app = Flask("pasted")
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", MAIL_DEFAULT_SENDER="team@example.org")
    app.config.update(MAIL_SUPPRESS_SEND=True, MAIL_BACKEND="locmem")
    db = SQLAlchemy(app)
    names = {"app": app, "db": db, "to": "jane@example.org"}
    exec(re.sub("^    ", "", block, flags=re.MULTILINE), names)
    runner = app.test_cli_runner()
    assert runner.invoke(args=["optout", "init-db"]).exit_code == 0
    result = runner.invoke(args=["optout", "init"])
    assert result.exit_code == 0 and "fail" not in result.output, result.output
    assert "No invitation older than a minute has passed the gate in 90 days." in " ".join(result.output.split())
    assert "@optout.opportunity_loader" in result.output
    with app.app_context():
        exec(send, names)
    assert "passed the gate in" not in runner.invoke(args=["optout", "init"]).output
    with app.app_context():
        db.engine.dispose()


def test_where_no_library_is_used_init_names_one_that_is_installed() -> None:
    assert "from flask_optout.mailers.flask_mail import Invitation, Mail" in begin(lambda: Flask("new"))[1]


def test_init_in_an_app_whose_settings_cannot_work_says_which() -> None:
    def unset() -> Flask:
        app = Flask("unset")
        app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SECRET_KEY=KEY)
        OptOut(SQLAlchemy(app), app)
        return app

    code, said = begin(unset)
    assert code == 1 and said.startswith("Error: OPTOUT_BASE_URL is not set.") and "Traceback" not in said
    assert "app.config" not in said, "as this app has the lines"


def test_alone_in_an_app_without_optout_it_says_where_to_begin() -> None:
    result = Flask("new").test_cli_runner().invoke(optout_cli, [], obj=ScriptInfo(create_app=lambda: Flask("new")))
    assert result.exit_code == 1 and "has no OptOut" in result.output and "'flask optout init'" in result.output


def test_colours_are_for_a_terminal_and_no_color_takes_them_off(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in ([], ["init"]):
        with monkeypatch.context() as patch:
            assert "\x1b[32mok" in on_terminal(optout_cli, *arguments, app=host.app)
            patch.setenv("NO_COLOR", "1")
            assert "\x1b" not in on_terminal(optout_cli, *arguments, app=host.app)
