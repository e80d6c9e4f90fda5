"""Rotating keys: every link keeps working and telling the truth, and no choice is lost, even when it is killed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from flask_optout import ConfigurationError
from flask_optout.addresses import parse
from flask_optout.choices import questions, rotation
from flask_optout.choices import repository as choices
from flask_optout.choices.repository import Choices
from flask_optout.choices.rotation import Rotation
from flask_optout.choices.store import Store
from flask_optout.choices.tables import Tables
from flask_optout.links.keys import ALL, KeyRing, Mark
from flask_optout.links.tokens import CANDIDATE_DOORS, Door, Tokens
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import OLD, Host
from tests.test_choices import say

NEW = "the new key of this host, 32 bytes."
NEWEST = "the newest key of this host, 32 bytes"


def rows(host: Host) -> list[tuple[bytes, bool]]:
    with host.db.engine.connect() as connection:
        return [
            (row.key_id, row.muted) for row in connection.execute(sa.text("select key_id, muted from optout_choice"))
        ]


def mute(host: Host, path: str) -> None:
    assert host.press(path, "mute")[0] == 200


def page(host: Host, path: str) -> str:
    return host.app.test_client().get(path).get_data(as_text=True)


@pytest.mark.parametrize("rotated", [False, True], ids=["before rotate-key", "after rotate-key"])
def test_links_of_every_key_show_and_change_the_same_choice(make: MakeHost, rotated: bool) -> None:
    links, rings = [], ([OLD], [NEW, OLD], [NEWEST, NEW, OLD])
    for ring in rings:
        host = make(OPTOUT_KEYS=ring)
        with host.app.app_context():
            links.append(host.path())
            if ring == [OLD]:
                mute(host, links[0])
    with host.app.app_context():
        if rotated:
            host.app.test_cli_runner().invoke(args=["optout", "rotate-key"])
            assert [key for key, _ in rows(host)] == [current_state().ring.current.id]
        for link in links:
            assert "You will get no more invitations to" in page(host, link)
        for said in links:
            for command, words in (("undo", "Try the new camera."), ("mute", "You will get no more invitations to")):
                assert host.press(said, command)[0] == 200
                assert host.optout.may_invite("jane@example.org", "beta-42") is (command == "undo")
                for link in links:
                    assert words in page(host, link)


def test_rotate_key_gives_a_new_key_and_then_brings_the_choices_over(make: MakeHost) -> None:
    host = make(OPTOUT_KEYS=[OLD])
    with host.app.app_context():
        mute(host, host.path())
        said = host.app.test_cli_runner().invoke(args=["optout", "rotate-key"])
    assert said.exit_code == 0
    given = re.search(r"^ +([0-9a-f]{64})$", said.output, re.MULTILINE)
    assert given is not None and "Remove no key" in said.output and OLD not in said.output
    rotated = make(OPTOUT_KEYS=[given[1], OLD])
    with rotated.app.app_context():
        assert not rotated.optout.may_invite("jane@example.org", "beta-42")
        said = rotated.app.test_cli_runner().invoke(args=["optout", "rotate-key"])
        assert said.exit_code == 0 and "OPTOUT_KEYS" not in said.output
        assert rows(rotated) == [(current_state().ring.current.id, True)]
        assert not rotated.optout.may_invite("jane@example.org", "beta-42")
    with host.app.app_context(), pytest.raises(ConfigurationError, match="lacks the key"):
        host.optout.may_invite("jane@example.org", "beta-42")


def test_the_output_tells_nobody_how_many_opted_out(make: MakeHost) -> None:
    outputs = set()
    for people in (1, 3):
        first = make(OPTOUT_KEYS=[OLD])
        with first.app.app_context():
            first.db.drop_all()
            first.db.create_all()
            for n in range(people):
                mute(first, first.path(f"person{n}@example.org"))
        host = make(OPTOUT_KEYS=[NEW, OLD])
        with host.app.app_context():
            outputs.add(host.app.test_cli_runner().invoke(args=["optout", "rotate-key"]).output)
    assert len(outputs) == 1


def test_a_wrong_ring_stops_it_with_the_name_of_the_key(make: MakeHost) -> None:
    host = make(OPTOUT_KEYS=[OLD])
    with host.app.app_context():
        mute(host, host.path())
    wrong = make(OPTOUT_KEYS=[NEW])
    said = wrong.app.test_cli_runner().invoke(args=["optout", "rotate-key"])
    assert said.exit_code == 1 and "OPTOUT_KEYS lacks the key" in said.output and "Traceback" not in said.output


def test_a_process_with_the_old_ring_stops_when_the_new_key_has_written(make: MakeHost) -> None:
    old, new = make(OPTOUT_KEYS=[OLD]), make(OPTOUT_KEYS=[NEW, OLD])
    with new.app.app_context():
        mute(new, new.path("bob@example.org"))
    with old.app.app_context():
        status, page = old.press(old.path(), "mute")
        assert status == 503 and "Nothing changed" in page
        assert len(rows(old)) == 1


PEOPLE = ["jane@x.org", "jane+2@x.org", "bob@x.org"]
OPPORTUNITIES = ["beta-42", "study-7", ALL]
SECRETS = [f"secret number {n} of the state machine" for n in range(4)]


@dataclass
class App:
    """What one deployment of an app consists of, without Flask."""

    engine: sa.Engine
    tables: Tables
    ring: KeyRing
    tokens: Tokens = field(init=False)
    choices: Choices = field(init=False)
    rotation: Rotation = field(init=False)

    def __post_init__(self) -> None:
        store = Store(lambda: self.engine)
        self.tokens = Tokens(self.ring)
        self.choices = Choices(store, self.tables, self.ring)
        self.rotation = Rotation(store, self.tables, self.ring)


@pytest.fixture
def moving(make: MakeHost) -> Iterator[Host]:
    """A host with a new key in front, where Jane's mute stands under the old one."""
    old = make(OPTOUT_KEYS=[OLD])
    with old.app.app_context():
        say(old, True, "jane@example.org")
    host = make(OPTOUT_KEYS=[NEW, OLD])
    with host.app.app_context():
        yield host


