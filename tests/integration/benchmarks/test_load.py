"""The judge of the load run: what must alarm does, and what is allowed does not. The run itself is a command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.load.faults import Fault
from benchmarks.load.judge import Asked, Mail, Pair, Press, forgotten, in_flight, is_forbidden, longest_gap
from benchmarks.load.report import Run, report

JANE, KOFI = Pair("jane@example.org", "camera"), Pair("kofi@example.com", "camera")
NEVER = float("inf")
MUTE = Press(True, 10.0, 11.0)
UNDO = Press(False, 20.0, 21.0)
MUTE_AGAIN = Press(True, 30.0, 31.0)


@pytest.mark.parametrize(
    ("presses", "started", "came", "forbidden"),
    [
        pytest.param([], 5, 6, False, id="nobody said anything"),
        pytest.param([MUTE], 8, 9, False, id="before the mute"),
        pytest.param([MUTE], 10.5, 10.9, False, id="while the mute was on its way"),
        pytest.param([MUTE], 10.9, 15, False, id="in flight as the mute was confirmed"),
        pytest.param([MUTE], 11.001, 11.01, True, id="a moment after the mute was confirmed"),
        pytest.param([MUTE], 500, 501, True, id="long after the mute"),
        pytest.param([MUTE, UNDO], 18, 19, True, id="muted, and before the undo was tried"),
        pytest.param([MUTE, UNDO], 19.5, 20.1, False, id="it came when the undo may have been stored"),
        pytest.param([MUTE, UNDO], 20.5, 20.6, False, id="while the undo was on its way"),
        pytest.param([MUTE, UNDO], 25, 26, False, id="after the undo"),
        pytest.param([MUTE, UNDO, MUTE_AGAIN], 30.9, 32, False, id="in flight as the second mute was confirmed"),
        pytest.param([MUTE, UNDO, MUTE_AGAIN], 31.1, 32, True, id="after the second mute"),
        pytest.param([MUTE, UNDO, MUTE_AGAIN], 18, 19, True, id="after the first of two mutes"),
        pytest.param([Press(True, 10, NEVER)], 50, 51, False, id="a mute that nothing confirmed"),
        pytest.param([MUTE, Press(False, 20, NEVER)], 50, 51, False, id="an undo that may have been stored"),
        pytest.param([MUTE, Press(False, 20, NEVER)], 15, 16, True, id="before an undo that nothing confirmed"),
    ],
)
def test_mail_to_muted_people_is_told(presses: list[Press], started: float, came: float, forbidden: bool) -> None:
    assert is_forbidden(presses, Mail(JANE, 1, started, came)) is forbidden


def test_mail_in_flight_is_told_with_its_delay() -> None:
    mails = [Mail(JANE, 1, 10, 10.9), Mail(JANE, 2, 10.5, 11.5), Mail(JANE, 3, 11.5, 12), Mail(JANE, 4, 30.5, 33)]
    assert [*in_flight([MUTE, UNDO, MUTE_AGAIN], mails)] == [(MUTE, 0.5), (MUTE_AGAIN, 2.0)]


@pytest.mark.parametrize(
    ("presses", "asked", "got", "is_forgotten"),
    [
        pytest.param([], 5, False, True, id="nobody said anything"),
        pytest.param([], 5, True, False, id="it arrived"),
        pytest.param([MUTE], 5, False, False, id="muted before it left"),
        pytest.param([MUTE, UNDO], 15, False, False, id="asked for while muted"),
        pytest.param([MUTE, UNDO], 20.5, False, False, id="asked for before the undo was confirmed"),
        pytest.param([MUTE, UNDO], 22, False, True, id="asked for after the undo"),
        pytest.param([MUTE, UNDO], 22, True, False, id="it arrived after the undo"),
        pytest.param([MUTE, UNDO, MUTE_AGAIN], 22, False, False, id="muted again before it left"),
    ],
)
def test_forgotten_people_are_told(presses: list[Press], asked: float, got: bool, is_forgotten: bool) -> None:
    invitation = Asked(JANE, 1)
    assert (
        forgotten({invitation: asked}, {invitation} if got else set(), {JANE: presses}) == [invitation] * is_forgotten
    )


@pytest.mark.parametrize(
    ("moments", "gap"),
    [
        pytest.param([1, 2, 3, 4, 5, 6, 7], 1, id="stored all the time"),
        pytest.param([1, 2, 6, 7], 4, id="not during the fault"),
        pytest.param([1, 2, 3.5, 4, 9, 10], 5, id="not at its end and after it"),
        pytest.param([-20, -10, 2, 3, 4, 5, 6], 1, id="a gap before it does not count"),
        pytest.param([1, 2], NEVER, id="never again"),
        pytest.param([], NEVER, id="never"),
    ],
)
def test_the_longest_time_without_a_stored_choice(moments: list[float], gap: float) -> None:
    assert longest_gap(moments, since=3, until=5) == gap


GOOD = Run(
    asked={Asked(JANE, 1): 1, Asked(KOFI, 1): 1, Asked(JANE, 2): 40, Asked(KOFI, 2): 40},
    mails=[Mail(JANE, 1, 2, 3), Mail(KOFI, 1, 2, 3), Mail(KOFI, 2, 41, 42)],
    presses={JANE: [MUTE, UNDO, MUTE_AGAIN], KOFI: [MUTE, UNDO]},
    stored=[1, 2, 3],
    may_invite={JANE: False, KOFI: True},
    faults=[Fault("database restarted", 1.5, 2.5), Fault("worker 1 killed", 2, 2.5, 1)],
    processor={"workers": 0.02, "the database": 0.01},
    began=0,
    ended=39,
    last=5,
    stuck=0,
)


def with_mails(*mails: Mail) -> Run:
    return replace(GOOD, mails=[*GOOD.mails, *mails])


def test_a_good_run_is_good() -> None:
    figures = report(GOOD)
    assert figures.good and "wrong" not in str(figures)
    assert "| mail to muted people | 0 |" in str(figures)
    assert "| database restarted | 1.0 s | 1.0 s |" in str(figures)


@pytest.mark.parametrize(
    ("row", "run"),
    [
        ("mail to muted people | 1", with_mails(Mail(JANE, 1, 12, 13))),
        ("mail in flight as a mute was confirmed | 2", with_mails(*[Mail(KOFI, 1, 10.5, 11.5)] * 2)),
        ("invitations that never reached somebody not muted | 1", replace(GOOD, mails=GOOD.mails[:2])),
        ("lost choices | 1", replace(GOOD, may_invite={JANE: True, KOFI: True})),
        ("lost choices | 1", replace(GOOD, may_invite={JANE: False, KOFI: False})),
        ("presses never confirmed | 1", replace(GOOD, presses={JANE: [MUTE], KOFI: [MUTE, Press(False, 20, NEVER)]})),
        ("tasks never done | 1", replace(GOOD, stuck=1)),
        ("held back from muted people | 0", with_mails(Mail(JANE, 2, 41, 42))),
        ("tasks held by workers that were killed | 0", replace(GOOD, faults=[Fault("worker 1 killed", 1.5, 2.5, 0)])),
        ("undos | 0", replace(GOOD, presses={JANE: [MUTE]})),
        ("faults | 0", replace(GOOD, faults=[])),
        ("faults before or after which no choice was stored | 2", replace(GOOD, stored=[1])),
    ],
)
def test_whatever_is_wrong_is_told(row: str, run: Run) -> None:
    figures = report(run)
    assert not figures.good
    assert f"| {row}" in str(figures) and "**wrong**" in str(figures)
