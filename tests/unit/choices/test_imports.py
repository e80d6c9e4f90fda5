"""Imports add mutes that can be told from those of candidates; their order says nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sqlalchemy as sa

from flask_optout.addresses import parse
from flask_optout.choices import imports as module
from flask_optout.choices.imports import Imports
from flask_optout.choices.repository import Choices
from flask_optout.wiring import current_state
from tests.support.hosts import Host, say


def rows(host: Host) -> list[tuple[bool, str, int | None]]:
    query = sa.text("SELECT muted, source, batch FROM optout_choice WHERE source <> 'key' ORDER BY source")
    with host.db.engine.connect() as connection:
        return [(bool(muted), source, batch) for muted, source, batch in connection.execute(query)]


JANE, BOB, ANN, KIM = (f"{name}@x.org" for name in ("jane", "bob", "ann", "kim"))


def imported(*people: str, into: int | None = None) -> int:
    """Import mutes of these people, as an import of its own or as more of one; gives its number."""
    imports: Imports = current_state().imports
    number = imports.begin("list.csv", len(people)) if into is None else into
    imports.add(number, [(parse(who), "beta-42") for who in people])
    return number


def muted(host: Host, *people: str) -> list[str]:
    return [who for who in people if not host.optout.may_invite(who, "beta-42")]


def repeats(host: Host) -> list[int]:
    with host.db.engine.connect() as connection:
        return list(connection.scalars(sa.text("SELECT batch FROM optout_import_repeat ORDER BY batch")))


def test_an_import_adds_mutes_and_leaves_one_that_stands_as_it_is(host: Host) -> None:
    say(host, True, JANE)
    say(host, False, BOB)
    number = imported(JANE, BOB, ANN, ANN)
    imported()
    assert rows(host) == [(True, "import", number), (True, "import", number), (True, "page", None)]


def test_what_host_code_mutes_is_no_imports_any_more(host: Host) -> None:
    say(host, True, JANE)
    imported(BOB)
    current_state().choices.add_mutes([(parse(who), "beta-42") for who in (JANE, BOB)], "phone")
    assert rows(host) == [(True, "page", None), (True, "phone", None)]


def test_an_import_is_written_in_the_order_of_its_pseudonyms(host: Host) -> None:
    """So the order of the rows tells nothing about the order of the file."""
    people = [f"person{number}@x.org" for number in range(50)]
    written: list[bytes] = []

    def note(
        connection: object, cursor: object, statement: str, parameters: list[tuple[bytes, bytes]], *more: object
    ) -> None:
        if statement.startswith("INSERT INTO optout_choice"):
            written.extend(bytes(each[1]) for each in parameters if isinstance(each, tuple))

    sa.event.listen(host.db.engine, "before_cursor_execute", note)
    imported(*people)
    assert len(written) == 50 and written == sorted(written)


def test_imports_are_numbered_and_kept_with_their_name_and_rows(host: Host) -> None:
    imports = current_state().imports
    assert imports.all() == []
    assert [imports.begin(name, rows) for name, rows in (("a.csv", 3), ("b" * 200, 4))] == [1, 2]
    first, second = imports.all()
    assert (first.number, first.name, first.rows, first.taken_back) == (1, "a.csv", 3, False)
    assert (second.number, second.name, second.rows) == (2, "b" * 80, 4)


@pytest.mark.parametrize("page", [1, 2, 5_000])
def test_taking_back_removes_what_this_import_alone_muted(
    host: Host, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(module, "PAGE", page)
    say(host, True, JANE)
    first = imported(JANE, BOB, ANN, KIM)
    second = imported(ANN)
    say(host, True, KIM)  # pressed again, so it is theirs
    current_state().imports.take_back(first)
    assert muted(host, JANE, BOB, ANN, KIM) == [JANE, ANN, KIM]
    assert rows(host) == [(True, "import", second), (True, "page", None), (True, "page", None)]
    assert [each.taken_back for each in current_state().imports.all()] == [True, False]
    current_state().imports.take_back(second)
    assert muted(host, JANE, BOB, ANN, KIM) == [JANE, KIM]
    assert repeats(host) == []


def test_a_second_import_notes_what_stands_by_the_first_but_not_its_own_again(host: Host) -> None:
    first = imported(JANE, BOB)
    imported(JANE, into=first)
    assert repeats(host) == []
    second = imported(JANE)
    imported(JANE, into=second)
    assert repeats(host) == [second]
    current_state().imports.take_back(second)
    assert muted(host, JANE, BOB) == [JANE, BOB] and repeats(host) == []


def test_what_two_imports_hold_goes_to_the_oldest_that_is_left(host: Host) -> None:
    first, second, third = (imported(JANE) for _ in range(3))
    current_state().imports.take_back(first)
    assert rows(host) == [(True, "import", second)]
    current_state().imports.take_back(second)
    assert rows(host) == [(True, "import", third)]


@pytest.mark.parametrize("says", [[False], [True, False]])
def test_what_a_candidate_undid_no_earlier_import_holds_any_more(host: Host, says: list[bool]) -> None:
    imported(JANE, BOB)
    imported(JANE, BOB)
    for muted_ in says:
        say(host, muted_, JANE)
    third = imported(JANE, BOB)
    current_state().imports.take_back(third)
    assert muted(host, JANE, BOB) == [BOB]


def test_what_a_candidate_undid_while_an_import_ran_no_earlier_one_holds(host: Host) -> None:
    imported(JANE)
    imported(JANE)
    third = imported()
    say(host, False, JANE)
    imported(JANE, into=third)
    current_state().imports.take_back(third)
    assert muted(host, JANE) == [] and repeats(host) == []


def test_an_import_that_is_taken_back_while_it_runs_is_not_listed_as_taken_back(host: Host) -> None:
    number = imported(JANE)
    current_state().imports.take_back(number)
    imported(BOB, into=number)
    assert [each.taken_back for each in current_state().imports.all()] == [False]
    current_state().imports.take_back(number)
    assert muted(host, JANE, BOB) == [] and current_state().imports.all()[0].taken_back


@pytest.mark.parametrize("seed", range(10))
def test_in_any_order_who_is_muted_is_whom_they_or_a_remaining_import_muted(
    host: Host, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(module, "PAGE", chance.choice([1, 2, 5_000]))
    people = [JANE, BOB, ANN, KIM]
    own, holders = dict.fromkeys(people, False), {who: set[int]() for who in people}
    numbers = [imported()]
    for _ in range(30):
        some, number = chance.sample(people, chance.randint(0, 4)), chance.choice(numbers)
        match chance.choice(["import", "add", "take back", "say"]):
            case "take back":
                current_state().imports.take_back(number)
                for held in holders.values():
                    held.discard(number)
            case "say":
                for who in some:
                    own[who] = chance.random() < 0.5
                    holders[who].clear()
                    say(host, own[who], who)
            case how:
                number = imported(*some, into=number if how == "add" else None)
                numbers.append(number)
                for who in some:
                    holders[who] |= set() if own[who] else {number}
        assert muted(host, *people) == [who for who in people if own[who] or holders[who]]


def test_another_import_is_taken_back_meanwhile(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = imported(JANE), imported(JANE)
    transact, others = Choices.transact, [second]

    def transact_before_another(choices: Choices, *arguments: Any) -> Any:
        after = transact(choices, *arguments)
        if others:
            current_state().imports.take_back(others.pop())
        return after

    monkeypatch.setattr(Choices, "transact", transact_before_another)
    current_state().imports.take_back(first)
    assert muted(host, JANE) == [] and rows(host) == [] and repeats(host) == []


def test_taking_back_nothing_changes_nothing(host: Host) -> None:
    say(host, True)
    empty = current_state().imports.begin("empty.csv", 0)
    current_state().imports.take_back(empty)
    assert rows(host) == [(True, "page", None)] and host.optout.may_invite(BOB, "beta-42")
