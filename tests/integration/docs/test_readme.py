"""The README does what it says: its code is run, its commands, tables and pictures are checked."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

from playwright.sync_api import Page, expect

from tests.support.quick_start import (
    DOCTOR,
    EXAMPLE,
    INSTALL,
    INVITE_AGAIN,
    QUICK_START,
    README,
    ROOT,
    SESSION,
    SNIPPETS,
    TESTS,
    flask,
)
from tests.support.story import link_in, press
from tests.support.terminal import terminal


def test_the_quick_start_is_short() -> None:
    assert len(QUICK_START.splitlines()) <= 25


def test_the_quick_start_shows_a_mail_a_press_and_a_mail_that_was_blocked(tmp_path: Path, page: Page) -> None:
    with terminal(tmp_path) as shell:
        (tmp_path / "app.py").write_text(shell.put(QUICK_START))
        *_, said = [shell.type(line) for line in SESSION]
        assert "Test our camera." in said and said.endswith("Invitation accepted\n")
        page.goto(link_in(said.partition("Test our camera.")[2]))
        expect(page.get_by_role("heading", name="Pocket Camera")).to_be_visible()
        press(page, "Not Interested?")
        expect(page.get_by_role("button", name="I've changed my mind.")).to_be_visible()

        said = shell.type(INVITE_AGAIN)
        assert "Test our camera." not in said and said.endswith("Invitation accepted\n")

        press(page, "I've changed my mind.")
        expect(page.get_by_role("button", name="Not Interested?")).to_be_visible()
        assert "Test our camera." in shell.type(INVITE_AGAIN)
        shell.type("kill %1 %2")


def test_what_it_installs_is_all_that_it_needs() -> None:
    assert re.search(r"pip install '\.\[example\]'$", INSTALL)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {re.split(r"[>=]", each)[0] for each in extras["example"]} == {"Flask-OptOut[mail]", "aiosmtpd"}


def test_the_other_code_runs_in_that_app(module: ModuleType) -> None:
    for snippet in SNIPPETS:
        exec(snippet, vars(module))


def test_the_doctor_looks_at_the_quick_start(tmp_path: Path, settings: dict[str, str]) -> None:
    with flask(tmp_path, f"{DOCTOR} --offline", settings, subprocess.PIPE) as process:
        said, _ = process.communicate()
    assert b"The app's Mail (flask_mail) passes the gate." in said
    assert process.returncode == 0


def test_the_command_for_the_tests_is_run() -> None:
    """The example by test_example.py, the tests by .ci/run, the rest here."""
    assert "example_app" in EXAMPLE
    assert TESTS in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_code_is_all_in_blocks_that_are_run() -> None:
    assert set(re.findall(r"^```(\w+)$", README, re.MULTILINE)) == {"shell", "python"}


def test_every_picture_and_file_it_points_to_is_there() -> None:
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert len(targets) >= 3
    headings = {"#" + heading.lower() for heading in re.findall(r"^## (\w+)$", README, re.MULTILINE)}
    for target in targets:
        assert target in headings or (ROOT / target.partition("#")[0]).exists(), target
