"""A restored old backup is noticed: no invitation leaves until the journal has put the missing mutes back."""

from __future__ import annotations

import datetime
import multiprocessing
import shutil
import threading
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from flask_optout import JournalError, StoreUnavailable
from flask_optout.addresses import parse
from flask_optout.choices.journal import Journal, JournalEntry
from flask_optout.choices.store import Store
from flask_optout.links.tokens import DataKey
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import Host, Mailbox, dispose, say
from tests.support.people import run

pytestmark = pytest.mark.long


def begun(make: MakeHost, folder: Path, **config: Any) -> Host:
    host = make(OPTOUT_JOURNAL=str(folder / "journal"), **config)
    if not (folder / "journal").exists():
        assert replay(host, "--new") == (0, "The journal and the database agree.\n")
    return host


def replay(host: Host, *options: str) -> tuple[int, str]:
    return run(host, "replay", *options)


def backup(folder: Path) -> None:
    shutil.copy(folder / "host.db", folder / "backup.db")


def restore(host: Host, folder: Path) -> None:
    with host.app.app_context():
        host.db.engine.dispose()
    shutil.copy(folder / "backup.db", folder / "host.db")


def test_a_restored_backup_closes_the_gate_until_the_journal_is_replayed(
    make: MakeHost, smtp: Mailbox, tmp_path: Path
) -> None:
    host = begun(make, tmp_path, MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        say(host, True, to="early@example.org")
        backup(tmp_path)
        say(host, True)
        say(host, True, to="undoes@example.org")
        say(host, False, to="undoes@example.org")
        restore(host, tmp_path)
        for person in ("jane@x.org", "nobody@example.org"):
            with pytest.raises(JournalError, match="flask optout replay"):
                host.mail.send(host.invitation(person))
        assert host.press(host.path("new@example.org"), "mute")[0] == 503
        assert replay(host)[0] == 0
        for person, invited in {
            "early@example.org": 0,
            "jane@x.org": 0,
            "undoes@example.org": 1,
            "bob@x.org": 1,
        }.items():
            host.mail.send(host.invitation(person))
            assert len(smtp.to(person)) == invited
        say(host, True, to="new@example.org")
        assert not host.optout.may_invite("new@example.org", "beta-42")
        assert replay(host)[0] == 0


def test_replay_un_mutes_nobody(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        say(host, True)
        backup(tmp_path)
        say(host, False)
        restore(host, tmp_path)
        assert replay(host)[0] == 0
        assert not host.optout.may_invite("jane@x.org", "beta-42")


def test_a_choice_that_is_newer_in_the_database_stays(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        say(host, True)
        say(host, False)
        assert replay(host)[0] == 0
        assert host.optout.may_invite("jane@x.org", "beta-42")


def test_a_new_key_of_the_app_changes_nothing(make: MakeHost, tmp_path: Path) -> None:
    old, new = "the old key of this host, 32 bytes", "the new key of this host, 32 bytes"
    host = begun(make, tmp_path, OPTOUT_KEYS=[old])
    with host.app.app_context():
        backup(tmp_path)
        say(host, True)
    newer = begun(make, tmp_path, OPTOUT_KEYS=[new, old])
    assert run(newer, "rotate-key")[0] == 0
    restore(newer, tmp_path)
    again = begun(make, tmp_path, OPTOUT_KEYS=[new, old])
    with again.app.app_context():
        with pytest.raises(JournalError):
            again.optout.may_invite("bob@x.org", "beta-42")
        assert replay(again)[0] == 0
        assert not again.optout.may_invite("jane@x.org", "beta-42")


def test_a_journal_that_begins_late_holds_what_was_stored_before(make: MakeHost, tmp_path: Path) -> None:
    host = make()
    with host.app.app_context():
        say(host, True, to="bob@x.org")
        backup(tmp_path)
        say(host, True)
    host = begun(make, tmp_path)
    restore(host, tmp_path)
    with host.app.app_context():
        with pytest.raises(JournalError, match="older than the journal"):
            host.optout.may_invite("jane@x.org", "beta-42")
        assert replay(host)[0] == 0
        assert not host.optout.may_invite("jane@x.org", "beta-42")


def test_a_backup_from_the_time_of_the_journal_before_is_an_old_one_too(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        for number in range(3):
            say(host, True, to=f"early{number}@x.org")
        backup(tmp_path)
        (tmp_path / "journal").unlink()
        assert replay(host, "--new")[0] == 0
        say(host, True)
        restore(host, tmp_path)
        with pytest.raises(JournalError, match="older than the journal"):
            host.optout.may_invite("jane@x.org", "beta-42")
        assert replay(host)[0] == 0
        assert not host.optout.may_invite("jane@x.org", "beta-42")


def begin_another(host: Host, path: Path) -> None:
    """As another machine does, whose journal stands on a disk of its own."""
    kept = path.read_bytes()
    path.unlink()
    assert replay(host, "--new")[0] == 0
    say(host, True, to="elsewhere@x.org")
    path.write_bytes(kept)


#: How a journal comes to lack what was said.
OLD_JOURNALS: dict[str, Callable[[Host, Path], object]] = {
    "cut off": lambda host, path: path.write_bytes(path.read_bytes()[:-400]),
    "cut off at a line's end": lambda host, path: path.write_bytes(
        b"".join(path.read_bytes().splitlines(keepends=True)[:3])
    ),
    "that of another machine": begin_another,
}


@pytest.mark.parametrize("old", OLD_JOURNALS)
def test_a_journal_that_lacks_choices_closes_the_gate_until_it_is_begun_anew(
    make: MakeHost, smtp: Mailbox, tmp_path: Path, old: str
) -> None:
    host = begun(make, tmp_path, MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        for number in range(9):
            say(host, True, to=f"person{number}@x.org")
        OLD_JOURNALS[old](host, tmp_path / "journal")
        for question in (
            lambda: host.optout.may_invite("ann@x.org", "beta-42"),
            lambda: host.mail.send(host.invitation()),
            lambda: say(host, True),
        ):
            with pytest.raises(JournalError, match="lacks choices that the database holds"):
                question()
        code, output = replay(host)
        assert code == 1 and "move the file away" in " ".join(output.split())
        (tmp_path / "journal").rename(tmp_path / "old")
        assert replay(host, "--new")[0] == 0
        host.mail.send(host.invitation())
        assert not any(host.optout.may_invite(f"person{number}@x.org", "beta-42") for number in range(9))
    assert len(smtp.received) == 1


def test_the_journal_holds_pseudonyms_only(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        say(host, True)
    text = (tmp_path / "journal").read_text()
    assert text.count("\n") == 2 and "jane" not in text and "beta" not in text


def test_a_missing_journal_closes_the_gate_and_the_page_says_that_nothing_changed(
    make: MakeHost, tmp_path: Path
) -> None:
    host = make(OPTOUT_JOURNAL=str(tmp_path / "journal"))
    with host.app.app_context():
        with pytest.raises(JournalError, match="flask optout replay --new"):
            host.optout.may_invite("jane@x.org", "beta-42")
        status, page = host.press(host.path(), "mute")
        assert status == 503 and "Nothing changed." in page
    assert replay(host)[0] == 1
    assert replay(host, "--new")[0] == 0
    assert replay(host, "--new")[0] == 1


def test_a_damaged_journal_closes_the_gate_and_names_the_file(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        say(host, True)
    (tmp_path / "journal").write_bytes((tmp_path / "journal").read_bytes().replace(b"mute", b"undo"))
    again = begun(make, tmp_path)
    with again.app.app_context(), pytest.raises(JournalError, match="journal is damaged"):
        again.optout.may_invite("jane@x.org", "beta-42")
    code, output = replay(again)
    assert code == 1 and "damaged" in output


def test_what_a_killed_process_left_unfinished_does_no_harm(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        say(host, True)
        with (tmp_path / "journal").open("ab") as file:
            file.write(b"3 0011")
        assert not host.optout.may_invite("jane@x.org", "beta-42")
        say(host, True, to="bob@x.org")
        assert b"3 0011" not in (tmp_path / "journal").read_bytes().splitlines()[-1]
        assert replay(host)[0] == 0


def test_a_journal_that_cannot_be_written_refuses_the_press(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        lock = tmp_path / "journal.lock"
        lock.unlink()
        lock.mkdir()
        with pytest.raises(StoreUnavailable, match="OPTOUT_JOURNAL"):
            say(host, True)
        assert host.press(host.path(), "mute")[0] == 503
        lock.rmdir()
        say(host, True)


def test_without_the_setting_replay_says_what_to_set(host: Host) -> None:
    code, output = replay(host)
    assert code == 1 and "Set OPTOUT_JOURNAL" in output


#: Where a process is killed while it stores a choice, and whether the choice may have come into the database.
KILLED: dict[str, tuple[type[Any], str, bool]] = {
    "before the transaction": (Store, "write", False),
    "between the commit and the line": (Journal, "_append", True),
}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("point", KILLED)
def test_a_process_that_is_killed_blocks_nobody_and_tells_nobody(
    make: MakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    owner, function, stored = KILLED[point]
    host = begun(make, tmp_path)
    with host.app.app_context():
        say(host, True, to="early@x.org")

        def kill(*args: Any, **kwargs: Any) -> None:
            raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(owner, function, kill)
            say(host, True)
        assert host.optout.may_invite("jane@x.org", "beta-42") is not stored
        backup(tmp_path)
        for person in ("bob@x.org", "ann@x.org"):
            say(host, True, to=person)
        restore(host, tmp_path)  # what was told since is missed, though a number was left out before it
        with pytest.raises(JournalError):
            host.optout.may_invite("cy@x.org", "beta-42")
        assert replay(host)[0] == 0
        assert not any(host.optout.may_invite(f"{name}@x.org", "beta-42") for name in ("early", "bob", "ann"))


def test_one_number_a_transaction(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        for batch in (1, 2):
            people = [(parse(f"person{n}.{batch}@x.org"), "beta-42") for n in range(5)]
            current_state().imports.add(batch, people)
        current_state().imports.add(3, people)  # who are muted already: nothing is written
        say(host, True)
        written = current_state().journal
        assert written is not None
        assert [entry.number for entry in written.read_entries()] == [1] * 5 + [2] * 5 + [3]


def test_behind_its_journal_nobody_is_told_anything(make: MakeHost, smtp: Mailbox, tmp_path: Path) -> None:
    host = begun(make, tmp_path, MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        say(host, True, to="bob@x.org")
        backup(tmp_path)
        say(host, True)
        restore(host, tmp_path)
        for question in (
            lambda: host.optout.may_invite("ann@x.org", "beta-42"),
            lambda: list(host.optout.invitable(["ann@x.org"], "beta-42")),
            lambda: host.mail.send(host.invitation()),
            lambda: host.mail.send_invitations([host.invitation()]),
            lambda: say(host, True),
            lambda: current_state().choices.add_mutes([(parse("ann@x.org"), "beta-42")], "import"),
        ):
            with pytest.raises(JournalError, match="flask optout replay"):
                question()
        assert host.app.test_client().get(host.path()).status_code == 503
        assert host.press(host.path(), "mute")[0] == 503


def test_a_look_is_not_behind_while_the_host_has_a_transaction_open(
    database: Database, make: MakeHost, tmp_path: Path
) -> None:
    host = begun(make, tmp_path, SQLALCHEMY_DATABASE_URI=database.uri)
    found: list[bool] = []

    def look() -> None:
        with host.app.app_context():
            found.append(host.optout.may_invite("jane@x.org", "beta-42"))

    with host.app.app_context():
        say(host, True, to="bob@x.org")
        host.db.session.execute(host.db.text("SELECT * FROM optout_meta")).all()
        say(host, True)
        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        host.db.session.rollback()
        assert found == [False, False]
    dispose(host)


def test_looks_and_presses_at_once_are_never_behind(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    errors: list[BaseException] = []
    together = threading.Barrier(3)

    def work(call: Callable[[int], Any]) -> None:
        together.wait(60)
        try:
            with host.app.app_context():
                for number in range(60):
                    call(number)
        except BaseException as error:
            errors.append(error)

    calls: list[Callable[[int], Any]] = [
        lambda number: say(host, True, to=f"one{number}@x.org"),
        lambda number: say(host, True, to=f"two{number}@x.org"),
        lambda number: host.optout.may_invite(f"one{number}@x.org", "beta-42"),
    ]
    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def append(path: str, together: Barrier) -> None:
    written = Journal(Path(path), lambda: DataKey(b"k" * 32))
    together.wait(60)
    for _ in range(50):
        with written.writing() as append_all:
            append_all([entry(written.newest_number() + 1)])


def entry(number: int) -> JournalEntry:
    return JournalEntry(number, b"s" * 8, b"d" * 16, True, "page", datetime.date(2026, 1, 1))


def test_several_processes_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written = Journal(path, lambda: DataKey(b"k" * 32))
    written.begin([])
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(3)
    workers = [context.Process(target=append, args=(str(path), together)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert [entry.number for entry in written.read_entries()] == list(range(1, 151))
    assert written.newest_number() == 150
