"""Scanners and people of the benchmark, one visit each: for everyday; the benchmark takes many with any seed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks.scanners import machines, report
from benchmarks.scanners.people import PEOPLE, is_there, meet
from benchmarks.scanners.walks import ordinary
from benchmarks.scanners.world import SAFE_READS, World, world
from flask_optout.presses.judge import LAYERS, Layer
from flask_optout.testing.scanners import head_probe
from tests.conftest import missing

pytestmark = pytest.mark.long

MANUAL = (Path(__file__).parents[3] / "docs" / "scanners.md").read_text()
[COMMAND] = re.findall(r"^```shell\n(.*)\n```$", MANUAL, re.MULTILINE)
FEW = (
    *("keyboard, Space", "touch", "double click", "scripts off", "scripts blocked on the way", "Safari, scripts off"),
    *("lynx", "w3m", "undo at once", "undo on a later visit, Safari, scripts off", "mute, undo, mute"),
)


@pytest.fixture
def here(browser: Browser) -> Iterator[World]:
    with world(7, browser) as made:
        yield made


def test_scanners_without_a_browser_change_nothing() -> None:
    figures = report.Report()
    with world(7, None) as made:
        report.scanners(made, figures, quick=False)
    assert figures.counts["visits"] >= 18 and (figures.opted_out, figures.undone) == ([], [])


@pytest.mark.parametrize("name", ["P9 clicks by script", "P11 clicks in any order", "P12 hurried click"])
def test_scanners_with_a_browser_change_nothing(here: World, name: str) -> None:
    candidate = here.candidate()
    machines.PROFILES[name](here, candidate)
    assert not candidate.is_muted


@pytest.mark.parametrize("name", FEW)
def test_people_get_what_they_want(here: World, name: str) -> None:
    person = PEOPLE[name]
    if not is_there(person, here):
        missing(person.needs, f"apt-get install {person.needs}")
    outcome = meet(person, here)
    assert outcome.right
    assert not (person.ordinary and outcome.asked)


def test_what_a_person_was_told_stands_beside_every_scanner_without_a_browser() -> None:
    figures = report.Report()
    with world(7, None) as made:
        report.beside(made, figures, quick=True)
    assert figures.counts["told"] >= 100 and (figures.untold, figures.wrong) == ([], [])


def test_no_ordinary_walk_is_asked_for_a_second_press() -> None:
    with world(7, None) as made:
        figures = ordinary(made, 1)
    assert figures.walks >= 100 and (figures.asked, figures.wrong) == ([], [])


@pytest.mark.parametrize("layer", [SAFE_READS, LAYERS[-1]])
def test_without_a_layer_scanners_change_something(layer: Layer) -> None:
    with world(7, None) as made, made.without(layer):
        candidates = [made.candidate(), made.candidate()]
        candidates[1].said(True)
        for candidate in candidates[layer is not SAFE_READS :]:
            profile = head_probe if layer is SAFE_READS else report.press_like_a_reader
            profile(candidate.scanner())
        assert [candidate.is_muted for candidate in candidates] == [layer is SAFE_READS] * 2


def test_the_command_prints_its_figures_and_what_each_layer_is_worth() -> None:
    """The manual's command, in a hurry and on a machine without a browser."""
    arguments = COMMAND.split()[1:4] + ["1", "--quick"]
    environment = {**os.environ, "PATH": "", "CHROMIUM": ""}
    ended = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    for words in ("accidental opt-outs: 0 of", "people right: ", *(layer.name for layer in LAYERS)):
        assert words in ended.stdout
