"""Opt-outs from elsewhere: a list says what it understood and asks, a phone call and a mail mute at once."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from flask_optout.addresses import parse
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import Host
from tests.support.people import run

JANE, BOTH = ["jane@x.org beta-42"], ["jane@x.org beta-42", "bob@x.org beta-42"]
LIST = "email,opportunity\njane@x.org,beta-42\nbob@x.org,study-7\nnobody,beta-42\n"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "list.csv"
    path.write_text(LIST)
    return str(path)


def muted(host: Host) -> list[str]:
    pairs = (("jane@x.org", "beta-42"), ("bob@x.org", "study-7"), ("bob@x.org", "beta-42"))
    return [f"{to} {about}" for to, about in pairs if not host.optout.may_invite(to, about)]


@pytest.mark.parametrize(
    ("arguments", "given", "mutes"),
    [
        ([], "y\n", True),
        ([], "n\n", False),
        (["--yes"], "", True),
        (["--dry-run"], "", False),
    ],
    ids=str,
)
def test_an_import_says_what_it_understood_and_asks(
    host: Host, file: str, arguments: list[str], given: str, mutes: bool
) -> None:
    code, output = run(host, "import", file, *arguments, given=given)
    assert code == 1, "as one row could not be used"
    assert 'address      column 1 "email"\n  opportunity  column 2 "opportunity"\n  opt-outs     each row' in output
    assert "1 row cannot be used, the address has no @: line 4." in output
    assert "2 rows count as opt-outs." in output
    assert ("2 rows are muted. This is import 1." in output) is mutes
    assert muted(host) == ([*JANE, "bob@x.org study-7"] if mutes else [])


def test_an_import_is_listed_and_taken_back(host: Host, file: str) -> None:
    assert run(host, "import", "--list") == (0, "There was no import.\n")
    run(host, "import", file, "--yes")
    assert run(host, "import", "--list")[1].endswith("  list.csv" + " " * 34 + "2 rows\n")
    assert run(host, "import", "--undo", "1", given="n\n")[0] == 1 and len(muted(host)) == 2
    assert re.fullmatch(
        r"Import 1 is list\.csv of \S+, 2 rows\.\n", run(host, "import", "--undo", "1", "--dry-run", "--yes")[1]
    )
    assert len(muted(host)) == 2
    code, output = run(host, "import", "--undo", "1", "--yes")
    assert (code, output) == (0, "Import 1 is taken back. What candidates chose themselves stays.\n")
    assert muted(host) == [] and run(host, "import", "--list")[1].endswith(", taken back\n")


@pytest.mark.parametrize("name", ["two\nlines.csv", "\x1b[31mred.csv", "\udcff.csv", "\u202efsc.csv"], ids=ascii)
def test_a_file_may_have_any_name(host: Host, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(LIST)
    code, output = run(host, "import", str(tmp_path / name), "--yes")
    shown = re.sub(r"[\n\x1b\udcff\u202e]", "?", name)
    assert code == 1 and output.startswith(f"{shown}:\n")
    assert f"  {shown} " in run(host, "import", "--list")[1]


@pytest.mark.parametrize("opportunity", ["", "two\nlines", "\udcff", "o" * 129], ids=ascii)
def test_an_impossible_opportunity_is_told_at_once(host: Host, file: str, opportunity: str) -> None:
    code, output = run(host, "import", file, "--opportunity", opportunity)
    assert code == 1 and output.startswith("Error: An opportunity's id is not a printable string")


@pytest.mark.parametrize("encoding", ["no-such", "hex", "idna", "undefined", "utf-16", "utf-32", "\udcff"], ids=ascii)
def test_an_encoding_that_the_file_does_not_have_is_told(host: Host, file: str, encoding: str) -> None:
    code, output = run(host, "import", file, "--encoding", encoding)
    assert code == 2 and output.endswith("Invalid value for --encoding: the file is not in it, or there is none\n")


def test_a_file_that_cannot_be_read_is_told(host: Host) -> None:
    code, output = run(host, "import", "/proc/self/mem", "--opportunity", "beta-42")
    assert (code, output) == (1, "Error: The file cannot be read or copied: Input/output error.\n")


def test_a_file_that_cannot_be_copied_is_told(host: Host, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc/none")
    code, output = run(host, "import", file)
    assert (code, output) == (1, "Error: The file cannot be read or copied: No such file or directory.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give a FILE, --undo or --list."),
        (["--undo", "7"], "There is no import 7; --list shows those that there are."),
        (["-"], "add --yes"),
        (["{file}", "--list"], "Give a FILE, --undo or --list."),
        (["--undo", "1", "--opportunity", "beta-42"], "An import is listed and taken back as a whole"),
        (["--list", "--column", "email"], "An import is listed and taken back as a whole"),
        (["{file}", "--column", "9"], "It cannot be told which column holds the address"),
    ],
    ids=str,
)
def test_used_wrongly_an_import_mutes_nobody(host: Host, file: str, arguments: list[str], said: str) -> None:
    code, output = run(host, "import", *(each.format(file=file) for each in arguments))
    assert code == 2 and said in output and muted(host) == [], output


def test_a_list_comes_by_standard_input(host: Host) -> None:
    assert run(host, "import", "-", "--yes", given=LIST)[0] == 1
    assert len(muted(host)) == 2


@pytest.mark.parametrize(
    ("arguments", "given", "status", "said", "mutes"),
    [
        (["jane@x.org", "beta-42"], "", 0, "1 address is muted.\n", JANE),
        (["bob@x.org", "*", "--source", "phone"], "", 0, "1 address is", ["bob@x.org study-7", "bob@x.org beta-42"]),
        (["-", "beta-42"], "jane@x.org\n\nbob@x.org\n", 0, "2 addresses are", BOTH),
        (["-", "beta-42"], "\ufeffjane@x.org\n", 0, "1 address is", JANE),
        (["-", "beta-42"], "\n \n", 1, "Error: Standard input holds no address, so nobody is muted.\n", []),
        (["-", "beta-42"], "jane@x.org\n\nnobody\n", 1, "Error: Line 3 is not an email address: the address has", []),
        (["nobody", "beta-42"], "", 1, "Error: That is not an email address: the address has no @.\n", []),
        (["jane@x.org", "beta-42", "--source", "s" * 16], "", 0, "1 address is muted.\n", JANE),
        (["jane@x.org", ""], "", 1, "Error: An opportunity's id is not", []),
    ],
    ids=str,
)
def test_mute_takes_one_address_or_lines_of_them_all_or_none(
    host: Host, arguments: list[str], given: str, status: int, said: str, mutes: list[str]
) -> None:
    code, output = run(host, "mute", *arguments, given=given)
    assert code == status and said in output and muted(host) == mutes, output


WARNING = "Warning: No opportunity 'cmaera' is known.\n"


def test_an_unknown_opportunity_is_muted_with_a_warning(host: Host) -> None:
    result = host.app.test_cli_runner().invoke(args=["optout", "mute", "jane@x.org", "cmaera"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "1 address is muted.\n", WARNING)
    assert not host.optout.may_invite("jane@x.org", "cmaera")
    assert run(host, "mute", "bob@x.org", "*") == (0, "1 address is muted.\n")


def test_lines_in_another_encoding_mute_nobody(host: Host) -> None:
    result = host.app.test_cli_runner().invoke(args=["optout", "mute", "-", "beta-42"], input=b"jos\xe9@x.org\n")
    assert result.exit_code == 1 and result.output.startswith("Error: Line 1 is not an email address")


def test_an_import_for_an_unknown_opportunity_warns(host: Host, tmp_path: Path) -> None:
    (tmp_path / "addresses.csv").write_text("email\njane@x.org\n")
    command = ["optout", "import", str(tmp_path / "addresses.csv"), "--yes", "--opportunity", "cmaera"]
    result = host.app.test_cli_runner().invoke(args=command)
    assert (result.exit_code, result.stderr) == (0, WARNING)


@pytest.mark.parametrize(
    ("others", "warning"),
    [
        ([], WARNING),
        (["study-7"], WARNING),
        (["*", "cmaera"], WARNING),
        (["gone"], "Warning: No opportunity 'cmaera' or 'gone' is known.\n"),
    ],
)
def test_an_import_warns_of_each_opportunity_that_is_not_known(
    host: Host, tmp_path: Path, others: list[str], warning: str
) -> None:
    rows = [f"jane@x.org,{about}" for about in ("cmaera", *others)]
    (tmp_path / "list.csv").write_text("\n".join(["email,opportunity", *rows]))
    result = host.app.test_cli_runner().invoke(args=["optout", "import", str(tmp_path / "list.csv"), "--yes"])
    assert (result.exit_code, result.stderr) == (0, warning)


@pytest.mark.parametrize(
    ("known", "named", "ending"),
    [(99, range(99, 100), ""), (80, range(80, 100), ""), (1, range(1, 21), " or others")],
)
def test_of_many_opportunities_it_names_some_that_are_not_known(
    host: Host, tmp_path: Path, known: int, named: range, ending: str
) -> None:
    current_state().hooks.load = lambda about: {"title": about} if int(about[2:]) < known else None
    names = " or ".join(f"'o-{number}'" for number in named)
    rows = [f"jane@x.org,o-{number}" for number in range(100)]
    (tmp_path / "list.csv").write_text("\n".join(["email,opportunity", *rows]))
    result = host.app.test_cli_runner().invoke(args=["optout", "import", str(tmp_path / "list.csv"), "--dry-run"])
    assert " ".join(result.stderr.split()) == f"Warning: No opportunity {names}{ending} is known."


def test_without_a_loader_every_opportunity_may_be_known(host: Host) -> None:
    current_state().hooks.load = None
    assert run(host, "mute", "jane@x.org", "cmaera") == (0, "1 address is muted.\n")


@pytest.fixture
def door(make: MakeHost) -> Host:
    return make(OPTOUT_MAILTO="optout+{token}@in.example.org", MAIL_SUPPRESS_SEND=True)


@pytest.mark.parametrize(
    ("arguments", "environment", "mail", "status", "mutes"),
    [
        (["--recipient", "{to}"], {}, "Subject: x\n\nBye", 0, True),
        ([], {"ORIGINAL_RECIPIENT": "{to}"}, "\n", 0, True),
        ([], {}, "X-Original-To: {to}\n\n", 0, True),
        ([], {}, "Envelope-To: bob@in.example.org, {to}\n\n", 0, True),
        (["--recipient", "{to}"], {}, "Return-Path: <MAILER-DAEMON>\n\n", 0, False),
        (["--recipient", "{to}", "--sender", ""], {}, "\n", 0, False),
        (["--recipient", "{to}"], {}, "Return-Path: <>\n\n", 0, False),
        (["--recipient", "jane@in.example.org"], {}, "X-Original-To: {to}\n\n", 67, False),
        ([], {}, "\n", 67, False),
    ],
    ids=str,
)
def test_receive_takes_a_mail_and_writes_nothing(
    door: Host, arguments: list[str], environment: dict[str, str], mail: str, status: int, mutes: bool
) -> None:
    with door.app.app_context():
        to = current_state().mailto.make_address(parse("jane@x.org"), "beta-42")
        result = door.app.test_cli_runner().invoke(
            args=["optout", "receive", *(each.format(to=to) for each in arguments)],
            input=mail.format(to=to),
            env={name: value.format(to=to) for name, value in environment.items()},
        )
        assert (result.exit_code, result.output) == (status, "")
        assert muted(door) == (JANE if mutes else [])


def test_without_a_door_the_mail_is_to_be_brought_again(host: Host) -> None:
    host.optout.link("jane@x.org", "beta-42")  # which makes the data key
    code, output = run(host, "receive", "--recipient", "x@in.example.org")
    assert code == 75 and "OPTOUT_MAILTO is not set." in output


def test_without_a_store_it_is_too(door: Host) -> None:
    with door.app.app_context():
        to = current_state().mailto.make_address(parse("jane@x.org"), "beta-42")
        door.db.drop_all()
    code, output = run(door, "receive", "--recipient", to)
    assert code == 75 and "flask optout init-db" in output


@pytest.mark.parametrize(
    "app",
    ["import not_there", "raise KeyError('a-secret')", "1 +", "import sys; sys.exit('a-secret')", "x = 1", None],
    ids=str,
)
def test_while_the_app_does_not_start_the_mail_is_to_be_brought_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    if app is not None:
        (tmp_path / "app.py").write_text(app)
    command = [sys.executable, "-m", "flask", "optout", "receive", "--recipient", "x@in.example.org"]
    said = subprocess.run(command, input="\n", capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (75, "")
    assert re.fullmatch(r"The app cannot be loaded \(\w+\)\.\n", said.stderr)
