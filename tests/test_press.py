"""Was this press a person's? Each layer knows one thing that no person does, and has cases that fail without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.presses.bursts import WINDOW, Command, Press, burst_of
from flask_optout.presses.judge import (
    CAUSES,
    COHORT_ALARM,
    CONTRADICTION,
    DECOY,
    FORGIVEN,
    HOLD_SENDS,
    HURRY,
    LATER_UNDO,
    LAYERS,
    NEGATIVE,
    NONCE,
    SUBMITTER,
    Client,
    Evidence,
    Layer,
    Page,
    Scripts,
    Verdict,
    judge,
    to_restore,
)

CHROME = Evidence(
    Command.MUTE, client=Client.MODERN, fetch_site="same-origin", fetch_mode="navigate", fetch_user=True
)
HTMX = replace(CHROME, htmx=True, fetch_mode="cors", fetch_user=False, scripts=Scripts.TRUSTED)
SAFARI = replace(CHROME, client=Client.OTHER, fetch_user=False)
TEXT = Evidence(Command.MUTE)


def burst(*commands: Command, muted: bool = False) -> tuple[Press, ...]:
    return tuple(Press(float(at), command, (muted, False)) for at, command in enumerate(commands))


@pytest.mark.parametrize(
    "evidence",
    [
        CHROME,
        HTMX,
        SAFARI,
        TEXT,
        replace(CHROME, scripts=Scripts.TRUSTED),
        replace(SAFARI, scripts=Scripts.TRUSTED),
        replace(CHROME, client=Client.OTHER, fetch_site="", fetch_mode="", fetch_user=False),
        replace(TEXT, client=Client.MODERN, secure=False),
        replace(TEXT, client=Client.MODERN, scripts=Scripts.TRUSTED),
        replace(CHROME, elapsed=-30.0),
        replace(CHROME, burst=burst(Command.MUTE), muted=(True, False)),
    ],
    ids=[
        "scripts off",
        "htmx",
        "Safari",
        "text browser",
        "htmx blocked",
        "Safari without htmx",
        "old browser",
        "plain http sends no metadata",
        "a proxy strips metadata",
        "another server's clock",
        "double click",
    ],
)
def test_a_person_mutes_with_one_press(evidence: Evidence) -> None:
    assert judge(evidence).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("layer", "evidence", "verdict"),
    [
        (SUBMITTER, replace(TEXT, pressed=False), Verdict.SHOW),
        (NONCE, replace(CHROME, page=None, elapsed=float("inf")), Verdict.ASK),
        (NEGATIVE, replace(CHROME, scripts=Scripts.RAN), Verdict.ASK),
        (NEGATIVE, replace(HTMX, scripts=Scripts.SILENT), Verdict.ASK),
        (NEGATIVE, replace(SAFARI, fetch_mode="cors"), Verdict.ASK),
        (NEGATIVE, replace(CHROME, fetch_user=False), Verdict.ASK),
        (NEGATIVE, replace(TEXT, client=Client.MODERN), Verdict.ASK),
        (NEGATIVE, replace(CHROME, elapsed=HURRY - 0.01), Verdict.ASK),
        (NEGATIVE, replace(TEXT, client=Client.SCANNER), Verdict.ASK),
        (NEGATIVE, replace(CHROME, prefetch=True), Verdict.ASK),
        (NEGATIVE, replace(CHROME, fetch_site="cross-site"), Verdict.ASK),
        (CONTRADICTION, replace(TEXT, burst=burst(Command.KEEP)), Verdict.RESTORE),
        (CONTRADICTION, replace(TEXT, command=Command.KEEP, burst=burst(Command.MUTE)), Verdict.RESTORE),
        (
            CONTRADICTION,
            replace(CHROME, command=Command.UNDO, muted=(True, False), burst=burst(Command.LEAVE, muted=True)),
            Verdict.RESTORE,
        ),
        (DECOY, replace(TEXT, command=Command.DECOY), Verdict.RESTORE),
        (DECOY, replace(TEXT, burst=burst(Command.DECOY)), Verdict.RESTORE),
        (LATER_UNDO, replace(SAFARI, command=Command.UNDO, muted=(True, False)), Verdict.ASK),
        (LATER_UNDO, replace(TEXT, command=Command.KEEP, muted=(True, False)), Verdict.ASK),
    ],
)
def test_each_layer_objects_and_without_it_nothing_does(layer: Layer, evidence: Evidence, verdict: Verdict) -> None:
    assert judge(evidence).verdict is verdict
    assert judge(evidence, [each for each in LAYERS if each is not layer]).verdict is Verdict.ACCEPT


def test_a_doubtful_mute_holds_sends_and_a_mute_counts_towards_a_cohort() -> None:
    doubtful = replace(CHROME, scripts=Scripts.RAN)
    assert judge(doubtful).holds and not judge(doubtful, [each for each in LAYERS if each is not HOLD_SENDS]).holds
    assert judge(CHROME).counts and not judge(CHROME, [each for each in LAYERS if each is not COHORT_ALARM]).counts
    assert not judge(replace(doubtful, command=Command.KEEP)).holds
    assert not judge(replace(CHROME, muted=(True, False))).counts


@pytest.mark.parametrize("command", [Command.KEEP, Command.LEAVE, Command.MUTE])
def test_a_doubtful_press_that_would_change_nothing_is_not_asked_for_again(command: Command) -> None:
    evidence = replace(CHROME, command=command, scripts=Scripts.RAN, muted=(command is Command.MUTE, False))
    assert judge(evidence).verdict is Verdict.SHOW


@pytest.mark.parametrize("cause", CAUSES)
def test_the_second_press_is_judged_alike_but_forgives_what_a_person_cannot_mend(cause: str) -> None:
    doubtful = {
        "untrusted click": replace(CHROME, scripts=Scripts.RAN),
        "no gesture": replace(CHROME, fetch_user=False),
        "no fetch metadata": replace(TEXT, client=Client.MODERN),
        "scanner": replace(TEXT, client=Client.SCANNER),
        "prefetch": replace(CHROME, prefetch=True),
        "another site": replace(CHROME, fetch_site="cross-site"),
        "hurry": replace(CHROME, elapsed=0.1),
    }[cause]
    assert judge(doubtful).cause == cause
    again = judge(replace(doubtful, page=Page.REPEAT)).verdict
    assert again is (Verdict.ACCEPT if cause in FORGIVEN else Verdict.ASK)


def test_a_second_press_is_not_held_against_what_was_pressed_before_the_page_asked() -> None:
    swept = replace(CHROME, burst=burst(Command.MUTE, Command.KEEP), page=Page.REPEAT)
    assert judge(swept).verdict is Verdict.RESTORE
    assert judge(replace(swept, asked=1.5)).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (SAFARI, Verdict.ASK),
        (replace(SAFARI, page=Page.REPEAT), Verdict.ACCEPT),
        (replace(SAFARI, page=Page.RESULT), Verdict.ACCEPT),
        (replace(SAFARI, scripts=Scripts.TRUSTED), Verdict.ACCEPT),
        (CHROME, Verdict.ACCEPT),
    ],
)
def test_a_later_undo_wants_the_browsers_word_or_a_second_press(evidence: Evidence, verdict: Verdict) -> None:
    assert judge(replace(evidence, command=Command.UNDO, muted=(True, False))).verdict is verdict


@pytest.mark.parametrize(
    ("command", "pressed", "restored"),
    [
        (Command.KEEP, [Command.MUTE], {0: False}),
        (Command.KEEP, [Command.MUTE, Command.MUTE_ALL], {0: False, 1: False}),
        (Command.UNDO_ALL, [Command.MUTE, Command.MUTE_ALL], {1: False}),
        (Command.UNDO, [Command.MUTE, Command.MUTE_ALL], {0: False}),
        (Command.DECOY, [Command.MUTE], {0: False}),
        (Command.DECOY, [], {}),
    ],
)
def test_a_contradiction_restores_what_the_burst_had_set(
    command: Command, pressed: list[Command], restored: dict[int, bool]
) -> None:
    assert to_restore(replace(TEXT, command=command, burst=burst(*pressed))) == restored


def test_a_contradiction_restores_a_mute_too() -> None:
    evidence = replace(TEXT, command=Command.LEAVE, burst=burst(Command.UNDO, muted=True))
    assert judge(evidence).verdict is Verdict.RESTORE
    assert to_restore(evidence) == {0: True}


@given(st.sampled_from(Command), st.sampled_from(Command))
def test_contradiction_is_mutual_and_nothing_contradicts_itself(one: Command, other: Command) -> None:
    assert one.contradicts(other) is other.contradicts(one)
    assert not one.contradicts(one)


@given(st.lists(st.floats(0, 1000), max_size=20).map(sorted), st.floats(0, 1000))
def test_a_burst_is_a_chain_without_a_longer_gap(times: list[float], now: float) -> None:
    presses = [Press(at, Command.MUTE, (False, False)) for at in times if at <= now]
    chain = burst_of(presses, now)
    assert list(chain) == presses[len(presses) - len(chain) :]
    ends = [press.at for press in chain] + [now]
    assert all(later - earlier <= WINDOW for earlier, later in zip(ends, ends[1:], strict=False))
    rest = presses[: len(presses) - len(chain)]
    assert not rest or ends[0] - rest[-1].at > WINDOW


def test_a_mail_programs_signal_and_a_confirmed_press_begin_anew() -> None:
    presses = burst(Command.MUTE, Command.ONE_CLICK, Command.KEEP)
    assert burst_of(presses, 3.0) == presses[2:]
    confirmed = (presses[0], Press(1.0, Command.MUTE, (False, False), confirmed=True), presses[2])
    assert burst_of(confirmed, 3.0) == confirmed[1:]
