"""The parts of one app: made from one data key when they are first used, and made anew after a restart."""

from __future__ import annotations

import time
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_optout import ConfigurationError, OptOut
from flask_optout.errors import BadToken
from flask_optout.links.tokens import Door
from flask_optout.presses.history import SECONDS_KEPT
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import BASE_URL, KEY, say


def test_an_app_without_optout_sends_nothing_and_says_what_to_call() -> None:
    with Flask("bare").app_context(), pytest.raises(ConfigurationError, match=r"Call optout\.init_app"):
        current_state()


@pytest.mark.parametrize(
    ("config", "bind_key"),
    [
        ({"SQLALCHEMY_DATABASE_URI": "sqlite://"}, "other"),
        ({"SQLALCHEMY_BINDS": {"other": "sqlite://"}}, None),
    ],
)
def test_a_database_that_is_not_configured_is_named(config: dict[str, Any], bind_key: str | None) -> None:
    app = Flask("host")
    app.config.update(config, SECRET_KEY=KEY, OPTOUT_BASE_URL=BASE_URL)
    optout = OptOut(SQLAlchemy(app), app, bind_key=bind_key)
    with app.app_context(), pytest.raises(ConfigurationError, match="SQLALCHEMY_BINDS"):
        optout.may_invite("jane@example.org", "beta-42")


def test_a_list_that_is_filtered_lazily_may_be_read_when_the_apps_context_is_gone(make: MakeHost) -> None:
    """Also where a press has expired, which is deleted then."""
    host = make()
    with host.app.app_context():
        say(host, True, "bob@example.org")
        host.press(host.path(), "mute")
        state = current_state()
        people = host.optout.invitable(["jane@example.org", "bob@example.org", "ann@example.org"], "beta-42")
    state.clock = lambda: time.time() + SECONDS_KEPT + 60
    assert list(people) == ["ann@example.org"]
    assert state.store.read(lambda connection: connection.execute(sa.select(state.tables.recent)).all()) == []


def test_a_database_object_that_does_not_know_the_app_is_named() -> None:
    """As where the host has made its ``db`` anew, or has forgotten its ``init_app``."""
    app = Flask("host")
    app.config.update(SECRET_KEY=KEY, OPTOUT_BASE_URL=BASE_URL, SQLALCHEMY_DATABASE_URI="sqlite://")
    optout = OptOut(SQLAlchemy(), app)
    SQLAlchemy(app)
    with app.app_context(), pytest.raises(ConfigurationError, match=r"db\.init_app\(app\)"):
        optout.may_invite("jane@example.org", "beta-42")
    assert app.test_client().get(f"/optout/{'a' * 100}").status_code == 503


def test_a_store_without_a_data_key_has_made_no_link_and_gets_none_by_reading_one(make: MakeHost) -> None:
    with make().app.app_context():
        state = current_state()
        for door in Door:
            with pytest.raises(BadToken):
                state.read_claim(door, "a" * 100)
        assert state.key_slots.find() is None


def test_a_link_is_the_same_after_a_restart_and_another_where_the_tables_were_made_anew(make: MakeHost) -> None:
    host = make()
    with host.app.app_context():
        link = host.path()
        current_state().begin()
        assert host.path() == link
        host.db.drop_all()
        host.db.create_all()
        current_state().begin()
        assert host.path() != link


def test_creating_the_tables_makes_the_data_key(make: MakeHost) -> None:
    host = make()
    with host.app.app_context():
        host.db.drop_all()
        current_state().create_tables()
        assert current_state().key_slots.find() is not None


def test_replaying_without_a_journal_says_what_to_set(make: MakeHost) -> None:
    with make().app.app_context(), pytest.raises(ConfigurationError, match="OPTOUT_JOURNAL"):
        _ = current_state().recovery
