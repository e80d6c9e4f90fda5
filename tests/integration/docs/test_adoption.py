"""A newcomer's walk: an app that was there gets the opt-out by the README's "new" lines, is tested, seen, examined.

``python -m tools.check_dist`` walks it with nothing but the wheel: ``OPTOUT_ADOPTER`` names the Python to use.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.story import link_in, press
from tests.support.terminal import Terminal, terminal

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
BEFORE, AFTER, TEST = re.findall(r"^```python\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
SET_UP, TEST_IT, SEE_IT, SEE_IT_AGAIN, CHECK_IT = (
    block.splitlines() for block in re.findall(r"^```shell\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
)
INSTALL, *SET_UP = SET_UP
README = (ROOT / "README.md").read_text()
NEW = [line.split("  # new")[0] for line in README.splitlines() if "  # new" in line]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal where the app stands, adopted and set up."""
    with terminal(tmp_path, os.environ.get("OPTOUT_ADOPTER", sys.executable)) as shell:
        (tmp_path / "app.py").write_text(shell.put(AFTER))
        (tmp_path / "test_app.py").write_text(TEST)
        for command in SET_UP:
            shell.type(command)
        yield shell


def test_the_walk_needs_no_more_than_the_readme() -> None:
    """Of the README's new lines, all that are about no single app stand in the adopted one, word for word."""
    general = [line for line in NEW if "mail.send" not in line]
    assert len(general) == 5
    assert [line for line in general if line not in AFTER.splitlines()] == []
    assert "opportunity=" in NEW[-1]
    for command in (INSTALL.removesuffix(" pytest"), *SET_UP, *SEE_IT[:2], CHECK_IT[0].removesuffix(" --offline")):
        assert command in README.splitlines()


def test_the_change_is_small() -> None:
    gone = set(BEFORE.splitlines()) - set(AFTER.splitlines())
    come = set(AFTER.splitlines()) - set(BEFORE.splitlines())
    assert (len(gone), len(come)) == (2, 8)


def test_its_test_passes_as_often_as_it_is_run_and_the_doctor_is_content(shell: Terminal) -> None:
    for _ in range(2):
        assert "1 passed" in shell.type(*TEST_IT)
    said = shell.type(*CHECK_IT)
    assert "The app's Mail (flask_mail) passes the gate." in said
    assert "\n0 things to mend" in said
    shell.type("unset FLASK_SECRET_KEY")  # as in a new shell
    assert "1 passed" in shell.type(*TEST_IT)


def test_its_test_fails_without_the_opt_out(shell: Terminal, tmp_path: Path) -> None:
    # Of another size, or Python would run what it has compiled in the same second.
    another = shell.put(AFTER).replace(", opportunity=evening))", ", opportunity='another evening'))")
    (tmp_path / "app.py").write_text(another)
    with pytest.raises(AssertionError, match="0 invitations to this opportunity"):
        shell.type(*TEST_IT)


def test_a_mail_is_seen_and_one_is_not(shell: Terminal, page: Page) -> None:
    *_, said = [shell.type(command) for command in SEE_IT]
    page.goto(link_in(said.partition("Come to dune.")[2]))
    press(page, "Not Interested?")
    page.get_by_role("button", name="I've changed my mind.").wait_for()
    assert [re.findall(r"Come to \w+", shell.type(command)) for command in SEE_IT_AGAIN] == [[], ["Come to emma"]]
