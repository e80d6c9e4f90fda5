"""The parts of one app: made when first used, from one data key, and made anew when it is forgotten."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_optout import ConfigurationError
from flask_optout.errors import BadToken
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.conftest import MakeHost


def test_an_app_without_optout_sends_nothing_and_says_what_to_call() -> None:
    with Flask("bare").app_context(), pytest.raises(ConfigurationError, match=r"Call optout\.init_app"):
        current_state()


def test_a_part_is_made_once(make: MakeHost) -> None:
    with make().app.app_context():
        state = current_state()
        assert state.choices is state.choices and state.tokens.keys[Door.LANDING] is state.key


def test_a_store_without_a_data_key_has_made_no_link_and_gets_none_by_reading_one(make: MakeHost) -> None:
    with make().app.app_context():
        state = current_state()
        for door in Door:
            with pytest.raises(BadToken):
                state.claim(door, "a" * 100)
        assert state.key_slots.find() is None


def test_the_tokens_that_operators_see_are_of_another_key(make: MakeHost) -> None:
    with make().app.app_context():
        state = current_state()
        assert state.tokens.keys[Door.ASK].id != state.key.id


def test_what_is_forgotten_is_made_anew(make: MakeHost) -> None:
    host = make()
    with host.app.app_context():
        state, link = current_state(), host.path()
        parts = state.key_slots, state.tokens, state.choices
        state.begin()
        assert not {*map(id, parts)} & {id(state.key_slots), id(state.tokens), id(state.choices)}
        assert host.path() == link


def test_creating_the_tables_makes_the_data_key(make: MakeHost) -> None:
    host = make()
    with host.app.app_context():
        host.db.drop_all()
        current_state().create_tables()
        assert current_state().key_slots.find() is not None


def test_replaying_without_a_journal_says_what_to_set(make: MakeHost) -> None:
    with make().app.app_context(), pytest.raises(ConfigurationError, match="OPTOUT_JOURNAL"):
        _ = current_state().recovery
