"""Numbers have their nouns, texts fit 80 columns; long commands show a bar, and the same whoever opted out."""

from __future__ import annotations

import re
import time
from pathlib import Path

import click
import pytest

from flask_optout.choices import journal
from flask_optout.cli.commands import optout_cli
from flask_optout.cli.terminal import WIDTH, format_count, progress, wrap
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.command_line import on_terminal
from tests.support.hosts import Host, say


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ["row"], "0 rows"),
        (1, ["row"], "1 row"),
        (2_000, ["row"], "2,000 rows"),
        (1, ["address is", "addresses are"], "1 address is"),
        (2, ["address is", "addresses are"], "2 addresses are"),
    ],
)
def test_a_number_has_its_noun(number: int, words: list[str], said: str) -> None:
    assert format_count(number, *words) == said


def test_a_text_fits_behind_the_word_error_and_its_commands_stay_whole() -> None:
    text = f"{'what ' * 12}'flask optout init-db' and https://example.org/{'x' * 80}\nSee"
    first, second, third, last = wrap(text).split("\n")
    assert first == " ".join(["what"] * 12) and len(f"Error: {first} 'flask optout init-db'") > 80
    assert (second, last) == ("'flask optout init-db' and", "See") and third.startswith("https://")


def test_an_apostrophe_begins_no_command() -> None:
    text = f"An opportunity's id is not a printable string, such as 'beta-42' or the ids' list {'and on ' * 12}"
    assert max(map(len, wrap(text).split("\n"))) <= WIDTH


LONG = {
    "import": "Reading",
    "prune": "Deleting",
    "replay": "Putting mutes back",
    "replay --new": "Beginning the journal",
}


def prepared(make: MakeHost, folder: Path, command: str, muted: int, people: int) -> tuple[Host, list[str]]:
    """A host where this command has work to do, after some of so many people opted out and the others came back."""
    folder.mkdir()
    old = make(OPTOUT_JOURNAL=str(folder / "journal"), SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'host.db'}")
    with old.app.app_context():
        old.db.create_all()
        current_state().recovery.begin(lambda share: None)
        for number in range(people):
            say(old, True, to=f"person{number}@acme.example")
            if number >= muted:
                say(old, False, to=f"person{number}@acme.example")
    if command == "replay --new":
        (folder / "journal").unlink()
    host = make(
        OPTOUT_JOURNAL=str(folder / "journal"),
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'host.db'}",
        MAIL_SUPPRESS_SEND=True,
    )
    invited = folder / "invited.csv"
    rows = "".join(f"person{number}@acme.example,beta-42\n" for number in range(5))
    invited.write_text("email,opportunity\n" * (command == "import") + rows)
    given = {"import": [str(invited), "--yes"]}
    return host, [*command.split(), *given.get(command, [])]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "BATCH", 2)


@pytest.mark.parametrize("command", LONG)
def test_a_terminal_gets_a_bar_which_tells_nobody_who_opted_out(
    make: MakeHost, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # a bar that takes more than a second shows the time that is left
    outputs = set()
    for muted, people in ((0, 1), (1, 1), (2, 5), (5, 5)):
        host, arguments = prepared(make, tmp_path / f"{muted}-{people}", command, muted, people)
        outputs.add(on_terminal(optout_cli, *arguments, app=host.app))
    [said] = outputs
    assert LONG[command] in said
    assert " 0%" in said and "100%" in said and said.count("%") > 90


@pytest.mark.parametrize("command", LONG)
def test_elsewhere_it_is_plain(make: MakeHost, tmp_path: Path, command: str) -> None:
    host, arguments = prepared(make, tmp_path / "piped", command, 1, 3)
    result = host.app.test_cli_runner().invoke(args=["optout", *arguments])
    assert result.exit_code == 0 and result.output.endswith("\n")
    assert LONG[command] not in result.output
    assert not {"\r", "\x1b", "%", "#"} & set(result.output)


def test_long_work_shows_its_rate_and_the_time_that_is_left() -> None:
    @click.command()
    def work() -> None:
        with progress("Working", "rows") as reach:
            reach(0.3, 300)
            time.sleep(1.1)  # click tells the time after a second
            reach(0.5, 500)

    drawn = re.split(r"[\r\n]+", re.sub(r"\x1b\[(\?25[lh]|K)", "", on_terminal(work)))
    assert re.fullmatch(r"Working  \[#+-+\] +51%  00:00:0\d  [\d,]+ rows/s", drawn[51]), drawn
    assert max(map(len, drawn)) <= WIDTH
