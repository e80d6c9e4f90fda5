"""Files that other systems write: what is an opt-out becomes a mute, what is none is counted, and nobody is named."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_optout import ListError
from flask_optout.importing.lists import MuteList
from tests.support.hosts import Host

ROOT = Path(__file__).parents[3]
FILES = Path(__file__).with_name("exports")
PAGE = (ROOT / "docs" / "moving-in.md").read_text()
TABLE, DUMP = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
[PIPED] = re.findall(r"^python .*$", PAGE, re.MULTILINE)
COMMANDS = re.findall(r"^flask optout (import \w.*)$", PAGE, re.MULTILINE)
BOTH = ["jane@example.org", "joan@example.org"]

CASES = {
    "sendgrid.csv": (BOTH, []),
    "sendgrid-bounces.csv": ([], ["1 rows are no opt-outs and were skipped: a bounce or a block."]),
    "mailgun.csv": (BOTH, []),
    "postmark.csv": (BOTH, ["1 rows are no opt-outs and were skipped: a bounce or a block."]),
    "mailchimp-unsubscribed.csv": (BOTH, []),
    "mailchimp-cleaned.csv": ([], ["1 rows are no opt-outs and were skipped: a bounce or a block."]),
    "mailchimp-subscribed.csv": ([], ["1 rows are no opt-outs and were skipped: still subscribed."]),
    "listmonk.csv": (BOTH, ["1 rows are no opt-outs and were skipped: still subscribed."]),
}
EVERYBODY = [*BOTH, "bounced@example.org", "subscribed@example.org"]


def run(host: Host, *arguments: str, given: bytes = b"") -> tuple[int, str]:
    result = host.app.test_cli_runner().invoke(args=["optout", "import", *arguments], input=given)
    return result.exit_code, result.output


def muted(host: Host, opportunity: str = "beta-42") -> list[str]:
    return [address for address in EVERYBODY if not host.optout.may_invite(address, opportunity)]


def test_every_file_is_tried() -> None:
    assert sorted(CASES) == sorted(path.name for path in FILES.iterdir())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("named", [False, True])
def test_an_export_mutes_who_opted_out_and_nobody_else(host: Host, name: str, named: bool) -> None:
    format = ["--format", re.split(r"[-.]", name)[0]] if named else []
    code, output = run(host, str(FILES / name), "--opportunity", "beta-42", *format)
    people, skipped = CASES[name]
    assert code == 0 and muted(host) == people, output
    assert [line for line in output.splitlines() if "skipped" in line] == skipped
    assert "example.org" not in output


def test_as_a_plain_list_every_row_counts(host: Host) -> None:
    run(host, str(FILES / "listmonk.csv"), "--format", "csv", "--opportunity", "beta-42")
    assert muted(host) == [*BOTH, "subscribed@example.org"]


@pytest.mark.parametrize("format", ["sendgrid", "mailgun", "postmark", "mailchimp", "listmonk"])
def test_a_file_that_is_not_what_it_is_called_is_refused(format: str) -> None:
    with pytest.raises(ListError, match=format):
        MuteList(io.BytesIO(b"email\njane@example.org\n"), "beta-42", format)


def test_a_list_that_names_opportunities_is_read_as_it_says(host: Host) -> None:
    """Whoever gave it that column made it for an import, so a status beside it decides nothing."""
    given = b"uuid,email,attributes,status,opportunity\n1,jane@example.org,{},enabled,beta-42\n"
    assert run(host, "-", given=given)[0] == 0 and muted(host) == ["jane@example.org"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_manuals_commands(host: Host, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mutes.csv").write_text("email,opportunity\njane@example.org,beta-42\n")
    for path in FILES.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run(host, *command.split()[1:])[0] == 0
    assert "jane@example.org" in muted(host)


def test_the_manuals_table_moves_in(host: Host) -> None:
    names: dict[str, Any] = {}
    exec(TABLE + DUMP, names)
    engine, table = host.db.engine, names["opted_out"]
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(table), [{"email": address, "beta_id": 42} for address in BOTH])
    dumped = io.StringIO()
    names["dump"](engine, dumped)
    assert run(host, "-", given=dumped.getvalue().encode())[0] == 0
    assert muted(host) == BOTH and muted(host, "beta-43") == []


def test_the_manuals_script_is_piped_into_the_import(host: Host, tmp_path: Path) -> None:
    legacy = f"sqlite:///{tmp_path / 'legacy.db'}"
    call = f"""
engine = sa.create_engine({legacy!r})
opted_out.create(engine)
with engine.begin() as connection:
    connection.execute(sa.insert(opted_out), [{{"email": each, "beta_id": 42}} for each in {BOTH!r}])
dump(engine)
"""
    (tmp_path / "dump_opted_out.py").write_text(TABLE + DUMP + call)
    imports = "from pathlib import Path\nfrom tests.support.hosts import make_host\n"
    app = f"{imports}app = make_host(Path({str(tmp_path)!r})).app\n"
    (tmp_path / "app.py").write_text(app)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    piped = subprocess.run(PIPED, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert piped.returncode == 0 and "2 rows are muted" in piped.stdout, piped.stderr
    assert muted(host) == BOTH


def test_every_command_of_the_manual_is_run_here() -> None:
    shell = re.findall(r"^```shell\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    assert sorted(shell) == sorted([PIPED, *(f"flask optout {command}" for command in COMMANDS)])
