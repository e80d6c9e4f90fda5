"""A restored old backup is noticed: no invitation leaves until the journal has put the missing mutes back."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import pytest

from flask_optout import JournalError, StoreUnavailable
from flask_optout.choices import journal
from flask_optout.choices.journal import Entry
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import KEY, OLD, Host, Mailbox, say


def begun(make: MakeHost, folder: Path, **config: Any) -> Host:
    host = make(OPTOUT_JOURNAL=str(folder / "journal"), **config)
    if not (folder / "journal").exists():
        assert cli(host, "--new") == (0, "Beginning the journal\nThe journal and the database agree.\n")
    return host


def cli(host: Host, *options: str) -> tuple[int, str]:
    result = host.app.test_cli_runner().invoke(args=["optout", "replay", *options])
    assert "Traceback" not in result.output
    return result.exit_code, result.output


def backup(host: Host, folder: Path) -> None:
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
        backup(host, tmp_path)
        say(host, True)
        say(host, True, to="undoes@example.org")
        say(host, False, to="undoes@example.org")
        restore(host, tmp_path)
        for person in ("jane@x.org", "nobody@example.org"):
            with pytest.raises(JournalError, match="flask optout replay"):
                host.mail.send(host.invitation(person))
        assert host.press(host.path("new@example.org"), "mute")[0] == 503
        assert cli(host)[0] == 0
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
        assert cli(host)[0] == 0


def test_replay_un_mutes_nobody(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        say(host, True)
        backup(host, tmp_path)
        say(host, False)
        restore(host, tmp_path)
        assert cli(host)[0] == 0
        assert not host.optout.may_invite("jane@x.org", "beta-42")


def test_a_choice_that_is_newer_in_the_database_stays(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        say(host, True)
        say(host, False)
        assert cli(host)[0] == 0
        assert host.optout.may_invite("jane@x.org", "beta-42")


def test_mutes_under_an_older_key_are_put_back_under_the_newest(make: MakeHost, tmp_path: Path) -> None:
    old = begun(make, tmp_path, OPTOUT_KEYS=[OLD])
    with old.app.app_context():
        backup(old, tmp_path)
        say(old, True)
        restore(old, tmp_path)
    new = begun(make, tmp_path, OPTOUT_KEYS=["a newer key of this host, 32 bytes", OLD])
    with new.app.app_context():
        assert cli(new)[0] == 0
        assert not new.optout.may_invite("jane@x.org", "beta-42")


def test_a_journal_that_begins_late_holds_what_was_stored_before(make: MakeHost, tmp_path: Path) -> None:
    host = make()
    with host.app.app_context():
        host.db.session.execute(host.db.text("SELECT 1"))
        backup(host, tmp_path)
        say(host, True)
    host = begun(make, tmp_path)
    restore(host, tmp_path)
    with host.app.app_context():
        assert cli(host)[0] == 0
        assert not host.optout.may_invite("jane@x.org", "beta-42")


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
    assert cli(host)[0] == 1
    assert cli(host, "--new")[0] == 0
    assert cli(host, "--new")[0] == 1


DAMAGES = {
    "a changed digit": lambda data: data.replace(b"mute", b"undo", 1),
    "a lost line end": lambda data: data.replace(b"\n", b" ", 1),
    "garbage": lambda data: data + b"garbage\n",
    "binary": lambda data: b"\xff\xfe" + data,
    "another key's": lambda data: data.replace(data.splitlines()[-1][-4:], b"0000"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_closes_the_gate_and_names_the_file(make: MakeHost, tmp_path: Path, damage: str) -> None:
    host = begun(make, tmp_path)
    with host.app.app_context():
        say(host, True)
    (tmp_path / "journal").write_bytes(DAMAGES[damage]((tmp_path / "journal").read_bytes()))
    again = begun(make, tmp_path)
    with again.app.app_context(), pytest.raises(JournalError, match="damaged.*journal"):
        again.optout.may_invite("jane@x.org", "beta-42")
    code, output = cli(again)
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
        assert cli(host)[0] == 0


@pytest.mark.parametrize("obstacle", ["lock", "new folder"])
def test_a_journal_that_cannot_be_written_refuses_the_press(make: MakeHost, tmp_path: Path, obstacle: str) -> None:
    host = begun(make, tmp_path, OPTOUT_TIMEOUT=0.2)
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
    code, output = cli(host)
    assert code == 1 and "Set OPTOUT_JOURNAL" in output


def test_a_full_file_is_followed_by_another_and_all_are_replayed(
    make: MakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LONGEST_FILE", 1_000)
    host = begun(make, tmp_path)
    people = [f"person{n}@example.org" for n in range(30)]
    with host.app.app_context():
        backup(host, tmp_path)
        for person in people:
            say(host, True, to=person)
        files = sorted(path.name for path in tmp_path.glob("journal.0*"))
        assert len(files) >= 3 and files[0] == "journal.000001"
        restore(host, tmp_path)
        with pytest.raises(JournalError):
            host.optout.may_invite(people[0], "beta-42")
        assert cli(host)[0] == 0
        assert not any(host.optout.may_invite(person, "beta-42") for person in people)


def append(path: str, worker: int) -> None:
    from flask_optout.links.keys import KeyRing

    pen = journal.Journal(Path(path), KeyRing.of([KEY]), 10)
    for n in range(50):
        with pen.writing() as writer:
            writer.append([entry(worker * 1_000 + n)])


def entry(sequence: int) -> Entry:
    import datetime

    return Entry(sequence, b"s" * 8, b"d" * 16, True, "page", datetime.date(2026, 1, 1), b"t" * 4, b"k" * 4)


def test_several_processes_write_whole_lines(make: MakeHost, tmp_path: Path) -> None:
    host = begun(make, tmp_path)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=append, args=(str(tmp_path / "journal"), n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with host.app.app_context():
        written = current_state().journal
        assert written is not None
        assert len([*written.entries()]) == 150
        assert written.sequence() == 2_049
