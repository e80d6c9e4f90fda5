"""What a person does with an invitation in a browser, and the words that they meet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.hosts import until

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: The label of the mute in each language.
WORDS = {
    "en": "Not Interested?",
    "de": "Kein Interesse?",
    "fr": "Cela ne vous intéresse pas ?",
    "es": "¿No le interesa?",
    "pt": "Não tem interesse?",
    "ja": "興味がありませんか？",
    "ar": "غير مهتم؟",
}
NO, UNDO = WORDS["en"], "I've changed my mind."


def link_in(text: str) -> str:
    """The candidate's link in a mail."""
    found = re.search(r"https?://\S+/optout/[a-z2-7]+", text)
    assert found is not None
    return found[0]


def read(page: Page) -> None:
    """Wait as long as a person looks at a page, at least, after it is painted."""
    until(lambda: page.evaluate("performance.getEntriesByName('first-contentful-paint').length"), "a painted page")
    page.wait_for_timeout(500)


def press(page: Page, name: str) -> None:
    """Press a button when a person could have read it."""
    read(page)
    page.get_by_role("button", name=name).click()
