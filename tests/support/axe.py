"""axe: all of WCAG 2.2 AA, and what it calls good practice."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def violations(
    page: Page, within: str | None = None, good_practice: bool = True, iframes: bool = True
) -> list[tuple[str, list[str]]]:
    """The rules that a page breaks, each with the elements that do.

    :param within: what of the page is looked at.
    """
    rules = {"runOnly": [*WCAG, "best-practice"] if good_practice else WCAG, "iframes": iframes}
    found = Axe().run(page, within, rules).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
