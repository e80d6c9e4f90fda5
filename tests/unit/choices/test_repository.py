"""Choices: what was said last is what stands, and only pseudonyms are kept."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_optout import AddressError, OpportunityError, StoreUnavailable
from flask_optout.addresses import Recipient, parse
from flask_optout.choices.bulk import CHUNK
from flask_optout.choices.key_slots import KeySlots
from flask_optout.choices.repository import Choices, Statement
from flask_optout.choices.store import Store
from flask_optout.choices.tables import ChoiceTables
from flask_optout.links.keys import app_keys
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.databases import Database
from tests.support.hosts import Host, dispose, say


def test_a_mute_binds_one_person_and_one_opportunity(host: Host) -> None:
    say(host, True)
    assert not host.optout.may_invite("jane@x.org", "beta-42")
    assert host.optout.may_invite("jane@x.org", "study-7")
    assert host.optout.may_invite("bob@x.org", "beta-42")


def test_the_last_word_counts_however_often_it_is_said(host: Host) -> None:
    for muted in (True, True, False, False, True, False):
        say(host, muted)
        assert host.optout.may_invite("jane@x.org", "beta-42") is not muted
    with host.db.engine.connect() as connection:
        assert connection.scalar(sa.text("select count(*) from optout_choice")) == 2  # and the key's


def test_all_invitations_are_one_choice_of_their_own(host: Host) -> None:
    say(host, True, everything=True)
    assert not host.optout.may_invite("jane@x.org", "anything")
    say(host, False)
    assert not host.optout.may_invite("jane@x.org", "beta-42")
    say(host, False, everything=True)
    assert host.optout.may_invite("jane@x.org", "beta-42")


def test_a_mute_covers_tagged_addresses_but_not_the_other_way_round(host: Host) -> None:
    say(host, True, to="jane@x.org")
    assert not host.optout.may_invite("jane+2@x.org", "beta-42")
    say(host, True, to="bob+2@x.org")
    assert host.optout.may_invite("bob@x.org", "beta-42")


def test_invitable_keeps_order_spelling_and_repetition(host: Host) -> None:
    say(host, True, to="jane@x.org")
    say(host, True, to="bob@x.org", everything=True)
    asked: list[Recipient] = ["Zoe <zoe@x.org>", "JANE@x.org", "ann@x.org", ("Bob", "bob@x.org"), "ann@x.org"]
    assert list(host.optout.invitable(asked, "beta-42")) == ["Zoe <zoe@x.org>", "ann@x.org", "ann@x.org"]


def test_invitable_is_lazy(host: Host) -> None:
    endless = (f"person{n}@x.org" for n in count())
    say(host, True, to="person1@x.org")
    assert list(islice(host.optout.invitable(endless, "beta-42"), 2)) == ["person0@x.org", "person2@x.org"]
    assert int(next(endless).removeprefix("person").removesuffix("@x.org")) == CHUNK


def test_invitable_yields_what_stands_before_a_malformed_address_and_says_which_it_was(host: Host) -> None:
    found = host.optout.invitable(["ann@x.org", "bob@x.org", "c@@x.org", "dan@x.org"], "beta-42")
    assert [next(found), next(found)] == ["ann@x.org", "bob@x.org"]
    with pytest.raises(AddressError, match="Address 3"):
        next(found)


def test_an_id_that_cannot_stand_in_a_link_is_refused_by_every_question(host: Host) -> None:
    with pytest.raises(OpportunityError):
        host.optout.may_invite("jane@x.org", "")
    with pytest.raises(OpportunityError):
        next(host.optout.invitable(["jane@x.org"], "a\nb"))


def test_the_store_holds_no_address_and_no_opportunity(host: Host, tmp_path: Path) -> None:
    say(host, True)
    stored = (tmp_path / "host.db").read_bytes()
    assert b"jane" not in stored and b"x.org" not in stored and b"beta-42" not in stored


def test_a_store_without_tables_is_unavailable_and_the_error_says_what_to_run(host: Host) -> None:
    host.db.drop_all()
    with pytest.raises(StoreUnavailable, match="flask optout init-db"):
        host.optout.may_invite("jane@x.org", "beta-42")
    with pytest.raises(StoreUnavailable) as failed:
        say(host, True)
    assert "jane" not in str(failed.value)


def test_choices_need_no_flask(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
    metadata = sa.MetaData()
    tables, store = ChoiceTables(metadata), Store(lambda: engine, lambda: None)
    metadata.create_all(engine)
    slots = KeySlots(store, tables, (tables.choice,), app_keys(["k" * 32]), 1, "SECRET_KEY")
    choices = Choices(store, tables, slots, None, lambda: None)
    jane = parse("jane@x.org")
    assert choices.is_new() and not choices.muted(jane, "beta-42")
    choices.add_mutes([(jane, "beta-42")], "phone")
    assert choices.muted(jane, "beta-42") and not choices.is_new()
    engine.dispose()


def test_one_look_is_one_statement(host: Host) -> None:
    say(host, True)
    statements: list[str] = []
    sa.event.listen(
        host.db.engine,
        "before_cursor_execute",
        lambda connection, cursor, statement, *more: statements.append(statement),
    )
    assert not host.optout.may_invite("jane+2@x.org", "beta-42")
    assert len(statements) == 1
    with current_state().choices.looking() as muted:
        assert muted(parse("jane@x.org"), "beta-42") and not muted(parse("bob@x.org"), "beta-42")
    assert len(statements) == 3


def test_a_look_within_a_batch_sees_what_was_said_meanwhile(database: Database, make: MakeHost) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        say(host, True, "bob@x.org")
        with current_state().choices.looking() as muted:
            assert not muted(parse("jane@x.org"), "beta-42")
            say(host, True)
            assert muted(parse("jane@x.org"), "beta-42")
        dispose(host)


def rows(host: Host) -> list[tuple[bool, str, int | None]]:
    query = sa.text("SELECT muted, source, batch FROM optout_choice WHERE source <> 'key' ORDER BY source")
    with host.db.engine.connect() as connection:
        return [(bool(muted), source, batch) for muted, source, batch in connection.execute(query)]


def test_a_mute_that_is_made_while_an_import_writes_is_the_candidates(database: Database, make: MakeHost) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        key, choices = current_state().key, current_state().choices
        marks = [key.mark(parse(who), "beta-42") for who in ("jane@x.org", "bob@x.org")]
        say(host, True)
        # As where the press was committed after the import had looked.
        choices.transact(lambda connection: (None, [Statement(mark, True, "import", 7) for mark in marks]))
        assert rows(host) == [(True, "import", 7), (True, "page", None)]
        dispose(host)


def test_an_import_adds_mutes_and_leaves_one_that_stands_as_it_is(host: Host) -> None:
    say(host, True)
    say(host, False, "bob@x.org")
    people = [(parse(who), "beta-42") for who in ("jane@x.org", "bob@x.org", "ann@x.org", "ann@x.org")]
    current_state().imports.add(7, people)
    assert rows(host) == [(True, "import", 7), (True, "import", 7), (True, "page", None)]
    current_state().imports.add(8, [])


def test_what_host_code_mutes_is_no_imports_any_more(host: Host) -> None:
    say(host, True)
    current_state().imports.add(7, [(parse("bob@x.org"), "beta-42")])
    current_state().choices.add_mutes([(parse(who), "beta-42") for who in ("jane@x.org", "bob@x.org")], "phone")
    assert rows(host) == [(True, "page", None), (True, "phone", None)]


def test_many_mutes_in_one_transaction(database: Database, make: MakeHost) -> None:
    host = make(SQLALCHEMY_DATABASE_URI=database.uri)
    with host.app.app_context():
        people = [f"person{number}@x.org" for number in range(1_001)]
        current_state().choices.add_mutes([(parse(who), "beta-42") for who in people], "import")
        assert list(host.optout.invitable([*people, "ann@x.org"], "beta-42")) == ["ann@x.org"]
        dispose(host)


def test_the_order_of_rows_says_nothing_about_the_order_of_an_import(host: Host) -> None:
    """V4: they are written by pseudonym."""
    people = [(parse(f"person{number}@x.org"), "beta-42") for number in range(50)]
    written: list[bytes] = []

    def note(
        connection: object, cursor: object, statement: str, parameters: list[tuple[bytes, bytes]], *more: object
    ) -> None:
        if statement.startswith("INSERT INTO optout_choice"):
            written.extend(bytes(each[1]) for each in parameters if isinstance(each, tuple))

    sa.event.listen(host.db.engine, "before_cursor_execute", note)
    current_state().imports.add(7, people)
    assert len(written) == 50 and written == sorted(written)
