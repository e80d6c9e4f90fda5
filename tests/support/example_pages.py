"""Every page of the example, and how to get there in one that was just started: for axe and for pictures."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from tests.support.example import Example
from tests.support.story import press


def invitations(page: Page, example: Example) -> None:
    page.goto(example.url)


def invited(page: Page, example: Example) -> None:
    page.goto(example.url)
    page.get_by_role("button", name="Invite Jane Doe").first.click()
    page.locator(".notice").wait_for()


def mailbox(page: Page, example: Example) -> None:
    invited(page, example)
    page.get_by_role("link", name="Jane Doe", exact=True).click()
    page.frame_locator("iframe").first.get_by_role("link", name="See the Pocket Camera").wait_for()


def mailbox_unfolded(page: Page, example: Example) -> None:
    mailbox(page, example)
    for summary in page.get_by_role("article").first.locator("details > details > summary").all():
        summary.click()


def empty_mailbox(page: Page, example: Example) -> None:
    page.goto(f"{example.url}/mailbox/kofi")


def mail(page: Page, example: Example) -> None:
    """The html part without its policy, by which no script runs, neither axe's."""
    mailbox(page, example)
    url = f"{example.url}{page.locator('iframe').first.get_attribute('src')}"
    text = page.request.get(url).text()
    page.route(url, lambda route: route.fulfill(body=text, content_type="text/html; charset=utf-8"))
    page.goto(url)


def landing_page(page: Page, example: Example) -> None:
    mailbox(page, example)
    link = page.frame_locator("iframe").first.get_by_role("link", name="See the Pocket Camera")
    # Not clicked: the mailbox renews itself, and a click on a frame that goes is lost.
    page.goto(link.get_attribute("href") or "")
    page.get_by_role("button", name="Count me in").wait_for()


def muted_in_place(page: Page, example: Example) -> None:
    landing_page(page, example)
    press(page, "Not Interested?")
    page.get_by_role("button", name="I've changed my mind.").wait_for()


def muted(page: Page, example: Example) -> None:
    muted_in_place(page, example)
    page.goto(page.url)


def thanks(page: Page, example: Example) -> None:
    landing_page(page, example)
    page.get_by_role("button", name="Count me in").click()
    page.get_by_role("heading", name="Thank you").wait_for()


def email_log(page: Page, example: Example) -> None:
    invited(page, example)
    page.get_by_role("link", name="Email Log", exact=True).click()


def entry(page: Page, example: Example) -> None:
    email_log(page, example)
    open_newest(page, "Pocket Camera")


def open_newest(page: Page, title: str) -> None:
    """Open the newest invitation to an opportunity."""
    page.get_by_role("link", name=f"Will you test our {title}?").first.click()


def send_again(page: Page, example: Example) -> None:
    entry(page, example)
    page.get_by_text("Send it again…").click()


def lost(page: Page, example: Example) -> None:
    page.goto(example.url)
    page.get_by_role("link", name="Lost your invitation?").click()


PAGES: dict[str, Callable[[Page, Example], None]] = {
    each.__name__.replace("_", " "): each
    for each in (
        invitations,
        invited,
        empty_mailbox,
        mailbox,
        mailbox_unfolded,
        mail,
        landing_page,
        muted_in_place,
        muted,
        thanks,
        email_log,
        entry,
        send_again,
        lost,
    )
}
