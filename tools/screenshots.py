"""Take pictures of every page, of toggles and mails: ``python -m tools.screenshots [STATE...]``; needs Chromium.

Each state comes at three widths, light and dark, and at two of them right-to-left, with text at 200 %, in forced
colours and without scripts; each page of the example at three widths, light and dark. They land in
``build/screenshots``, with a sheet for each state and each look, and the README's in ``docs``. With names of states,
only those are taken; with ``example``, only the pages of the example and the README's two pictures of it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from tests.conftest import CHROMIUM_ARGUMENTS, find_chromium
from tests.support.example import example
from tests.support.example_pages import PAGES
from tests.support.hosts import Mailbox, smtp_server
from tests.support.page_states import HOSTED, MAILS, SCRIPTED
from tests.support.page_states import STATES as OWN
from tests.support.stage import Stage, stage

STATES = {**OWN, **HOSTED, **MAILS}
ROOT = Path(__file__).parents[1]
DOCS, BUILD = ROOT / "docs", ROOT / "build" / "screenshots"
#: The size of the browser's window at the example, and of the README's pictures of it.
VISIT, SIZE = ViewportSize(width=1280, height=800), ViewportSize(width=640, height=400)
WIDTHS = (320, 768, 1280)


class Look(NamedTuple):
    """How a page is looked at."""

    name: str
    width: int
    options: dict[str, Any]
    doctored: str = ""


LOOKS = [
    *(Look(f"{scheme} {width}", width, {"color_scheme": scheme}) for scheme in ("light", "dark") for width in WIDTHS),
    *(Look(f"right-to-left {width}", width, {}, "document.documentElement.dir = 'rtl'") for width in (320, 768)),
    *(
        Look(f"text 200 {width}", width, {}, "document.documentElement.style.fontSize = '200%'")
        for width in (320, 768)
    ),
    *(Look(f"forced colours {width}", width, {"forced_colors": "active"}) for width in (320, 768)),
    *(Look(f"no scripts {width}", width, {"java_script_enabled": False}) for width in (320, 768)),
]
SHEET = "<style>body{{font:14px sans-serif;display:flex;flex-wrap:wrap;gap:12px;align-items:start}}figure{{margin:0}}\
img{{border:1px solid #999;max-width:{most}px}}</style>{figures}"
FIGURE = "<figure>{name}<br><img src='{file}'></figure>"


def take_all(browser: Browser, chosen: list[str]) -> None:
    """Take every look at every state, and put them on a sheet for each state and one for each look."""
    shutil.rmtree(BUILD, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder, smtp_server(Mailbox) as smtp, stage(Path(folder), smtp) as ready:
        for state in chosen or STATES:
            (BUILD / state).mkdir(parents=True)
            for look in LOOKS:
                take_look(browser, ready, state, look)
    for state in chosen or STATES:
        sheet(browser, BUILD / f"{state}.png", [BUILD / state / f"{look.name}.png" for look in LOOKS])
    for look in LOOKS:
        sheet(browser, BUILD / f"{look.name}.png", [BUILD / state / f"{look.name}.png" for state in chosen or STATES])


def take_look(browser: Browser, ready: Stage, state: str, look: Look) -> None:
    if state in SCRIPTED and not look.options.get("java_script_enabled", True):
        return
    context = browser.new_context(viewport={"width": look.width, "height": 560}, **look.options)
    page = context.new_page()
    STATES[state](ready, page)
    if look.doctored:
        page.evaluate(look.doctored)
    page.screenshot(path=BUILD / state / f"{look.name}.png", full_page=True)
    context.close()


def sheet(browser: Browser, target: Path, files: list[Path]) -> None:
    figures = [
        FIGURE.format(name=f"{file.parent.name}, {file.stem}", file=file.as_uri()) for file in files if file.exists()
    ]
    source = target.with_suffix(".html")
    source.write_text(SHEET.format(most=620, figures="".join(figures)))
    page = browser.new_page(viewport={"width": 2000, "height": 800})
    page.goto(source.as_uri())
    page.screenshot(path=target, full_page=True)
    page.close()
    source.unlink()


def take_example(browser: Browser) -> None:
    """Take every page of the example, and put them on a sheet for each look."""
    looks = [look for look in LOOKS if look.name.startswith(("light", "dark"))]
    for name, go in PAGES.items():
        (BUILD / "example" / name).mkdir(parents=True, exist_ok=True)
        with example("--port", "0", module="tests.support.example_at_once") as programme:
            page = browser.new_page(viewport=VISIT)
            go(page, programme)
            for look in looks:
                page.set_viewport_size({"width": look.width, "height": 800})
                page.emulate_media(**look.options)
                height = page.evaluate("document.documentElement.scrollHeight")  # a frame out of sight is not painted
                page.set_viewport_size({"width": look.width, "height": height})
                page.wait_for_timeout(300)
                page.screenshot(path=BUILD / "example" / name / f"{look.name}.png", full_page=True)
            page.close()
    for look in looks:
        files = [BUILD / "example" / name / f"{look.name}.png" for name in PAGES]
        sheet(browser, BUILD / f"example, {look.name}.png", files)


def take_for_docs(browser: Browser) -> None:
    """Take the README's pictures: the example's landing page before and after the press."""
    for name, file in (("landing page", "invited.png"), ("muted", "muted.png")):
        with example("--port", "0", module="tests.support.example_at_once") as programme:
            page = browser.new_page(viewport=VISIT, color_scheme="light")
            PAGES[name](page, programme)
            page.locator(".tour").evaluate("tour => tour.remove()")  # it is no part of a host's page
            page.set_viewport_size(SIZE)
            page.mouse.move(0, 0)
            page.locator("main").screenshot(path=DOCS / file)
            page.close()


def main() -> None:
    chromium = find_chromium() or sys.exit("No Chromium: install it, or set CHROMIUM to its path.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        if sys.argv[1:] != ["example"]:
            take_all(browser, sys.argv[1:])
        if not sys.argv[1:]:
            shutil.copy(BUILD / "log" / "light 768.png", DOCS / "email-log.png")
        if sys.argv[1:] in ([], ["example"]):
            take_example(browser)
            take_for_docs(browser)
        browser.close()


if __name__ == "__main__":
    main()
