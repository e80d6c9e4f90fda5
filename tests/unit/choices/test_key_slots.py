"""The slots of the data key: made once, opened by each of the app's keys, and missed when they are gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from flask_optout import ConfigurationError
from flask_optout.choices.key_slots import FIRST, KEY_SCOPE, SLOT, AppKey, KeySlots, make_app_keys
from flask_optout.choices.store import Store, Work
from flask_optout.choices.tables import ChoiceTables
from flask_optout.links.tokens import DataKey

A, B, C = (f"{letter} key of this host, 32 bytes or more" for letter in "ABC")


@dataclass
class Process:
    """What each process of an app does with one store."""

    engine: sa.Engine
    tables: ChoiceTables

    def slots(self, *keys: str, writes: int | None = None) -> KeySlots:
        store = Store(lambda: self.engine, lambda: None)
        app_keys = [AppKey(key) for key in keys]
        return KeySlots(store, self.tables, [self.tables.choice], app_keys, writes or len(keys), "OPTOUT_KEYS")

    def names(self) -> set[str]:
        with self.engine.connect() as connection:
            return set(connection.scalars(sa.select(self.tables.meta.c.name)))

    def run(self, statement: sa.Executable) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement)


@pytest.fixture
def process() -> Iterator[Process]:
    engine, metadata = sa.create_engine("sqlite://"), sa.MetaData()
    tables = ChoiceTables(metadata)
    metadata.create_all(engine)
    yield Process(engine, tables)
    engine.dispose()


def slot(key: str) -> str:
    return SLOT + AppKey(key).id


def test_a_new_store_has_none_until_it_is_opened(process: Process) -> None:
    slots = process.slots(A)
    assert slots.find() is None and process.names() == set()
    key = slots.open()
    assert process.names() == {FIRST, slot(A)} and slots.find() is key
    with process.engine.connect() as connection:
        [row] = connection.execute(sa.select(process.tables.choice))
    assert (row.scope, row.digest, row.muted) == (KEY_SCOPE, key.id, False)


def test_each_key_opens_the_same_one_and_only_some_of_them_wrap_a_new_one(process: Process) -> None:
    made = process.slots(A, B, C, writes=2).open()
    assert process.names() == {FIRST, slot(A), slot(B)}
    assert {process.slots(key).open().id for key in (A, B)} == {made.id}


def test_who_comes_second_takes_the_key_of_the_first(process: Process) -> None:
    first, second = process.slots(A), process.slots(A)
    assert first.find() is None and second.find() is None
    assert first.open().id == second.open().id


def test_a_newest_key_without_a_slot_gets_one_when_the_store_is_opened(process: Process) -> None:
    made = process.slots(A).open()
    newer = process.slots(B, A)
    assert newer.find() is not None and slot(B) not in process.names()
    assert newer.open().id == made.id and slot(B) in process.names()


def test_after_a_rotation_the_newest_key_alone_opens_the_store(process: Process) -> None:
    made = process.slots(B, A).open()
    slots = process.slots(C, B, A)
    assert slots.rotate() == 2
    assert slots.is_open and process.names() == {FIRST, slot(C)}
    assert process.slots(C).open().id == made.id and process.slots(C).rotate() == 0
    for old in (A, B):
        with pytest.raises(ConfigurationError, match="No key of OPTOUT_KEYS"):
            process.slots(old).open()


def test_a_key_that_opens_nothing_is_told_which_one_does(process: Process) -> None:
    process.slots(A).open()
    with pytest.raises(ConfigurationError, match=rf"No key of OPTOUT_KEYS.*{AppKey(A).id}"):
        process.slots(C).open()


def test_a_damaged_slot_opens_nothing(process: Process) -> None:
    process.slots(A).open()
    process.run(process.tables.meta.update().values(value="damaged"))
    with pytest.raises(ConfigurationError, match=f"damaged.*{AppKey(A).id}"):
        process.slots(A).open()


@pytest.mark.parametrize(
    ("emptied", "said"),
    [("meta", "data key is missing in optout_meta"), ("choice", "optout_choice are gone")],
)
def test_a_lost_table_is_an_error(process: Process, emptied: str, said: str) -> None:
    process.slots(A).open()
    process.run(getattr(process.tables, emptied).delete())
    with pytest.raises(ConfigurationError, match=said):
        process.slots(A).find()


def test_a_store_that_lost_its_slots_alone_says_how_to_begin_anew(process: Process) -> None:
    process.slots(A).open()
    process.run(process.tables.choice.delete())
    process.run(process.tables.meta.delete().where(process.tables.meta.c.name == slot(A)))
    for look in (KeySlots.find, KeySlots.open):
        slots = process.slots(A)
        with pytest.raises(ConfigurationError, match="data key is missing in optout_meta.*empty both"):
            look(slots)
        assert not slots.is_open
    process.run(process.tables.meta.delete())
    assert process.slots(A).open().secret


def test_of_two_rotations_at_once_to_different_keys_one_slot_stays(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = process.slots(A).open()
    one, other = process.slots(B, A), process.slots(C, A)
    other.open()
    write = other.store.write

    def write_second(work: Work[Any]) -> Any:
        one.rotate()
        return write(work)

    monkeypatch.setattr(other.store, "write", write_second)
    other.rotate()
    assert process.names() == {FIRST, slot(C)} and process.slots(C).open().id == made.id


def test_a_slot_of_another_store_is_an_error(process: Process) -> None:
    process.slots(A).open()
    process.run(process.tables.meta.update().values(value=AppKey(A).wrap(DataKey(b"x" * 32))))
    with pytest.raises(ConfigurationError, match="another data key"):
        process.slots(A).find()


APP_KEY = AppKey("an app's key of 32 bytes or more.")
KEY = DataKey(b"d" * 32)


def test_a_data_key_is_wrapped_by_an_apps_key_and_opened_by_no_other() -> None:
    wrapped = APP_KEY.wrap(KEY)
    assert APP_KEY.unwrap(wrapped).secret == KEY.secret
    with pytest.raises(ConfigurationError, match="damaged"):
        AppKey("another key of 32 bytes or more..").unwrap(wrapped)


@pytest.mark.parametrize("damage", ["", "x", "é", "gAAAAA", APP_KEY.wrap(KEY)[:-4]])
def test_a_damaged_slot_is_named_and_says_what_to_restore(damage: str) -> None:
    with pytest.raises(ConfigurationError, match=f"slot {APP_KEY.id}.*Restore the table optout_meta"):
        APP_KEY.unwrap(damage)


def test_a_key_has_one_short_id_as_text_and_as_bytes() -> None:
    assert AppKey(b"an app's key of 32 bytes or more.").id == APP_KEY.id != AppKey(A).id
    assert re.fullmatch("[0-9a-f]{16}", APP_KEY.id)


@pytest.mark.parametrize("given", [[], [None], [""], [b""], ["k", None], [5], ["k", ""]], ids=repr)
def test_without_a_usable_key_the_error_names_the_settings(given: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"OPTOUT_KEYS and SECRET_KEY .*secrets\.token_hex"):
        make_app_keys(given)


def test_a_key_that_is_given_twice_is_one() -> None:
    assert [key.secret for key in make_app_keys(["new", "old", b"new"])] == [b"new", b"old"]
