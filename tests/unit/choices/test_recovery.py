"""Replaying a journal puts back the mutes that a database lacks, and un-mutes nobody."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_optout import JournalError
from flask_optout.choices.journal import NUMBER, Entry, Journal
from flask_optout.choices.recovery import BATCH, Recovery
from flask_optout.choices.store import Store
from flask_optout.choices.tables import ChoiceTables
from flask_optout.links.keys import DataKey

SCOPE, DAY = b"s" * 8, datetime.date(2026, 1, 1)


def entry(number: int, person: int, muted: bool = True) -> Entry:
    return Entry(number, SCOPE, person.to_bytes(16, "big"), muted, "page", DAY)


@pytest.fixture
def recovery(tmp_path: Path) -> Iterator[Recovery]:
    engine, metadata = sa.create_engine("sqlite://"), sa.MetaData()
    tables = ChoiceTables(metadata)
    metadata.create_all(engine)
    journal = Journal(tmp_path / "journal", lambda: DataKey(b"k" * 32))
    yield Recovery(Store(lambda: engine, lambda: None), tables, journal)
    engine.dispose()


def store(recovery: Recovery, *entries: Entry) -> None:
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
    assert muted(recovery) == {1: True, 3: True} and known(recovery) == "5"


def test_nobody_is_un_muted_and_a_second_run_changes_nothing(recovery: Recovery) -> None:
    store(recovery, entry(0, 1), entry(0, 2, muted=False))
    recovery.journal.begin([entry(1, 1, muted=False), entry(2, 2)])
    for _ in range(2):
        recovery.replay(lambda share: None)
        assert muted(recovery) == {1: True, 2: True} and known(recovery) == "2"


def test_a_new_journal_holds_what_is_stored_and_not_the_row_of_the_key(recovery: Recovery) -> None:
    store(
        recovery, Entry(0, bytes(8), b"k" * 16, False, "key", DAY), *(entry(0, person) for person in range(BATCH + 2))
    )
    shares: list[float] = []
    recovery.begin(shares.append)
    assert list(recovery.journal.entries()) == [entry(0, person) for person in range(BATCH + 2)]
    assert known(recovery) == "0" and shares == sorted(shares) and len(shares) == 2
    with pytest.raises(JournalError, match="is there already"):
        recovery.begin(shares.append)


def test_progress_goes_from_nothing_to_everything(recovery: Recovery) -> None:
    recovery.journal.begin(entry(number, number) for number in range(1, BATCH + 3))
    shares: list[float] = []
    recovery.replay(shares.append)
    assert shares == sorted(shares) and 0 < shares[0] < 0.1 and 0.9 < shares[-1] <= 1
