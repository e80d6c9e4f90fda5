"""The README does what it says: its code is run, its commands, tables and pictures are checked."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from playwright.sync_api import Page, expect

from tests.support.hosts import Mailbox, free_port, listens
from tests.support.quick_start import (
    COMMANDS,
    DOCTOR,
    EXAMPLE,
    INIT_DB,
    MAKE_KEY,
    QUICK_START,
    README,
    ROOT,
    RUN,
    SCANNERS,
    SNIPPETS,
    TESTS,
    blocks,
    flask,
)
from tests.support.story import link_in, press


@contextmanager
def running(folder: Path, settings: dict[str, str]) -> Iterator[str]:
    """The README's command for the app, on a free port; gives its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {**settings, "FLASK_RUN_PORT": str(port), "FLASK_OPTOUT_BASE_URL": url}
    process = flask(folder, RUN, settings)
    try:
        deadline = time.monotonic() + 30
        while not listens(port):
            assert process.poll() is None and time.monotonic() < deadline, "the quick start did not start"
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def test_the_quick_start_is_short() -> None:
    assert len(QUICK_START.splitlines()) < 25


def test_the_quick_start_sends_mutes_and_changes_its_mind(
    tmp_path: Path, settings: dict[str, str], smtp: Mailbox, page: Page
) -> None:
    with running(tmp_path, settings) as url:

        def invite() -> str:
            with urllib.request.urlopen(f"{url}/invite/jane@example.org", b"", timeout=10) as response:
                return str(response.read().decode())

        assert invite() == "Invitation accepted"
        assert len(smtp.received) == 1
        page.goto(link_in(smtp.received[0].part("plain")))
        expect(page.get_by_role("heading", name="Pocket Camera")).to_be_visible()
        press(page, "Not Interested?")
        expect(page.get_by_role("button", name="I've changed my mind.")).to_be_visible()

        assert invite() == "Invitation accepted"
        assert len(smtp.received) == 1
        press(page, "I've changed my mind.")
        expect(page.get_by_role("button", name="Not Interested?")).to_be_visible()

        assert invite() == "Invitation accepted"
        assert len(smtp.received) == 2


def test_the_other_code_runs_in_that_app(module: ModuleType, smtp: Mailbox) -> None:
    for snippet in SNIPPETS:
        exec(snippet, vars(module))
    placed, *swept = (mail.part("plain") for mail in smtp.received)
    assert placed.strip() == f"No? {module.url}"
    assert [mail.rcpt_to for mail in smtp.received[1:]] == [["jane@example.org"], ["kofi@example.com"]]
    assert all("Not Interested?" in text for text in swept)


def test_the_headers_are_those_that_arrive(module: ModuleType, smtp: Mailbox) -> None:
    assert module.app.test_client().post("/invite/jane@example.org").status_code == 200
    lines = smtp.received[0].raw.decode().split("\r\n")
    for header in "".join(blocks("text")).splitlines():
        pattern = re.escape(header).replace("…", "[a-z2-7]{80,}")
        assert any(re.fullmatch(pattern, line) for line in lines), header


def test_the_doctor_looks_at_the_quick_start(tmp_path: Path, settings: dict[str, str]) -> None:
    with flask(tmp_path, f"{DOCTOR} --offline", settings, subprocess.PIPE) as process:
        said, _ = process.communicate(timeout=30)
    assert b"The app's Mail (flask_mail) passes the gate." in said
    assert process.returncode == 0


def test_every_command_is_run_somewhere() -> None:
    """The example by test_example.py, the scanners by their own, the tests by .ci/run, the rest here."""
    assert sorted(COMMANDS) == sorted([EXAMPLE, SCANNERS, TESTS, MAKE_KEY, INIT_DB, RUN, DOCTOR])
    assert TESTS in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_code_is_all_in_blocks_that_are_run() -> None:
    assert set(re.findall(r"^```(\w+)$", README, re.MULTILINE)) == {"shell", "python", "text"}


def test_every_picture_and_file_it_points_to_is_there() -> None:
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert len(targets) >= 3
    headings = {"#" + heading.lower() for heading in re.findall(r"^## (\w+)$", README, re.MULTILINE)}
    for target in targets:
        assert target in headings or (ROOT / target.partition("#")[0]).exists(), target
