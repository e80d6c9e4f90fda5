"""Choices: what was said last is what stands, and only pseudonyms are kept."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_optout import AddressError, ConfigurationError, OpportunityError, StoreUnavailable
from flask_optout.addresses import Recipient, parse
from flask_optout.choices.bulk import CHUNK
from flask_optout.choices.repository import Choices
from flask_optout.choices.store import Store
from flask_optout.choices.tables import Tables
from flask_optout.links.keys import KeyRing
from tests.conftest import MakeHost
from tests.support.hosts import KEY, Host, say


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
        assert connection.scalar(sa.text("select count(*) from optout_choice")) == 1


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


def test_choices_under_a_missing_key_close_the_gate(make: MakeHost) -> None:
    first = make()
    with first.app.app_context():
        say(first, True)
    second = make(SECRET_KEY="another key of 32 bytes or more.")
    with second.app.app_context(), pytest.raises(ConfigurationError, match="OPTOUT_KEYS lacks the key"):
        second.optout.may_invite("somebody.else@x.org", "study-7")


@pytest.mark.parametrize("setting", ["OPTOUT_KEYS", "SECRET_KEY_FALLBACKS"])
def test_a_choice_made_under_an_old_key_holds_and_the_newest_choice_wins(make: MakeHost, setting: str) -> None:
    first = make()
    with first.app.app_context():
        say(first, True)
        old_link, old_form = first.path("jane@x.org"), first.form("mute", "jane@x.org")
    new = "the new key of this host, 32 bytes."
    rotated = {"OPTOUT_KEYS": [new, KEY]} if setting == "OPTOUT_KEYS" else {"SECRET_KEY": new, setting: [KEY]}
    second = make(**rotated)
    with second.app.app_context():
        assert not second.optout.may_invite("jane@x.org", "beta-42")
        say(second, False)
        assert second.optout.may_invite("jane@x.org", "beta-42")
        second.app.test_client().post(old_link, data=old_form)
        assert not second.optout.may_invite("jane@x.org", "beta-42")


def test_a_store_without_tables_is_unavailable_and_the_error_says_what_to_run(host: Host) -> None:
    host.db.drop_all()
    with pytest.raises(StoreUnavailable, match="flask optout init-db"):
        host.optout.may_invite("jane@x.org", "beta-42")
    with pytest.raises(StoreUnavailable) as failed:
        say(host, True)
    assert "jane" not in str(failed.value)


def test_our_commit_commits_nothing_of_the_hosts_and_its_rollback_undoes_no_choice(host: Host) -> None:
    """Promise 12: the host's transaction is the host's."""
    host.db.session.execute(sa.text("create table note (text varchar(9))"))
    host.db.session.commit()
    note = sa.table("note", sa.column("text"))
    say(host, True)
    host.db.session.execute(sa.insert(note).values(text="pending"))
    host.db.session.rollback()
    assert host.db.session.scalar(sa.select(sa.func.count()).select_from(note)) == 0
    assert not host.optout.may_invite("jane@x.org", "beta-42")


def test_choices_need_no_flask(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
    metadata = sa.MetaData()
    tables = Tables.on(metadata)
    metadata.create_all(engine)
    choices = Choices(Store(lambda: engine), tables, KeyRing.of([b"k" * 32]))
    assert not choices.muted(parse("jane@x.org"), "beta-42")
    engine.dispose()
