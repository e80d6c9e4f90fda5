"""Was this press a person's, and what does it change? Each layer has cases that fail without it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.presses.evidence import Command, Evidence, Muted, Page
from flask_optout.presses.judge import (
    BUSY,
    FORGIVEN,
    LAYERS,
    PAUSE,
    WINDOW,
    Judgement,
    Layer,
    Outcome,
    Press,
    Verdict,
    Weighed,
    judge,
)

SUBMITTER, NEGATIVE, OTHERS, CONTRADICTION, DOUBTFUL, LATER_UNDO = LAYERS
NOW = 1000.0
#: A press that the browser vouches for, and one by a browser that does not.
CHROME = Evidence(Command.MUTE, visit="visit", visitor="visitor", at=NOW, issued=NOW - 60, sure=True)
TEXT = replace(CHROME, sure=False)
FREE, MUTED = (False, False), (True, False)


def case(evidence: Evidence, *recent: Press, muted: Muted = FREE) -> Weighed:
    return Weighed(evidence, muted, recent, FREE)


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
    ("layer", "found", "verdict"),
    [
        (SUBMITTER, case(replace(TEXT, pressed=False)), Verdict.SHOW),
        (NEGATIVE, case(replace(CHROME, doubts=("scanner",))), Verdict.ASK),
        (OTHERS, case(replace(CHROME, command=Command.UNDO), other(Command.MUTE), muted=MUTED), Verdict.ASK),
        (OTHERS, case(CHROME, other(Command.UNDO)), Verdict.ASK),
        (OTHERS, case(CHROME, other(Command.KEEP)), Verdict.ASK),
        (CONTRADICTION, case(TEXT, own(Command.KEEP, ago=3)), Verdict.RESTORE),
        (
            CONTRADICTION,
            case(
                replace(CHROME, command=Command.UNDO, issued=NOW - 1),
                own(Command.LEAVE, ago=3)._replace(visit="before"),
                muted=MUTED,
            ),
            Verdict.RESTORE,
        ),
        (DOUBTFUL, case(CHROME, own(Command.DECOY, outcome=Outcome.DOUBTFUL)), Verdict.ASK),
        (
            DOUBTFUL,
            case(replace(CHROME, issued=NOW - 0.5), *[own(Command.LEAVE, ago) for ago in range(BUSY, 0, -1)]),
            Verdict.ASK,
        ),
        (LATER_UNDO, case(replace(TEXT, command=Command.UNDO), muted=MUTED), Verdict.ASK),
        (LATER_UNDO, case(replace(CHROME, command=Command.KEEP), muted=MUTED), Verdict.ASK),
    ],
)
def test_each_layer_objects_and_without_it_nothing_does(layer: Layer, found: Weighed, verdict: Verdict) -> None:
    assert judge(found).verdict is verdict
    assert judge(found, [each for each in LAYERS if each is not layer]).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (case(CHROME), ""),
        (case(replace(TEXT, pressed=False)), "no button"),
        (case(replace(CHROME, command=Command.UNDO), other(Command.MUTE), muted=MUTED), "others"),
        (case(TEXT, own(Command.KEEP, ago=3)), "contradiction"),
        (case(CHROME, own(Command.DECOY, outcome=Outcome.DOUBTFUL)), "doubtful"),
        (case(replace(TEXT, command=Command.UNDO), muted=MUTED), "later undo"),
    ],
)
def test_a_judgement_names_its_cause(found: Weighed, cause: str) -> None:
    assert judge(found).cause == cause


@pytest.mark.parametrize(
    "found",
    [
        case(replace(CHROME, issued=NOW - 1), own(Command.KEEP, ago=PAUSE + 0.01)),
        case(replace(CHROME, page=Page.REPEAT), own(Command.DECOY, ago=60, outcome=Outcome.DOUBTFUL)),
        case(CHROME, other(Command.UNDO, ago=WINDOW)),
        case(CHROME, other(Command.UNDO, outcome=Outcome.ASKED)),
        case(replace(CHROME, command=Command.UNDO), other(Command.UNDO), muted=MUTED),
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
def test_a_press_at_the_edge_is_accepted(found: Weighed) -> None:
    assert judge(found).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    "found",
    [
        case(replace(TEXT, issued=NOW - 1), own(Command.KEEP, ago=PAUSE)),
        case(replace(CHROME, command=Command.MUTE_ALL), other(Command.UNDO)),
    ],
    ids=["not longer than a pause", "stop all, after an undo"],
)
def test_a_press_at_the_edge_is_not_accepted(found: Weighed) -> None:
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
            case(replace(CHROME, command=Command.UNDO, issued=NOW - 1), own(Command.MUTE), muted=MUTED),
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
def test_what_is_remembered_of_a_press(found: Weighed, outcome: Outcome) -> None:
    press = judge(found).press
    assert press is not None and press.outcome is outcome


@pytest.mark.parametrize(
    "found",
    [
        case(CHROME, muted=MUTED),
        case(replace(CHROME, command=Command.LEAVE)),
        case(CHROME, own(Command.UNDO, found=MUTED, ago=3), other(Command.UNDO)),
    ],
    ids=["muted already", "a press that sets nothing", "asked about"],
)
def test_nothing_is_set(found: Weighed) -> None:
    assert judge(found).sets == {}


@pytest.mark.parametrize("command", [Command.KEEP, Command.LEAVE, Command.MUTE])
def test_a_doubtful_press_that_would_change_nothing_is_not_asked_for_again(command: Command) -> None:
    muted = MUTED if command is Command.MUTE else FREE
    judgement = judge(case(replace(CHROME, command=command, doubts=("untrusted click",)), muted=muted))
    assert judgement.verdict is Verdict.SHOW and not judgement.sets


@pytest.mark.parametrize(
    "doubt",
    [
        "no page",
        "untrusted click",
        "no gesture",
        "no fetch metadata",
        "scanner",
        "prefetch",
        "another site",
        "hurry",
    ],
)
def test_the_second_press_is_judged_alike_but_forgives_what_a_person_cannot_mend(doubt: str) -> None:
    doubtful = replace(CHROME, doubts=(doubt,))
    judgement = judge(case(doubtful))
    assert judgement.cause == doubt and not judgement.sets and judgement.press is None
    again = judge(case(replace(doubtful, page=Page.REPEAT))).verdict
    assert again is (Verdict.ACCEPT if doubt in FORGIVEN else Verdict.ASK)


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
    assert judge(Weighed(keep, MUTED, (own(Command.MUTE),), FREE)).sets == {0: False}
    assert judge(Weighed(keep, MUTED, (own(Command.MUTE),), MUTED)).verdict is Verdict.ASK


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


class Link:
    """A link, its choice, and what was pressed on it; times in seconds."""

    def __init__(self, muted: bool = False) -> None:
        self.muted = [muted, False]
        self.recent: list[Press] = []
        self.now = NOW

    def press(
        self,
        choice: str,
        visitor: str = "person",
        visit: str = "",
        page: Page = Page.OPENED,
        age: float = 1.0,
        evidence: Evidence = CHROME,
    ) -> Judgement:
        """Press a button of a page that was made so many seconds ago."""
        known = replace(
            evidence,
            command=Command(choice),
            visitor=visitor,
            visit=visit or f"visit of {visitor}",
            at=self.now,
            issued=self.now - age,
            page=page,
        )
        judgement = judge(Weighed(known, (self.muted[0], self.muted[1]), tuple(self.recent), FREE))
        for which, muted in judgement.sets.items():
            self.muted[which] = muted
        if judgement.press is not None:
            self.recent.append(judgement.press)
        return judgement


@pytest.mark.parametrize("evidence", [CHROME, TEXT], ids=["vouches", "is silent"])
@pytest.mark.parametrize(
    ("muted", "choices", "ends"),
    [
        (False, "mute", True),
        (False, "mute mute", True),
        (False, "mute undo", False),
        (False, "mute undo undo", False),
        (False, "mute leave", True),
        (False, "mute leave undo", False),
        (False, "mute mute-all", True),
        (False, "keep keep", False),
        (True, "undo", False),
        (True, "undo undo", False),
        (True, "undo keep", False),
        (True, "undo mute", True),
        (True, "leave", True),
        (True, "leave undo", False),
        (True, "none", True),
    ],
)
@pytest.mark.parametrize("gap", [2.0, 10.0, 60.0, 300.0])
def test_an_ordinary_walk_is_never_asked(
    evidence: Evidence, muted: bool, choices: str, ends: bool, gap: float
) -> None:
    link = Link(muted)
    for number, choice in enumerate(choices.split()):
        # The first press undoes on a later visit only where the browser vouches for it.
        judgement = link.press(choice, page=Page.RESULT if number or muted else Page.OPENED, evidence=evidence)
        assert not judgement.asks
        link.now += gap
    assert link.muted[0] is ends


@pytest.mark.parametrize("choices", ["mute undo", "mute leave undo", "undo mute"])
def test_nor_is_one_who_loads_the_page_anew_in_between(choices: str) -> None:
    link = Link(muted=choices.startswith("undo"))
    for number, choice in enumerate(choices.split()):
        assert not link.press(choice, visit=str(number)).asks
        link.now += PAUSE + 5


@pytest.mark.parametrize(("gap", "asks"), [(3.0, True), (PAUSE + 1, False)])
def test_keep_and_then_a_mute_is_asked_about_unless_somebody_has_read_in_between(gap: float, asks: bool) -> None:
    link = Link()
    link.press("keep")
    link.now += gap
    assert link.press("mute", page=Page.RESULT).asks is asks
    assert link.muted[0] is not asks


def test_after_a_third_opposite_press_one_more_press_settles_it() -> None:
    link = Link()
    for choice in ("mute", "undo"):
        assert not link.press(choice, page=Page.RESULT).asks
        link.now += 3
    assert link.press("mute", page=Page.RESULT).asks and not link.muted[0]
    link.now += 3
    assert not link.press("mute", page=Page.REPEAT, age=2).asks and link.muted[0]
    link.now += 3
    assert not link.press("undo", page=Page.RESULT).asks and not link.muted[0]


BESIDE = [*range(5, 116, 22), 115]


@pytest.mark.parametrize("later", BESIDE)
@pytest.mark.parametrize("stale", [True, False], ids=["opened before", "anew"])
@pytest.mark.parametrize(
    "choices", ["keep", "undo", "none", "none undo", "undo leave", "none mute keep", "keep mute"]
)
def test_s1_what_a_person_has_muted_stands_whatever_a_scanner_presses_later(
    choices: str, stale: bool, later: float
) -> None:
    link = Link()
    link.press("mute")
    link.now += later
    for number, choice in enumerate(choices.split()):
        link.press(choice, visitor="scanner", visit=f"scan {stale or number}", age=later + 9 if stale else 1.0)
        link.now += 1
    assert link.muted[0]


@pytest.mark.parametrize("later", BESIDE)
@pytest.mark.parametrize("choices", ["keep", "none", "none keep", "keep mute keep"])
def test_s1_the_same_from_a_page_that_was_opened_before_by_what_looks_like_the_person(
    choices: str, later: float
) -> None:
    link = Link()
    link.press("mute")
    link.now += later
    for choice in choices.split():
        link.press(choice, visit="another", age=later + 9)
    assert link.muted[0]


@pytest.mark.parametrize("later", BESIDE)
@pytest.mark.parametrize("choices", ["mute", "none mute", "mute keep", "mute-all", "mute none mute-all"])
def test_s1_what_a_person_has_undone_stands_as_well(choices: str, later: float) -> None:
    link = Link(muted=True)
    assert not link.press("undo").asks
    link.now += later
    for choice in choices.split():
        link.press(choice, visitor="scanner")
        link.now += 1
    assert link.muted == [False, False]


@pytest.mark.parametrize("evidence", [CHROME, TEXT], ids=["vouches", "is silent"])
def test_s2_the_decoy_changes_nothing_in_any_browser(evidence: Evidence) -> None:
    link = Link()
    link.press("mute", evidence=evidence)
    link.now += 5
    judgement = link.press("none", page=Page.RESULT, evidence=evidence)
    assert link.muted[0] and not judgement.asks
    link.now += 5
    assert link.press("undo", page=Page.RESULT, evidence=evidence).sets == {0: False}, "taking it back stays possible"


def test_s3_who_presses_a_decoy_of_the_page_that_asks_has_not_answered_it() -> None:
    link = Link()
    scanner = replace(TEXT, doubts=("scanner",))
    assert link.press("mute", evidence=scanner).asks
    for choice in ("none", "mute", "keep", "mute"):
        link.now += 1
        link.press(choice, page=Page.REPEAT, age=link.now - NOW - 0.5, evidence=scanner)
        assert not link.muted[0]


@pytest.mark.parametrize("sweep", ["mute keep", "none mute keep", "keep none mute", "mute none keep"])
def test_s4_after_a_sweep_a_person_presses_once(sweep: str) -> None:
    link = Link()
    for choice in sweep.split():
        link.press(choice, visitor="scanner", age=60 + link.now - NOW)
        link.now += 1
    assert not link.muted[0]
    link.now += 5
    assert not link.press("mute").asks and link.muted[0]


def test_s5_a_doubtful_press_changes_nothing_and_leaves_nothing() -> None:
    link = Link()
    judgement = link.press("mute", evidence=replace(CHROME, doubts=("untrusted click",)))
    assert judgement.asks and not link.muted[0] and not link.recent


def test_phone_and_laptop_agree_or_are_asked_and_after_a_while_are_free() -> None:
    link = Link()
    link.press("mute", visitor="phone")
    link.now += 30
    assert not link.press("mute", visitor="laptop").asks
    assert link.press("undo", visitor="laptop").asks and link.muted[0]
    link.now += WINDOW + 1
    assert not link.press("undo", visitor="laptop").asks and not link.muted[0]


def test_a_page_that_asked_has_asked_about_everybody() -> None:
    link = Link()
    link.press("mute", visitor="phone")
    link.now += 5
    assert link.press("undo", visitor="laptop").asks
    link.now += 5
    assert not link.press("undo", visitor="laptop", page=Page.REPEAT, age=4).asks and not link.muted[0]


@given(
    st.booleans(),
    st.lists(
        st.tuples(
            st.sampled_from(["mute", "undo", "keep", "leave", "mute-all", "undo-all", "none"]), st.floats(0.5, 20)
        ),
        max_size=14,
    ),
)
def test_nobody_changes_what_somebody_else_was_just_told(mutes: bool, presses: list[tuple[str, float]]) -> None:
    link = Link(muted=not mutes)
    assert not link.press("mute" if mutes else "undo").asks
    link.now += 1
    for choice, gap in presses:
        if link.now + gap > NOW + WINDOW:
            break
        link.now += gap
        link.press(choice, visitor="scanner")
    assert link.muted[0] is mutes


@given(st.booleans(), st.permutations(["mute", "keep", "mute-all", "none"]), st.floats(0.1, 2))
def test_who_presses_every_button_of_a_page_leaves_it_as_it_was_found(
    muted: bool, choices: list[str], gap: float
) -> None:
    link = Link(muted)
    buttons = (
        choices
        if not muted
        else ["undo" if each == "keep" else "leave" if each == "mute" else each for each in choices]
    )
    started = link.now
    for choice in buttons:
        link.press(choice, visitor="scanner", age=1 + link.now - started, evidence=TEXT)
        link.now += gap
    assert link.muted[0] is muted


@pytest.mark.parametrize("choices", ["mute-all undo", "mute-all leave", "leave mute-all", "undo mute-all leave"])
def test_who_presses_different_buttons_of_one_page_has_stopped_nothing(choices: str) -> None:
    link = Link(muted=True)
    for choice in choices.split():
        link.press(choice, visitor="scanner", age=1 + link.now - NOW, evidence=TEXT)
        link.now += 1
    assert link.muted == [True, False]
