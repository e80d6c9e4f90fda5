"""Was this press a person's, and what does it change? Each layer has cases that fail without it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flask_optout.presses.evidence import Command, Evidence, Muted, Page
from flask_optout.presses.judge import (
    BUSY,
    LAYERS,
    PAUSE,
    WINDOW,
    Layer,
    Outcome,
    Press,
    PressContext,
    Verdict,
    judge,
)
from tests.support.pressing import CHROME, NOW, TEXT

SUBMITTER, NEGATIVE, CONTRADICTION, OTHERS, DOUBTFUL, LATER_UNDO = LAYERS
UNDO = replace(CHROME, command=Command.UNDO)
FREE, MUTED = (False, False), (True, False)


def case(evidence: Evidence, *recent: Press, muted: Muted = FREE) -> PressContext:
    return PressContext(evidence, muted, recent, FREE)


def own(command: Command, ago: float = 20.0, found: Muted = FREE, outcome: Outcome = Outcome.OBEYED) -> Press:
    return Press(NOW - ago, "visit", "visitor", command, found, outcome)


def other(command: Command, ago: float = 20.0, outcome: Outcome = Outcome.OBEYED) -> Press:
    return Press(NOW - ago, "another visit", "another visitor", command, FREE, outcome)


MANY = [own(Command.LEAVE, ago) for ago in range(BUSY, 0, -1)]


@pytest.mark.parametrize("evidence", [CHROME, TEXT])
def test_a_person_mutes_with_one_press(evidence: Evidence) -> None:
    judgement = judge(case(evidence))
    assert judgement.verdict is Verdict.ACCEPT and judgement.sets == {0: True}


@pytest.mark.parametrize(
    ("layer", "found", "verdict", "cause"),
    [
        (SUBMITTER, case(replace(TEXT, pressed=False)), Verdict.SHOW, "no button"),
        (NEGATIVE, case(replace(CHROME, doubts=("scanner",))), Verdict.ASK, "scanner"),
        (OTHERS, case(UNDO, other(Command.MUTE), muted=MUTED), Verdict.ASK, "others"),
        (OTHERS, case(CHROME, other(Command.UNDO)), Verdict.ASK, "others"),
        (OTHERS, case(CHROME, other(Command.KEEP)), Verdict.ASK, "others"),
        (CONTRADICTION, case(TEXT, own(Command.KEEP, ago=3)), Verdict.RESTORE, "contradiction"),
        (
            CONTRADICTION,
            case(
                replace(UNDO, issued=NOW - 1),
                own(Command.LEAVE, ago=3)._replace(visit="before"),
                muted=MUTED,
            ),
            Verdict.RESTORE,
            "contradiction",
        ),
        (DOUBTFUL, case(CHROME, own(Command.DECOY, outcome=Outcome.DOUBTFUL)), Verdict.ASK, "doubtful"),
        (DOUBTFUL, case(replace(CHROME, issued=NOW - 0.5), *MANY), Verdict.ASK, "doubtful"),
        (LATER_UNDO, case(replace(TEXT, command=Command.UNDO), muted=MUTED), Verdict.ASK, "later undo"),
        (LATER_UNDO, case(replace(CHROME, command=Command.KEEP), muted=MUTED), Verdict.ASK, "later undo"),
    ],
)
def test_each_layer_objects_for_a_cause_and_without_it_nothing_does(
    layer: Layer, found: PressContext, verdict: Verdict, cause: str
) -> None:
    assert judge(found)[:2] == (verdict, cause)
    assert judge(found, [each for each in LAYERS if each is not layer])[:2] == (Verdict.ACCEPT, "")


@pytest.mark.parametrize(
    "found",
    [
        case(replace(CHROME, issued=NOW - 1), own(Command.KEEP, ago=PAUSE + 0.01)),
        case(replace(CHROME, page=Page.REPEAT), own(Command.DECOY, ago=60, outcome=Outcome.DOUBTFUL)),
        case(CHROME, other(Command.UNDO, ago=WINDOW)),
        case(CHROME, other(Command.UNDO, outcome=Outcome.ASKED)),
        case(UNDO, other(Command.UNDO), muted=MUTED),
        case(replace(CHROME, command=Command.MUTE_ALL), other(Command.MUTE)),
        case(CHROME, *MANY[1:]),
    ],
    ids=[
        "read since the page asked",
        "a decoy before the page asked",
        "another visitor, a window ago",
        "another visitor, who was asked",
        "another visitor, the same press",
        "another visitor, less of the same",
        "not that many presses",
    ],
)
def test_a_press_at_the_edge_is_accepted(found: PressContext) -> None:
    assert judge(found).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("visit", "visitor", "ago", "outcome", "verdict"),
    [
        ("another visit", "another visitor", 10, Outcome.OBEYED, Verdict.ACCEPT),
        ("another visit", "a third visitor", 10, Outcome.OBEYED, Verdict.ACCEPT),
        ("a third visit", "another visitor", 10, Outcome.OBEYED, Verdict.ACCEPT),
        ("a third visit", "a third visitor", 10, Outcome.OBEYED, Verdict.ASK),
        ("another visit", "another visitor", 30, Outcome.OBEYED, Verdict.ACCEPT),
        ("another visit", "another visitor", 30, Outcome.CONFIRMED, Verdict.ASK),
        ("another visit", "another visitor", 10, Outcome.CONFIRMED, Verdict.ACCEPT),
    ],
)
def test_what_another_visitor_pressed_counts_unless_they_are_doubtful_and_have_not_confirmed_it(
    visit: str, visitor: str, ago: float, outcome: Outcome, verdict: Verdict
) -> None:
    decoy = other(Command.DECOY, ago, Outcome.DOUBTFUL)._replace(visit=visit, visitor=visitor)
    assert judge(case(CHROME, decoy, other(Command.UNDO, outcome=outcome))).verdict is verdict


@pytest.mark.parametrize(
    "found",
    [
        case(replace(TEXT, issued=NOW - 1), own(Command.KEEP, ago=PAUSE)),
        case(replace(CHROME, command=Command.MUTE_ALL), other(Command.UNDO)),
    ],
    ids=["not longer than a pause", "stop all, after an undo"],
)
def test_a_press_at_the_edge_is_not_accepted(found: PressContext) -> None:
    assert judge(found).verdict is not Verdict.ACCEPT


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (case(CHROME), Outcome.OBEYED),
        (case(replace(CHROME, page=Page.REPEAT)), Outcome.CONFIRMED),
        (case(replace(CHROME, command=Command.DECOY)), Outcome.DOUBTFUL),
        (case(CHROME, other(Command.UNDO)), Outcome.ASKED),
        (case(replace(CHROME, command=Command.KEEP), other(Command.MUTE)), Outcome.ASKED),
        (case(CHROME, own(Command.DECOY, outcome=Outcome.DOUBTFUL)), Outcome.ASKED),
        (
            case(replace(UNDO, issued=NOW - 1), own(Command.MUTE), muted=MUTED),
            Outcome.OBEYED,
        ),
        (case(replace(CHROME, issued=NOW - 1), own(Command.KEEP, ago=3)), Outcome.ASKED),
        (case(replace(CHROME, command=Command.KEEP), own(Command.MUTE), muted=MUTED), Outcome.DOUBTFUL),
    ],
    ids=[
        "accepted",
        "accepted when asked",
        "a decoy",
        "asked because of others",
        "shown because of others",
        "asked as it is doubtful",
        "a contradiction that has its way",
        "a contradiction that is asked about",
        "two buttons of one page",
    ],
)
def test_what_is_remembered_of_a_press(found: PressContext, outcome: Outcome) -> None:
    press = judge(found).press
    assert press is not None and press.outcome is outcome


@pytest.mark.parametrize(
    "found",
    [
        case(CHROME, muted=MUTED),
        case(replace(CHROME, command=Command.LEAVE)),
        case(CHROME, own(Command.UNDO, found=MUTED, ago=30), other(Command.UNDO)),
    ],
    ids=["muted already", "a press that sets nothing", "told otherwise since"],
)
def test_nothing_is_set(found: PressContext) -> None:
    assert judge(found).sets == {}


@pytest.mark.parametrize("command", [Command.KEEP, Command.LEAVE, Command.MUTE])
def test_a_doubtful_press_that_would_change_nothing_is_not_asked_for_again(command: Command) -> None:
    muted = MUTED if command is Command.MUTE else FREE
    judgement = judge(case(replace(CHROME, command=command, doubts=("untrusted click",)), muted=muted))
    assert judgement.verdict is Verdict.SHOW and not judgement.sets


@pytest.mark.parametrize(
    ("doubt", "verdict"),
    [
        *((doubt, Verdict.ASK) for doubt in ("no page", "untrusted click", "no gesture", "hurry")),
        *((doubt, Verdict.ACCEPT) for doubt in ("no fetch metadata", "scanner", "prefetch", "another site")),
    ],
)
def test_the_second_press_is_judged_alike_but_forgives_what_a_person_cannot_mend(
    doubt: str, verdict: Verdict
) -> None:
    doubtful = replace(CHROME, doubts=(doubt,))
    judgement = judge(case(doubtful))
    assert judgement.cause == doubt and not judgement.sets and judgement.press is None
    assert judge(case(replace(doubtful, page=Page.REPEAT))).verdict is verdict


def test_of_several_doubts_the_first_counts_that_is_not_forgiven() -> None:
    doubtful = replace(CHROME, doubts=("scanner", "hurry", "another site"))
    assert judge(case(doubtful)).cause == "scanner"
    assert judge(case(replace(doubtful, page=Page.REPEAT))).cause == "hurry"


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (TEXT, Verdict.ASK),
        (replace(TEXT, page=Page.REPEAT), Verdict.ACCEPT),
        (replace(TEXT, page=Page.RESULT), Verdict.ACCEPT),
        (CHROME, Verdict.ACCEPT),
    ],
)
def test_a_later_undo_wants_the_browsers_word_or_a_second_press(evidence: Evidence, verdict: Verdict) -> None:
    assert judge(case(replace(evidence, command=Command.UNDO), muted=MUTED)).verdict is verdict


def test_a_mute_by_a_mail_program_is_not_the_visitors_to_take_back() -> None:
    keep = replace(CHROME, command=Command.KEEP)
    assert judge(PressContext(keep, MUTED, (own(Command.MUTE),), FREE)).sets == {0: False}
    mailed = judge(PressContext(keep, MUTED, (own(Command.MUTE),), MUTED))
    assert mailed.asks and not mailed.sets


@pytest.mark.parametrize(
    ("command", "pressed", "muted", "restored"),
    [
        (Command.KEEP, [Command.MUTE], (True, False), {0: False}),
        (Command.KEEP, [Command.MUTE, Command.MUTE_ALL], (True, True), {0: False, 1: False}),
        (Command.UNDO_ALL, [Command.MUTE, Command.MUTE_ALL], (True, True), {1: False}),
        (Command.UNDO, [Command.MUTE, Command.MUTE_ALL], (True, True), {0: False}),
        (Command.KEEP, [Command.MUTE], (False, False), {}),
    ],
)
def test_a_contradiction_restores_what_its_visitor_had_set(
    command: Command, pressed: list[Command], muted: Muted, restored: dict[int, bool]
) -> None:
    judgement = judge(case(replace(CHROME, command=command, issued=NOW - 1), *map(own, pressed), muted=muted))
    assert judgement.verdict is Verdict.RESTORE and judgement.sets == restored
