"""Presses one after another on one link: people get what they press, and scanners change nothing that they said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.presses.evidence import Command, Evidence, Page
from flask_optout.presses.judge import BUSY, PAUSE, WINDOW, Judgement, Press, PressContext, judge
from tests.support.pressing import CHROME, NOW, TEXT


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
        judgement = judge(PressContext(known, (self.muted[0], self.muted[1]), tuple(self.recent), (False, False)))
        for which, muted in judgement.sets.items():
            self.muted[which] = muted
        if judgement.press is not None:
            self.recent.append(judgement.press)
        return judgement


def test_a_program_that_tries_each_answer_of_the_page_that_asks_changes_nothing() -> None:
    link = Link(muted=True)
    link.press("undo", visit="1")
    link.press("mute", visit="2")
    for number, answer in enumerate(("leave", "undo"), 3):
        link.now += 5
        assert link.press("undo", visit=str(number)).asks
        link.now += 5
        link.press(answer, visit=str(number), page=Page.REPEAT)
        assert link.muted == [True, False]
    link.now += 5
    link.press("undo", visit="4", page=Page.REPEAT)
    assert link.muted == [False, False], "somebody who says so a third time means it"


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
def test_nor_is_who_loads_the_page_anew_in_between(choices: str) -> None:
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
def test_what_a_person_has_muted_stands_whatever_a_scanner_presses_later(
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
def test_what_a_person_has_muted_stands_whatever_is_pressed_on_a_page_opened_before_by_the_same_browser(
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
def test_what_a_person_has_undone_stands_whatever_a_scanner_presses_later(choices: str, later: float) -> None:
    link = Link(muted=True)
    assert not link.press("undo").asks
    link.now += later
    for choice in choices.split():
        link.press(choice, visitor="scanner")
        link.now += 1
    assert link.muted == [False, False]


@pytest.mark.parametrize("evidence", [CHROME, TEXT], ids=["vouches", "is silent"])
def test_the_decoy_changes_nothing_in_any_browser(evidence: Evidence) -> None:
    link = Link()
    link.press("mute", evidence=evidence)
    link.now += 5
    judgement = link.press("none", page=Page.RESULT, evidence=evidence)
    assert link.muted[0] and not judgement.asks
    link.now += 5
    assert link.press("undo", page=Page.RESULT, evidence=evidence).sets == {0: False}, "taking it back stays possible"


def test_who_presses_a_decoy_of_the_page_that_asks_has_not_answered_it() -> None:
    link = Link()
    scanner = replace(TEXT, doubts=("scanner",))
    assert link.press("mute", evidence=scanner).asks
    for choice in ("none", "mute", "keep", "mute"):
        link.now += 1
        link.press(choice, page=Page.REPEAT, age=link.now - NOW - 0.5, evidence=scanner)
        assert not link.muted[0]


@pytest.mark.parametrize("sweep", ["mute keep", "none mute keep", "keep none mute", "mute none keep"])
def test_after_a_sweep_a_person_presses_once(sweep: str) -> None:
    link = Link()
    for choice in sweep.split():
        link.press(choice, visitor="scanner", age=60 + link.now - NOW)
        link.now += 1
    assert not link.muted[0]
    link.now += 5
    assert not link.press("mute").asks and link.muted[0]


def test_a_doubtful_press_changes_nothing_and_leaves_nothing() -> None:
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
    in_its_place = {"keep": "undo", "mute": "leave"} if muted else {}
    started = link.now
    for choice in choices:
        link.press(in_its_place.get(choice, choice), visitor="scanner", age=1 + link.now - started, evidence=TEXT)
        link.now += gap
    assert link.muted[0] is muted


@pytest.mark.parametrize("choices", ["mute-all undo", "mute-all leave", "leave mute-all", "undo mute-all leave"])
def test_who_presses_different_buttons_of_one_page_has_stopped_nothing(choices: str) -> None:
    link = Link(muted=True)
    for choice in choices.split():
        link.press(choice, visitor="scanner", age=1 + link.now - NOW, evidence=TEXT)
        link.now += 1
    assert link.muted == [True, False]


#: Hurries, or shows itself in another way, with its second button alone.
HURRIED, SCRIPTED = (replace(CHROME, doubts=(doubt,)) for doubt in ("hurry", "untrusted click"))


@pytest.mark.parametrize("evidence", [HURRIED, SCRIPTED], ids=["hurries", "by script"])
@pytest.mark.parametrize(
    ("muted", "first", "second"),
    [(False, "mute", "undo"), (False, "mute", "keep"), (True, "undo", "mute"), (True, "mute-all", "undo-all")],
)
def test_a_doubtful_press_still_takes_back_what_its_visit_has_pressed(
    muted: bool, first: str, second: str, evidence: Evidence
) -> None:
    link = Link(muted)
    link.press(first)
    link.now += 0.1
    link.press(second, page=Page.RESULT, age=0.05, evidence=evidence)
    assert link.muted == [muted, False]


@pytest.mark.parametrize("evidence", [HURRIED, SCRIPTED], ids=["hurries", "by script"])
def test_but_nothing_that_another_visit_of_what_looks_like_the_same_visitor_has_pressed(evidence: Evidence) -> None:
    link = Link()
    link.press("mute")
    link.now += 5
    assert link.press("undo", visit="another", evidence=evidence).asks and link.muted[0]


@pytest.mark.parametrize("gap", [2.0, 20.0, 55.0])
@pytest.mark.parametrize("choices", ["keep mute", "keep none mute", "leave undo"])
def test_what_presses_every_button_slowly_and_loads_the_page_anew_leaves_it_as_it_was_found(
    choices: str, gap: float
) -> None:
    muted = choices == "leave undo"
    link = Link(muted)
    for number, choice in enumerate(choices.split()):
        link.press(choice, visit=str(number), evidence=CHROME)
        link.now += gap
    assert link.muted[0] is muted


@pytest.mark.parametrize("evidence", [CHROME, TEXT], ids=["vouches", "is silent"])
@pytest.mark.parametrize("choices", ["undo mute mute-all", "undo leave mute-all"])
def test_who_is_invited_again_and_then_stops_everything_is_asked(choices: str, evidence: Evidence) -> None:
    link = Link(muted=True)
    for number, choice in enumerate(choices.split()):
        asks = link.press(choice, visit=str(number), evidence=evidence).asks
        link.now += 3
    assert asks and link.muted == [True, False]


def test_who_has_pressed_a_great_deal_gets_what_they_want_by_one_more_press() -> None:
    link = Link()
    for _ in range(2 * BUSY):
        link.press("leave", page=Page.RESULT)
        link.now += 1
    assert link.press("mute", page=Page.RESULT).asks
    link.now += 3
    assert not link.press("mute", page=Page.REPEAT, age=2).asks and link.muted[0]


@pytest.mark.parametrize(
    ("muted", "burst", "person", "last"),
    [(True, "mute-all undo-all undo", "undo", "keep"), (False, "none keep mute", "mute", "mute-all")],
)
def test_no_contradiction_restores_what_somebody_else_has_been_told_otherwise_since(
    muted: bool, burst: str, person: str, last: str
) -> None:
    link = Link(muted)
    for choice in (*burst.split(), None, last):
        if choice is None:
            assert not link.press(person).asks
        else:
            link.press(choice, visitor="scanner", page=Page.RESULT)
        link.now += 2
    assert link.muted[0] is not muted


@pytest.mark.parametrize("gap", [5.0, 40.0, WINDOW - 20])
@pytest.mark.parametrize("visits", ["one page", "anew"])
@pytest.mark.parametrize(
    ("muted", "before", "person", "after", "ends"),
    [
        (False, "mute", "mute", "keep", [True, False]),
        (False, "mute", "mute", "leave leave keep", [True, False]),
        (False, "mute", "leave", "keep", [True, False]),
        (False, "keep mute", "mute", "none keep", [True, False]),
        (True, "leave", "undo", "leave", [False, False]),
        (True, "undo", "undo", "leave", [False, False]),
        (True, "undo", "undo", "none leave mute", [False, False]),
    ],
)
def test_what_a_person_says_between_a_scanners_presses_stands(
    muted: bool, before: str, person: str, after: str, ends: list[bool], visits: str, gap: float
) -> None:
    link, opened = Link(muted), NOW - 1
    for choice in (*before.split(), None, *after.split()):
        if choice is None:
            asks = link.press(person).asks
            if asks:
                link.now += 2
                link.press(person, page=Page.REPEAT, age=1)
            link.now += gap
            continue
        age, visit = (link.now - opened, "scan") if visits == "one page" else (1.0, f"scan {link.now}")
        link.press(choice, visitor="scanner", visit=visit, age=age)
        link.now += min(gap, 15.0) if choice == before.split()[-1] else gap
    assert link.muted == ends


@pytest.mark.parametrize(
    "choices", ["mute-all undo", "undo mute-all", "mute-all leave none", "none mute-all undo leave"]
)
def test_a_program_that_presses_every_button_beside_a_person_stops_nothing_else(choices: str) -> None:
    link = Link()
    link.press("mute")
    opened = link.now = NOW + 5
    for choice in choices.split():
        link.now += 5
        link.press(choice, visitor="scanner", age=link.now - opened)
    assert link.muted == [True, False]


@pytest.mark.parametrize("later", [WINDOW + 1, 600.0, 1_700.0])
@pytest.mark.parametrize(("muted", "choices"), [(False, "mute undo"), (True, "undo mute")])
def test_a_form_that_is_sent_anew_after_it_was_taken_back_is_asked_about(
    muted: bool, choices: str, later: float
) -> None:
    link = Link(muted)
    first, second = choices.split()
    link.press(first, page=Page.RESULT)
    link.now += WINDOW + 5
    assert not link.press(second, page=Page.RESULT).asks
    link.now += later
    assert link.press(first, page=Page.RESULT, age=later + WINDOW + 6).asks and link.muted[0] is muted
    link.now += 5
    assert not link.press(first, page=Page.REPEAT, age=4).asks and link.muted[0] is not muted


@pytest.mark.parametrize("visitor", ["person", "scanner"])
@pytest.mark.parametrize("gap", [PAUSE + 5, 70.0])
@pytest.mark.parametrize(("muted", "choices"), [(False, "mute undo"), (False, "keep mute"), (True, "leave undo")])
def test_a_request_that_is_sent_anew_by_whomever_changes_nothing(
    muted: bool, choices: str, gap: float, visitor: str
) -> None:
    link, sent = Link(muted), []
    for choice in choices.split():
        sent.append((choice, link.now))
        link.now += gap
        assert not link.press(choice, visit="one", page=Page.RESULT, age=gap).asks
    said = list(link.muted)
    for choice, opened in sent:
        link.now += 5
        link.press(choice, visitor, visit="one", page=Page.RESULT, age=link.now - opened)
        assert link.muted == said
