"""``flask optout import``: it says what it understood, asks, mutes, un-mutes nobody, and can be taken back."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_optout.addresses import parse
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import Host, say

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
FILES = Path(__file__).parent / "exports"
PAGE = (ROOT / "docs" / "moving-in.md").read_text()
TABLE, DUMP = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
[PIPED] = re.findall(r"^python .*$", PAGE, re.MULTILINE)
COMMANDS = re.findall(r"^flask optout (import \w.*)$", PAGE, re.MULTILINE)
BOTH = ["jane@example.org", "joan@example.org"]
EVERYBODY = [*BOTH, "bounced@example.org", "subscribed@example.org"]


def run(host: Host, *arguments: str, given: bytes = b"") -> tuple[int, str]:
    result = host.app.test_cli_runner().invoke(args=["optout", "import", *arguments], input=given)
    assert not re.search(r"x\.org|example", result.output)
    return result.exit_code, result.output


def muted(host: Host, people: list[str] = EVERYBODY, opportunity: str = "beta-42") -> list[str]:
    return [address for address in people if not host.optout.may_invite(address, opportunity)]


EXPORTS = {
    "sendgrid.csv": (BOTH, []),
    "sendgrid-bounces.csv": ([], ["a bounce or a block: line 2"]),
    "mailgun.csv": (BOTH, []),
    "postmark.csv": (BOTH, ["a bounce or a block: line 3"]),
    "mailchimp-unsubscribed.csv": (BOTH, []),
    "mailchimp-cleaned.csv": ([], ["a bounce or a block: line 2"]),
    "mailchimp-subscribed.csv": ([], ["no opt-out: line 2"]),
    "listmonk.csv": (BOTH, ["no opt-out: line 3"]),
}


def test_every_file_is_tried() -> None:
    assert sorted(EXPORTS) == sorted(path.name for path in FILES.iterdir())


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_mutes_who_opted_out_and_nobody_else(host: Host, name: str) -> None:
    code, output = run(host, str(FILES / name), "--opportunity", "beta-42", "--yes")
    people, reasons = EXPORTS[name]
    assert code == 0 and muted(host) == people, output
    assert re.findall(r"^\d+ rows? do(?:es)? not count, (.*)\.$", output, re.MULTILINE) == reasons
    assert f"{len(people)} rows count as opt-outs." in output


@pytest.mark.parametrize("command", COMMANDS)
def test_the_manuals_commands(host: Host, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mutes.csv").write_text("email,opportunity\njane@example.org,beta-42\n")
    for path in FILES.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run(host, *command.split()[1:], given=b"y\n")[0] == 0
    assert "jane@example.org" in muted(host)
    assert run(host, "--undo", "1", given=b"y\n")[0] == 0
    assert muted(host) == []


def test_every_command_of_the_manual_is_run_here() -> None:
    shell = re.findall(r"^```shell\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    others = [f"flask optout import {each}" for each in ("--undo 1", "--list")]
    assert sorted(shell) == sorted([PIPED, *others, *(f"flask optout {command}" for command in COMMANDS)])


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
    (tmp_path / "app.py").write_text(APP.format(folder=str(tmp_path)))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    piped = subprocess.run(PIPED, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert piped.returncode == 0 and "2 rows are muted." in piped.stdout, piped.stderr
    assert muted(host) == BOTH


def test_the_manuals_table_moves_in(host: Host) -> None:
    names: dict[str, Any] = {}
    exec(TABLE + DUMP, names)
    engine, table = host.db.engine, names["opted_out"]
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(table), [{"email": address, "beta_id": 42} for address in BOTH])
    dumped = io.StringIO()
    names["dump"](engine, dumped)
    assert run(host, "-", "--yes", given=dumped.getvalue().encode())[0] == 0
    assert muted(host) == BOTH and muted(host, opportunity="beta-43") == []


LIST = (
    b"email,opportunity,state\nJANE@x.org,beta-42,CA\nbob@x.org,gone for years,CA\nno address,x,x\n"
    b"kim@x.org;lee@x.org,beta-42,\n"
)
PEOPLE = ["jane@x.org", "kim@x.org", "lee@x.org"]


@pytest.fixture
def listed(tmp_path: Path) -> str:
    (tmp_path / "list.csv").write_bytes(LIST)
    return str(tmp_path / "list.csv")


def test_it_says_what_it_understood_and_asks(host: Host, listed: str) -> None:
    code, output = run(host, listed, given=b"n\n")
    assert code == 1 and muted(host, PEOPLE) == [] and current_state().imports.all() == []
    assert output.splitlines() == [
        "list.csv:",
        '  address      column 1 "email"',
        '  opportunity  column 2 "opportunity"',
        "  opt-outs     each row",
        "",
        "1 row cannot be used, the address has no @: line 4.",
        "3 rows count as opt-outs.",
        "Warning: No opportunity 'gone for years' is known.",
        "Mute now? [y/N]: n",
        "Aborted!",
    ]


def test_it_mutes_and_exits_with_1_when_a_row_was_bad(host: Host, listed: str) -> None:
    code, output = run(host, listed, given=b"y\n")
    assert code == 1 and output.endswith(
        "3 rows are muted. This is import 1. To take it back:\n    flask optout import --undo 1\n"
    )
    assert muted(host, PEOPLE) == PEOPLE
    assert not host.optout.may_invite("bob@x.org", "gone for years") and host.optout.may_invite(
        "bob@x.org", "beta-42"
    )


def test_a_dry_run_mutes_nobody(host: Host, listed: str) -> None:
    code, output = run(host, listed, "--dry-run")
    assert code == 1 and "3 rows count as opt-outs.\n" in output and "muted" not in output
    assert muted(host, PEOPLE) == [] and current_state().imports.all() == []


WRONG = [
    ["no such file"],
    ["."],
    [],
    ["-"],
    ["-", "--yes"],
    ["-", "--yes", "--status", "x"],
    ["-", "--yes", "--encoding", "hex"],
    ["-", "--yes", "--encoding", "none"],
    ["-", "--yes", "--format", "sendgrid"],
    ["-", "--list"],
    ["--undo", "9"],
    ["--undo", "x"],
    ["--list", "--undo", "1"],
    ["\udcff"],
    ["--", "-x"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=ascii)
def test_it_exits_with_2_when_it_was_used_wrongly(host: Host, arguments: list[str]) -> None:
    assert run(host, *arguments, given=b"name\nJane\n")[0] == 2


def test_the_same_output_whatever_was_stored(host: Host, listed: str) -> None:
    outputs = set()
    for stored in (None, True, False, True):
        if stored is not None:
            say(host, stored)
        # What is said of earlier imports is in --list, and the same whatever they changed.
        said = re.sub(r"Import \d of .*\n", "", run(host, listed, "--yes")[1])
        outputs.add(re.sub(r"import \d|--undo \d", "import", said))
    assert len(outputs) == 1
    assert len({run(host, "--undo", str(number), "--yes")[1].replace(str(number), "") for number in (1, 2, 3)}) == 1


@pytest.mark.parametrize("state", ["subscribed", "confirmed", "unmuted", "false", "0"])
def test_an_import_never_un_mutes(host: Host, state: str) -> None:
    say(host, True)
    for number, columns in enumerate(("email,opportunity,status", "email,opportunity,muted"), 1):
        run(host, "-", "--yes", given=f"{columns}\njane@x.org,beta-42,{state}\n".encode())
        run(host, "-", "--yes", "--format", "list", given=f"{columns}\njane@x.org,beta-42,{state}\n".encode())
        assert not host.optout.may_invite("jane@x.org", "beta-42")
        run(host, "--undo", str(number), "--yes")
        assert not host.optout.may_invite("jane@x.org", "beta-42")


def test_a_store_that_is_down_exits_with_1_and_says_what_to_mend(host: Host, listed: str) -> None:
    host.db.drop_all()
    code, output = run(host, listed, "--yes")
    assert code == 1 and "flask optout init-db" in output


def imported(host: Host, *people: str) -> int:
    """Import people for beta-42; gives the number of the import."""
    run(host, "-", "--yes", "--opportunity", "beta-42", given="\n".join(["email", *people]).encode())
    return current_state().imports.all()[-1].number


def take_back(host: Host, number: int) -> None:
    assert run(host, "--undo", str(number), "--yes")[0] == 0


def test_a_wrong_import_is_taken_back_and_candidates_own_choices_stand(make: MakeHost, database: Database) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    people = [f"person{number}@x.org" for number in range(10_000)]
    with host.app.app_context():
        say(host, True, to="person7@x.org")
        number = imported(host, *people)
        assert not any(host.optout.invitable(people, "beta-42"))
        say(host, True, to="person8@x.org")  # confirmed
        say(host, False, to="person9@x.org")
        say(host, True, to="person9@x.org")
        say(host, False, to="person10@x.org")
        take_back(host, number)
        assert muted(host, people[:20]) == ["person7@x.org", "person8@x.org", "person9@x.org"]
        assert list(host.optout.invitable(people, "beta-42")) == [*people[:7], *people[10:]]
        count = sa.select(sa.func.count()).select_from(current_state().tables.choices.choice)
        with host.db.engine.connect() as connection:
            assert connection.scalar(count) == 1 + 4  # of the data key, and of those who said something


@pytest.mark.parametrize("wrong", [1, 2])
def test_what_another_import_holds_as_well_stays(host: Host, wrong: int) -> None:
    assert imported(host, "a@x.org", "both@x.org") == 1
    assert imported(host, "both@x.org", "both@x.org", "b@x.org") == 2
    take_back(host, wrong)
    people = ["a@x.org", "b@x.org", "both@x.org"]
    assert muted(host, people) == [{1: "b@x.org", 2: "a@x.org"}[wrong], "both@x.org"]
    take_back(host, 3 - wrong)
    assert muted(host, people) == []


def test_a_mute_by_phone_stands_when_the_import_is_taken_back(host: Host) -> None:
    number = imported(host, "a@x.org", "b@x.org")
    current_state().choices.add_mutes([(parse("a@x.org"), "beta-42")], "phone")
    take_back(host, number)
    assert muted(host, ["a@x.org", "b@x.org"]) == ["a@x.org"]


def test_imports_are_listed_with_what_their_files_say(host: Host, listed: str) -> None:
    assert run(host, "--list") == (0, "There was no import.\n")
    say(host, True)
    run(host, listed, "--yes")
    assert imported(host, "a@x.org") == 2
    take_back(host, 2)
    first, second = run(host, "--list")[1].splitlines()
    assert re.fullmatch(r" +1  \d{4}-\d\d-\d\d  list\.csv +3 rows", first)
    assert re.fullmatch(r" +2  \d{4}-\d\d-\d\d  <stdin> +1 row, taken back", second)
    [one, two] = json.loads(run(host, "--list", "--json")[1])
    assert (one["name"], one["rows"], two["number"], two["taken_back"]) == ("list.csv", 3, 2, True)


def test_with_a_journal_it_is_taken_back_in_a_restored_database_too(make: MakeHost, tmp_path: Path) -> None:
    host = make(OPTOUT_JOURNAL=str(tmp_path / "journal"))
    with host.app.app_context():
        current_state().recovery.begin(lambda share: None)
        number = imported(host, "a@x.org", "b@x.org")
        say(host, True, to="b@x.org")
        backup = (tmp_path / "host.db").read_bytes()
        take_back(host, number)
        host.db.engine.dispose()
        (tmp_path / "host.db").write_bytes(backup)
        current_state().recovery.replay(lambda share: None)
        assert muted(host, ["b@x.org"]) == ["b@x.org"]
        newest = [entry.muted for entry in current_state().recovery.journal.read_entries()]
        assert newest == [True, True, True, False]


APP = """
from pathlib import Path
from tests.support.hosts import make_host
app = make_host(Path({folder!r})).app
"""


def test_killed_half_way_it_can_be_taken_back_or_run_again(make: MakeHost, tmp_path: Path) -> None:
    host = make()
    people = [f"person{number}@x.org" for number in range(80_000)]  # of which 50,000 are one transaction
    (tmp_path / "list.csv").write_text("\n".join(["email", *people]))
    (tmp_path / "app.py").write_text(APP.format(folder=str(tmp_path)))
    command = [sys.executable, "-m", "flask", "--app", str(tmp_path / "app.py"), "optout", "import", "list.csv"]
    command += ["--yes", "--opportunity", "beta-42"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as process,
        host.app.app_context(),
    ):
        while host.optout.may_invite(people[0], "beta-42"):
            assert process.poll() is None
        process.kill()
    with host.app.app_context():
        assert muted(host, [people[0], people[-1]]) == [people[0]], "half way"
        take_back(host, 1)
        assert muted(host, people[:100]) == []
        assert run(host, str(tmp_path / "list.csv"), "--opportunity", "beta-42", "--yes")[0] == 0
        assert not any(host.optout.invitable(people, "beta-42"))
