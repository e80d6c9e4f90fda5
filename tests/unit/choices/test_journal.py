"""The journal's file: whole lines with a checksum, one writer at a time, and a number that the database must know.

Replaying it puts back the mutes that a database lacks, and un-mutes nobody.
"""

from __future__ import annotations

import datetime
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_optout import JournalError, StoreUnavailable
from flask_optout.choices import journal as module
from flask_optout.choices.journal import (
    BATCH,
    NUMBER,
    Journal,
    JournalEntry,
    Recovery,
    advance_number,
    check_database,
    check_journal,
)
from flask_optout.choices.store import Store
from flask_optout.choices.tables import ChoiceTables
from flask_optout.links.tokens import DataKey

KEY = DataKey(b"k" * 32)


def entry(number: int, person: int = 1, muted: bool = True) -> JournalEntry:
    return JournalEntry(number, b"s" * 8, person.to_bytes(16, "big"), muted, "page", datetime.date(2026, 1, 1))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(path: Path) -> Journal:
    journal = Journal(path, lambda: KEY)
    journal.begin([])
    return journal


def add(journal: Journal, *entries: JournalEntry) -> None:
    with journal.writing() as append:
        append(entries)


def test_what_is_written_is_read_again_in_its_order(journal: Journal) -> None:
    assert journal.newest_number() == 0 and list(journal.read_entries()) == []
    add(journal, entry(1), entry(1, muted=False))
    add(journal, entry(4))
    assert list(journal.read_entries()) == [entry(1), entry(1, muted=False), entry(4)]
    assert journal.newest_number() == 4


def test_it_may_begin_with_entries_and_only_once(path: Path) -> None:
    Journal(path, lambda: KEY).begin(entry(0) for _ in range(3))
    assert list(Journal(path, lambda: KEY).read_entries()) == [entry(0)] * 3
    with pytest.raises(JournalError, match="is there already"):
        Journal(path, lambda: KEY).begin([])
    assert sorted(each.name for each in path.parent.iterdir()) == ["journal", "journal.lock"]


def test_a_line_that_was_not_finished_was_told_to_nobody(journal: Journal, path: Path) -> None:
    add(journal, entry(1))
    with path.open("ab") as file:
        file.write(b"2 0011")
    assert journal.newest_number() == 1 and list(journal.read_entries()) == [entry(1)]
    add(journal, entry(3))
    assert list(journal.read_entries()) == [entry(1), entry(3)]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a changed word": lambda data: data.replace(b"mute", b"undo", 1),
    "a lost line end": lambda data: data.replace(b"\n", b" ", 1),
    "garbage": lambda data: data + b"garbage\n",
    "binary": lambda data: b"\xff\xfe" + data,
    "a changed checksum": lambda data: data[:-5] + b"0000\n",
    "nothing": lambda data: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_read_no_further(journal: Journal, path: Path, damage: str) -> None:
    add(journal, entry(1))
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(JournalError, match="journal is damaged"):
        list(journal.read_entries())
    with pytest.raises(JournalError, match="journal is damaged"):
        journal.newest_number()


def test_that_of_another_store_is_damaged(journal: Journal, path: Path) -> None:
    with pytest.raises(JournalError, match="damaged"):
        Journal(path, lambda: DataKey(b"x" * 32)).newest_number()


def test_a_missing_one_says_how_to_begin_one(path: Path) -> None:
    with pytest.raises(JournalError, match="flask optout replay --new"):
        Journal(path, lambda: KEY).newest_number()


