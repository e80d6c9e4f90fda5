"""The recent presses of a link: judged and stored in one transaction, bounded, and gone within the hour."""

from __future__ import annotations

import datetime
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from flask_optout.addresses import parse
from flask_optout.choices import store
from flask_optout.choices.repository import EVERY, Statement
from flask_optout.choices.store import KeyTaken
from flask_optout.links.tokens import Door, Mark
from flask_optout.presses import history
from flask_optout.presses.evidence import Command, Evidence, Nonce, Page
from flask_optout.presses.history import MOST_PRESSES, SECONDS_KEPT, has_muted
from flask_optout.presses.judge import WINDOW, Outcome, Verdict
from flask_optout.presses.judge import Press as JudgedPress
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import Host
from tests.support.pressing import AGAIN, Press, is_muted, rows

MARK = Mark(b"", b"")


def test_a_link_keeps_a_few_of_whoever_presses_most(host: Host, press: Press) -> None:
    press("mute", User_Agent="a person")
    for number in range(3 * MOST_PRESSES):
        press("leave", visit=f"{number:012x}", User_Agent="a scanner")
    [row] = rows(host)
    presses = json.loads(row.presses)
    assert len(presses) == MOST_PRESSES and presses[0][3] == "mute" and len(row.presses) < 2_000


def test_nobody_drops_a_persons_mute_by_many_presses_that_change_nothing(host: Host, press: Press) -> None:
    press("mute", User_Agent="a person")
    for number in range(MOST_PRESSES + 4):
        press(("keep", "leave")[number % 2], visit=f"{number:012x}", User_Agent=f"scanner {number}")
    [row] = rows(host)
    assert json.loads(row.presses)[0][3] == "mute"
    assert AGAIN in press("undo", visit="c0ffee", User_Agent="another scanner")


@pytest.mark.parametrize(
    "mute",
    [
        lambda host: current_state().presses.one_click(host.claim()),
        lambda host: host.optout.mute("jane@example.org", "beta-42", source="phone"),
    ],
    ids=["by a mail program", "by phone"],
)
def test_who_asks_elsewhere_is_not_invited_again_by_a_scanner_that_had_begun_before(
    host: Host, press: Press, mute: Callable[[Host], object]
) -> None:
    scanner = {"age": 60, "User_Agent": "a scanner"}
    press("keep", **scanner)
    mute(host)
    for choice in ("mute", "keep", "none", "keep"):
        press(choice, **scanner)
    assert is_muted(host)