class TestWhatARotationMovesMeanwhile:
    def test_is_found_by_the_gate(self, moving: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(questions, "BATCH", 1)

        def batches(marks: list[Mark]) -> Iterator[dict[str, Any]]:
            for number, values in enumerate(questions.batches(marks)):
                if number == 1:
                    list(current_state().rotation.run())
                yield values

        monkeypatch.setattr(choices, "batches", batches)
        assert not moving.optout.may_invite("jane@example.org", "beta-42")

    def test_is_found_by_the_page(self, moving: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        path, questions_before = moving.path(), itertools.count()

        def moved_before(ask: Callable[..., Any]) -> Callable[..., Any]:
            def asked(*args: Any) -> Any:
                if next(questions_before) == 1:
                    list(current_state().rotation.run())
                return ask(*args)

            return asked

        for name in ("_look", "_under"):
            monkeypatch.setattr(Choices, name, moved_before(getattr(Choices, name)))
        assert "You will get no more invitations to" in page(moving, path)


class ChoicesMachine(RuleBasedStateMachine):
    """The promises in small: links, presses, rotations that are killed; the model is what each person said last."""

    links = Bundle("links")

    def __init__(self) -> None:
        super().__init__()
        self.engine = sa.create_engine(
            "sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False}
        )
        self.tables = Tables.on(sa.MetaData())
        for table in self.tables.all():
            table.create(self.engine)
        self.said: dict[tuple[str, str], bool] = {}
        self.secrets = SECRETS[:1]

    @initialize()
    def deploy(self) -> None:
        self.app = App(self.engine, self.tables, KeyRing.of(self.secrets))

    @rule(
        target=links,
        who=st.sampled_from(PEOPLE),
        about=st.sampled_from(OPPORTUNITIES),
        door=st.sampled_from(CANDIDATE_DOORS),
    )
    def invite(self, who: str, about: str, door: Door) -> tuple[str, str, Door, str]:
        return who, about, door, self.app.tokens.mint(door, parse(who), about)

    @rule(link=links, muted=st.booleans(), everything=st.booleans())
    def press(self, link: tuple[str, str, Door, str], muted: bool, everything: bool) -> None:
        who, about, door, token = link
        claim = self.app.tokens.read(door, token)
        self.app.choices.set(claim, claim.person[everything], muted, "page")
        self.said[who, ALL if everything else about] = muted

    @rule()
    def add_a_key(self) -> None:
        if len(self.secrets) < len(SECRETS):
            self.secrets = [SECRETS[len(self.secrets)], *self.secrets]
            self.deploy()

    @rule(batches=st.integers(0, 3))
    def rotate_and_be_killed(self, batches: int) -> None:
        for _ in zip(range(batches), self.app.rotation.run(), strict=False):
            pass

    @rule()
    def rotate(self) -> None:
        list(self.app.rotation.run())
        assert self.app.rotation.waiting() == 0

    @rule(wrong=st.sampled_from([[1], [0, 1], [2, 0], [3, 2, 1]]))
    def deploy_a_wrong_ring(self, wrong: list[int]) -> None:
        ring = [SECRETS[place] for place in wrong]
        fits = ring[-len(self.stored) :] == self.stored if self.stored else True
        if not fits:
            app = App(self.engine, self.tables, KeyRing.of(ring))
            with pytest.raises(ConfigurationError):
                app.choices.muted(parse(PEOPLE[0]), OPPORTUNITIES[0])

    @property
    def stored(self) -> list[str]:
        with self.engine.connect() as connection:
            query = sa.select(self.tables.meta.c.name).where(self.tables.meta.c.name.like("key.%"))
            return self.secrets[-len(connection.execute(query).all()) :] if self.said else []

    @invariant()
    def the_gate_obeys_what_was_said_last(self) -> None:
        for who in PEOPLE:
            for about in OPPORTUNITIES:
                asked = [(person, what) for person in {who, who.replace("+2", "")} for what in {about, ALL}]
                expected = any(self.said.get(each, False) for each in asked)
                assert self.app.choices.muted(parse(who), about) is expected

    @rule(link=links)
    def the_page_says_what_is_stored(self, link: tuple[str, str, Door, str]) -> None:
        who, about, door, token = link
        claim = self.app.tokens.read(door, token)
        standing = self.app.choices.standing(claim, lambda connection, choices: choices)
        for mark, what in zip(claim.person, (about, ALL), strict=True):
            assert (mark in standing and standing[mark].muted) is self.said.get((who, what), False)
        if claim.base is not None:
            mark = claim.base[0]
            assert (mark in standing and standing[mark].muted) is self.said.get(("jane@x.org", about), False)

    def teardown(self) -> None:
        self.engine.dispose()


@pytest.mark.long
def test_the_state_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    monkeypatch.setattr(rotation, "BATCH", 2)
    run_state_machine_as_test(
        ChoicesMachine, settings=settings(max_examples=40, stateful_step_count=25, deadline=None)
    )
