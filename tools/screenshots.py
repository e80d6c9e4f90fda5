"""Take the README's pictures from the running example: ``python -m tools.screenshots``; needs Chromium."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.conftest import CHROMIUM_ARGUMENTS
from tests.hosts import example

DOCS = Path(__file__).parents[1] / "docs"
SIZE = ViewportSize(width=560, height=400)


def take(page: Page, url: str) -> None:
    """Invite, open the link in the mail, mute; a picture before and one after."""
    page.goto(url)
    page.get_by_role("button", name="Invite Jane Doe").last.click()
    page.get_by_role("link", name="Mailbox of Jane Doe").click()
    page.frame_locator("iframe").get_by_role("link", name="Not Interested?").click()
    button = page.get_by_role("button", name="Not Interested?")
    button.wait_for()
    page.screenshot(path=DOCS / "invited.png")
    page.wait_for_timeout(500)  # a press sooner than anybody can read is asked for once more
    button.click()
    page.get_by_role("button", name="I've changed my mind.").wait_for()
    page.mouse.move(0, 0)
    page.screenshot(path=DOCS / "muted.png")


def find_chromium() -> str:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    return chromium or sys.exit("No Chromium: install it, or set CHROMIUM to its path.")


def main() -> None:
    chromium = find_chromium()
    DOCS.mkdir(exist_ok=True)
    with example("--port", "0") as programme, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        take(browser.new_page(viewport=SIZE, device_scale_factor=2), programme.url)
        browser.close()


if __name__ == "__main__":
    main()