def test_one_click_leaves_nothing_however_often(host: Host, client: FlaskClient) -> None:
    url = current_state().links.url(Door.ONE_CLICK, parse("jane@example.org"), "beta-42")
    for _ in range(50):
        assert client.post(url, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert is_muted(host) and rows(host) == []


@pytest.mark.parametrize(
    ("before", "counted", "stored"),
    [
        (None, 1, 1),
        (Statement(MARK, False, "page"), 1, 1),
        (Statement(MARK, True, "page"), 0, 1),
        (Statement(MARK, True, "one-click"), 0, 0),
    ],
    ids=["nothing was said", "undone", "muted on the page", "muted by one click"],
)
def test_one_click_mutes_and_is_stored_once(
    make: MakeHost, tmp_path: Path, before: Statement | None, counted: int, stored: int
) -> None:
    """A flood of signals fills no journal, and only a new mute counts for an alarm."""
    host = make(OPTOUT_JOURNAL=str(tmp_path / "journal"))
    with host.app.app_context():
        state, claim = current_state(), host.claim()
        state.recovery.begin(lambda share: None)
        if before is not None:
            said = [before._replace(mark=claim.person[0])]
            state.choices.transact(lambda connection: (None, said))
        assert state.journal is not None
        earlier = len([*state.journal.read_entries()])
        state.presses.one_click(claim)
        choices, recent = state.presses.look(claim)
        [(mark, choice)] = choices.items()
        assert (mark, choice.muted, choice.source, recent) == (claim.person[0], True, "one-click", ())
        assert len([*state.journal.read_entries()]) - earlier == stored
        with host.db.engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM optout_alarm")) == counted


def test_a_doubtful_press_leaves_nothing(host: Host, press: Press) -> None:
    assert AGAIN in press("mute", age=0.1)
    assert rows(host) == [] and not is_muted(host)
    assert list(host.optout.invitable(["jane@example.org"], "beta-42")) == ["jane@example.org"]


ACTS: dict[str, Callable[[Host], object]] = {
    "may_invite": lambda host: host.optout.may_invite("bob@example.org", "beta-42"),
    "invitable": lambda host: list(host.optout.invitable(["bob@example.org"], "beta-42")),
    "a mail": lambda host: host.mail.send(host.invitation("bob@example.org")),
    "another link's page": lambda host: host.app.test_client().get(host.path("bob@example.org")),
    "the link's own page": lambda host: host.app.test_client().get(host.path()),
    "another's press": lambda host: host.app.test_client().post(
        host.path("bob@example.org"), data=host.form("keep", "bob@example.org")
    ),
    "one-click": lambda host: current_state().presses.one_click(host.claim("bob@example.org")),
    "an import": lambda host: current_state().choices.add_mutes([(parse("bob@example.org"), "b")], "import"),
    "prune": lambda host: host.app.test_cli_runner().invoke(args=["optout", "prune"]),
}


@pytest.mark.parametrize("act", ACTS)
def test_presses_are_deleted_within_the_hour_by_whatever_the_app_does_next(
    host: Host, press: Press, act: str
) -> None:
    press("mute")
    host.wait(SECONDS_KEPT - 60)
    ACTS[act](host)
    assert "mute" in str(rows(host))
    host.wait(3_600 - SECONDS_KEPT + 60)
    ACTS[act](host)
    assert "mute" not in str(rows(host)) and is_muted(host)


def test_nothing_else_tells_a_time_of_that_hour(host: Host, press: Press) -> None:
    """Elsewhere there are days, and in the Email Log minutes."""
    began = time.time()
    host.mail.send(host.invitation("jane@example.org"))
    press("mute")
    host.wait(SECONDS_KEPT)
    press("undo", visit="c0ffee", User_Agent="another")
    host.wait(SECONDS_KEPT + EVERY)
    host.optout.may_invite("bob@example.org", "beta-42")
    with host.db.engine.connect() as connection:
        for table in current_state().tables.all():
            for row in connection.execute(table.select()):
                assert not any(isinstance(value, datetime.datetime) for value in row)
                for digits in re.findall(r"\d{8,}", str(tuple(row))):
                    for unit in (1, 1_000, 1_000_000):
                        assert not began - 60 <= int(digits) / unit <= began + 2 * 3_600, table.name


def test_presses_that_have_expired_count_for_nothing(host: Host, press: Press) -> None:
    press("mute")
    host.wait(SECONDS_KEPT + 1)
    assert AGAIN not in press("undo", User_Agent="another", age=1, page=Page.RESULT)
    assert not is_muted(host)
    [row] = rows(host)
    assert len(json.loads(row.presses)) == 1


def test_of_two_who_saw_the_same_presses_one_is_run_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    presses, claim = current_state().presses, host.claim()
    evidence = Evidence(Command.LEAVE, visit="one", at=time.time(), issued=time.time() - 5)
    insert, tries = store.insert, list[Any]()

    def overtaken(*args: Any) -> None:
        tries.append(args)
        if len(tries) == 1:
            raise KeyTaken
        insert(*args)

    monkeypatch.setattr(history, "insert", overtaken)
    assert presses.press(claim, evidence).verdict is Verdict.ACCEPT
    [row] = rows(host)
    assert len(tries) == 2 and (row.version, len(json.loads(row.presses))) == (0, 1)
    presses.press(claim, evidence)
    assert [row.version for row in rows(host)] == [1]


def test_a_look_gives_what_stands_and_what_was_pressed(host: Host) -> None:
    presses, claim = current_state().presses, host.claim()
    assert presses.look(claim) == ({}, ())
    evidence = Evidence(Command.MUTE, visit="one", visitor="visitor", at=time.time(), issued=time.time() - 5)
    judgement = presses.press(claim, evidence)
    choices, recent = presses.look(claim)
    assert choices[claim.person[0]].muted and choices[claim.person[0]].source == "page"
    assert recent == (judgement.press,) and recent[0].command is Command.MUTE


def test_recent_presses_stand_in_one_row_a_link_with_when_it_expires() -> None:
    recent = history.recent_table(sa.MetaData())
    assert recent.columns.keys() == ["scope", "digest", "version", "expires", "presses"]
    assert recent.primary_key.columns.keys() == ["scope", "digest"]
    assert {tuple(index.columns.keys()) for index in recent.indexes} == {("expires",)}


MUTED = JudgedPress(-20.0, "visit", "visitor", Command.MUTE, (False, False))


@pytest.mark.parametrize(
    ("press", "page", "shown"),
    [
        (MUTED, Page.OPENED, True),
        (MUTED._replace(visit="before"), Page.OPENED, True),
        (MUTED._replace(visitor="another"), Page.OPENED, True),
        (MUTED._replace(visit="before", visitor="another"), Page.OPENED, False),
        (MUTED._replace(at=-WINDOW), Page.OPENED, True),
        (MUTED._replace(at=-WINDOW - 1), Page.OPENED, False),
        (MUTED._replace(outcome=Outcome.ASKED), Page.OPENED, False),
        (MUTED._replace(command=Command.LEAVE), Page.OPENED, False),
        (MUTED._replace(outcome=Outcome.ASKED), Page.RESULT, True),
    ],
)
def test_who_has_just_muted_is_known_by_the_visit_or_as_the_visitor_or_by_the_receipt(
    press: JudgedPress, page: Page, shown: bool
) -> None:
    nonce = Nonce(page, 0.0, "visit", Command.MUTE if page is Page.RESULT else None)
    assert has_muted([press], nonce, "visitor") is shown


@pytest.mark.parametrize("said", [Command.UNDO, Command.LEAVE, None])
def test_the_result_of_another_press_shows_no_mute(said: Command | None) -> None:
    assert not has_muted([], Nonce(Page.RESULT, 0.0, "visit", said), "visitor")


def test_no_press_outlives_the_hour_however_many_follow(host: Host, press: Press) -> None:
    for number in range(6):
        press("leave", visit=f"{number:012x}", User_Agent="a browser")
        host.wait(SECONDS_KEPT - 300)
    [row] = rows(host)
    assert max(current_state().clock() - at for at, *_ in json.loads(row.presses)) < 3_600
