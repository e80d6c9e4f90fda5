"""What the figures of `python -m benchmarks` mean."""

from __future__ import annotations

from benchmarks.harness import Elsewhere, Row, interleave, table

NOT_RUN = Row("filtering", "a peer", None, least=1, note="needs a package")


def test_work_elsewhere_counts_what_it_says_it_took() -> None:
    warm_up_and_rounds = iter([9.0, 1.0, 3.0, 2.0])
    times = interleave({"here": lambda: None, "there": Elsewhere(lambda: next(warm_up_and_rounds))}, 3)

    assert times.rounds["there"] == [1.0, 3.0, 2.0]
    assert times.seconds("there") == 2.0
    assert 0 < times.seconds("here") < 1


def test_what_was_not_run_breaks_no_bound_and_says_why() -> None:
    assert NOT_RUN.meets()
    assert table([NOT_RUN]).splitlines()[-1] == "| filtering | a peer | ≥ 1× | not run |  | needs a package |"


def test_a_figure_past_its_bound_is_told_from_one_within() -> None:
    rows = [Row("filtering", "a peer", ratio, least=2) for ratio in (2.5, 1.5)]

    assert [row.meets() for row in rows] == [True, False]
    assert rows[1].meets(slack=4)
    assert [line.split(" | ")[4] for line in table(rows).splitlines()[2:]] == ["yes", "**no**"]
