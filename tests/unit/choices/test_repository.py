"""Choices: what was said last is what stands, and only pseudonyms are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_optout import OpportunityError, StoreUnavailable
from flask_optout.addresses import parse
from flask_optout.choices.key_slots import KeySlots, make_app_keys
from flask_optout.choices.repository import Choices
from flask_optout.choices.store import Store
from flask_optout.choices.tables import ChoiceTables
from flask_optout.wiring import current_state
from tests.support.email_log import statements
from tests.support.hosts import Host, say


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
    slots = KeySlots(store, tables, (tables.choice,), make_app_keys(["k" * 32]), 1, "SECRET_KEY")
    choices = Choices(store, tables, slots, None, lambda: None, lambda: 0.0)
    jane = parse("jane@x.org")
    assert choices.is_new() and not choices.is_muted(jane, "beta-42")
    choices.add_mutes([(jane, "beta-42")], "phone")
    assert choices.is_muted(jane, "beta-42") and not choices.is_new()
    engine.dispose()


def test_one_look_is_one_statement(host: Host) -> None:
    say(host, True)
    with statements(host) as seen:
        assert not host.optout.may_invite("jane+2@x.org", "beta-42")
        assert len(seen) == 1
        with current_state().choices.looking() as muted:
            assert muted(parse("jane@x.org"), "beta-42") and not muted(parse("bob@x.org"), "beta-42")
        assert len(seen) == 3


@pytest.mark.parametrize(
    ("source", "stored"),
    [
        ("phone", "phone"),
        ("by phone!", "by-phone-"),
        ("a/b c", "a-b-c"),
        ("0123456789abcdefgh", "0123456789abcdef"),
        (7, "7"),
    ],
)
def test_a_source_is_a_word_of_sixteen_letters_at_most(host: Host, source: Any, stored: str) -> None:
    choices, jane = current_state().choices, parse("jane@x.org")
    choices.add_mutes([(jane, "beta-42")], source)
    [choice] = choices.read([choices.get_key().mark(jane, "beta-42")]).values()
    assert (choice.muted, choice.source) == (True, stored)
