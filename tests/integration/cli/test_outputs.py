"""What each command writes, at 80 columns: whole, and with right plurals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeHost
from tests.support.hosts import KEY, Host, Mailbox

pytestmark = pytest.mark.usefixtures("minutes_over")

ROOT = Path(__file__).parents[3]
COLUMNS = 80


def run(host: Host, *arguments: str, given: str = "") -> str:
    """What a command writes, with a new key, days and this folder under names."""
    said = host.app.test_cli_runner().invoke(args=["optout", *arguments], input=given).output
    said = re.sub(r"\d{4}-\d\d-\d\d", "DAY", re.sub(r"[0-9a-f]{64}", "KEY", said))
    return said.replace(f"{Path.cwd()} && {sys.executable}", "FOLDER && PYTHON")


@pytest.fixture
def shown(make: MakeHost, smtp: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host that invited one person at one domain and two at another, with files in its folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out.csv").write_text(
        "email,status\na@x.org,unsubscribed\nno address,spam\nb@x.org,zzz\nc@x.org,maybe\n"
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
ok      The loader of this app tells pages and mails about opportunities.
ok      The Email Log holds nothing that should have been pruned.

To begin:        flask optout init
To look deeper:  flask optout doctor
All commands:    flask optout --help
""",
    "init-db": "The sqlite database has all tables of Flask-OptOut, and the data key.\nNothing was missing.\n",
    "prune": "Deleted 0 invitations older than 1 day from the Email Log.\n",
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
Of this person the Email Log holds 1 invitation.
Remove all of it? [y/N]: n
Aborted!
""",
    "erase kim@example.org --yes": """\
Of this person the Email Log holds 1 invitation.
It is removed.
""",
    "import one.csv --opportunity beta-42 --yes": """\
one.csv:
  address      column 1 "email"
  opportunity  beta-42
  opt-outs     each row

1 row counts as an opt-out.
1 row is muted. This is import 1. To take it back:
    flask optout import --undo 1
""",
    "import out.csv --opportunity beta-42": """\
out.csv:
  address      column 1 "email"
  opportunity  beta-42
  opt-outs     column 2 "status"

1 row cannot be used, the address has no @: line 3.
2 rows cannot be used, its columns do not say clearly whether this is an
opt-out: lines 4, 5.
1 row counts as an opt-out.
Mute now? [y/N]: n
Aborted!
""",
    "import --list": "There was no import.\n",
    "mute jane@example.org cmaera": "Warning: No opportunity 'cmaera' is known.\n1 address is muted.\n",
    "mute jane beta-42": "Error: That is not an email address: the address has no @.\n",
    "mute - beta-42": "Error: Line 1 is not an email address: the address has no @.\n",
    "erase joan@example.org": "The Email Log holds nothing of this person.\n",
    "notify-domain @acme.example --dry-run": "2 people at acme.example would be asked.\n",
    "notify-domain acme": """\
Error: That is not a mail domain: the part after the @ is not a domain that mail
can be sent to.
""",
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


def test_an_import_that_is_taken_back_says_which(shown: Host) -> None:
    run(shown, "import", "one.csv", "--opportunity", "beta-42", "--yes")
    assert run(shown, "import", "--list") == f"   1  DAY  {'one.csv':40}  1 row\n"
    assert run(shown, "import", "--undo", "1", given="y\n") == (
        "Import 1 is one.csv of DAY, 1 row.\nTake it back? [y/N]: y\n"
        "Import 1 is taken back. What candidates chose themselves stays.\n"
    )


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