def test_there_is_one_writer_at_a_time(journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.01)
    with path.with_name("journal.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable, match="OPTOUT_JOURNAL"):
            add(journal, entry(1))
    add(journal, entry(2))
    assert list(journal.read_entries()) == [entry(2)]


@pytest.mark.parametrize(("stored", "newest"), [("2 1", 3), (None, 0)])
def test_a_database_that_does_not_know_the_newest_line_is_an_old_one(stored: str | None, newest: int) -> None:
    with pytest.raises(JournalError, match="older than the journal"):
        check_database(stored, newest)


def test_a_journal_that_lacks_a_line_which_the_database_knows_is_an_old_one() -> None:
    with pytest.raises(JournalError, match="lacks choices that the database holds"):
        check_journal("4 3", 2)


@pytest.mark.parametrize("stored", ["3 2", "3 3", "4 3", "9 3"])
def test_those_that_belong_together_agree_also_where_lines_were_never_written(stored: str) -> None:
    check_database(stored, 3)
    check_journal(stored, 3)


def test_the_next_number_is_greater_than_every_one_before() -> None:
    engine, metadata = sa.create_engine("sqlite://"), sa.MetaData()
    meta = ChoiceTables(metadata).meta
    metadata.create_all(engine)
    with engine.connect() as connection:
        connection.execute(meta.insert().values(name="journal", value="7 5"))
        assert [advance_number(connection, meta, 5), advance_number(connection, meta, 5)] == [8, 9]
        for newest in (4, 10):
            with pytest.raises(JournalError):
                advance_number(connection, meta, newest)
    engine.dispose()


@pytest.fixture
def recovery(tmp_path: Path) -> Iterator[Recovery]:
    engine, metadata = sa.create_engine("sqlite://"), sa.MetaData()
    tables = ChoiceTables(metadata)
    metadata.create_all(engine)
    journal = Journal(tmp_path / "journal", lambda: KEY)
    yield Recovery(Store(lambda: engine, lambda: None), tables, journal)
    engine.dispose()


def store(recovery: Recovery, *entries: JournalEntry) -> None:
    rows = [{name: value for name, value in each._asdict().items() if name != "number"} for each in entries]
    recovery.store.write(lambda connection: connection.execute(recovery.tables.choice.insert(), rows))


def muted(recovery: Recovery) -> dict[int, bool]:
    choice = recovery.tables.choice.c
    rows = recovery.store.read(lambda connection: connection.execute(sa.select(choice.digest, choice.muted)).all())
    return {int.from_bytes(digest, "big"): bool(is_muted) for digest, is_muted in rows}


def known(recovery: Recovery) -> str | None:
    meta = recovery.tables.meta.c
    return recovery.store.read(lambda connection: connection.scalar(sa.select(meta.value).where(meta.name == NUMBER)))


def test_each_person_is_muted_whose_last_word_in_the_journal_is_a_mute(recovery: Recovery) -> None:
    recovery.journal.begin(
        [entry(1, 1), entry(2, 2), entry(3, 2, muted=False), entry(4, 3, muted=False), entry(5, 3)]
    )
    recovery.replay(lambda share: None)
    assert muted(recovery) == {1: True, 3: True} and known(recovery) == "5 5"


def test_nobody_is_un_muted_and_a_second_run_changes_nothing(recovery: Recovery) -> None:
    store(recovery, entry(0, 1), entry(0, 2, muted=False))
    recovery.journal.begin([entry(1, 1, muted=False), entry(2, 2)])
    for _ in range(2):
        recovery.replay(lambda share: None)
        assert muted(recovery) == {1: True, 2: True} and known(recovery) == "2 2"


def test_a_new_journal_holds_what_is_stored_and_not_the_row_of_the_key(recovery: Recovery) -> None:
    store(
        recovery,
        JournalEntry(0, bytes(8), b"k" * 16, False, "key", datetime.date(2026, 1, 1)),
        *(entry(0, person) for person in range(BATCH + 2)),
    )
    shares: list[float] = []
    recovery.begin(shares.append)
    assert list(recovery.journal.read_entries()) == [entry(0, person) for person in range(BATCH + 2)]
    assert known(recovery) == "0 0" and shares == sorted(shares) and shares[0] < 1 and 0.9 < shares[-1] <= 1
    with pytest.raises(JournalError, match="is there already"):
        recovery.begin(shares.append)


def test_progress_goes_from_nothing_to_everything(recovery: Recovery) -> None:
    recovery.journal.begin(entry(number, number) for number in range(1, BATCH + 3))
    shares: list[float] = []
    recovery.replay(shares.append)
    assert shares == sorted(shares) and 0 < shares[0] < 0.1 and 0.9 < shares[-1] <= 1
