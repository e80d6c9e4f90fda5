"""A press with htmx: in place, once, and nothing is left of it in the history; and what a visit fetches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, Route, expect

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.pages.routing import VERSIONS
from flask_optout.testing import broken_store
from flask_optout.wiring import current_state
from tests.conftest import page_of
from tests.support.hosts import Host
from tests.support.story import NO, UNDO, press, read

pytestmark = pytest.mark.long

LATER = "You will get no more invitations to Pixel Beta."


@pytest.fixture
def opened(served: Host, browser: Browser) -> Iterator[Page]:
    with page_of(browser) as page:
        page.goto(served.optout.link("jane@example.org", "beta-42"))
        yield page


def posts(page: Page) -> list[str]:
    """Fills with the presses that leave the page."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None)
    return sent


def test_the_page_changes_in_place(opened: Page) -> None:
    length = opened.evaluate("history.length")
    region = opened.get_by_role("status").element_handle()
    press(opened, NO)
    expect(opened.get_by_role("heading", name=LATER)).to_be_focused()
    assert opened.evaluate("history.length") == length
    assert region is not None and region.evaluate("region => region.isConnected")


@pytest.mark.parametrize("scripts", [True, False])
def test_nothing_is_kept_and_the_way_back_shows_what_stands(served: Host, browser: Browser, scripts: bool) -> None:
    with page_of(browser, java_script_enabled=scripts) as page:
        url = served.optout.link("jane@example.org", "beta-42")
        page.goto(served.optout.link("jane@example.org", "study-7"))
        page.goto(url)
        press(page, NO)
        expect(page.get_by_role("heading", name=LATER)).to_be_visible()
        assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
        assert page.evaluate("document.cookie") == ""
        assert url.rpartition("/")[2] not in str(page.evaluate("JSON.stringify(history.state)"))
        page.goto("about:blank")
        page.go_back()
        expect(page.get_by_role("heading", name=LATER)).to_be_visible()
        page.go_back()
        if not scripts:  # a form's press is a page of its own; the one before it says the same
            expect(page.get_by_role("heading", name=LATER)).to_be_visible()
            page.go_back()
        expect(page.get_by_role("heading", name="Sleep Study")).to_be_visible()


def test_while_it_waits_it_is_busy_and_takes_no_second_press(opened: Page) -> None:
    sent = posts(opened)
    waiting: list[Route] = []
    opened.route("**/optout/*", lambda route: waiting.append(route) if route.request.method == "POST" else None)
    press(opened, NO)
    choice = opened.locator(".optout-choice")
    expect(choice).to_have_attribute("aria-busy", "true")
    opened.get_by_role("button", name=NO).click()
    opened.get_by_role("button", name="Keep me invited").click()
    expect(opened.get_by_role("button", name="Keep me invited")).to_be_focused()
    waiting[0].continue_()
    expect(opened.get_by_role("heading", name=LATER)).to_be_focused()
    expect(choice).not_to_have_attribute("aria-busy", "true")
    assert len(sent) == 1


def test_without_htmx_a_form_is_sent_once_too(served: Host, browser: Browser) -> None:
    with page_of(browser) as page:
        page.route("**/htmx.min.js*", lambda route: route.fulfill(body=""))
        page.goto(served.optout.link("jane@example.org", "beta-42"))
        sent = posts(page)
        read(page)
        page.get_by_role("button", name=NO).dblclick()
        expect(page.get_by_role("heading", name=LATER)).to_be_visible()
        assert len(sent) == 1


@pytest.mark.parametrize(
    "fault",
    [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"),
        lambda route: route.fulfill(status=200, body="<h1>Sign in to the café's Wi-Fi</h1>"),
    ],
    ids=["no network", "a proxy's page", "another page"],
)
def test_on_a_fault_the_old_state_stays_with_words_and_a_second_press_goes_through(
    served: Host, browser: Browser, fault: Callable[[Route], None]
) -> None:
    page = browser.new_context().new_page()
    page.goto(served.optout.link("jane@example.org", "beta-42"))
    page.route("**/optout/*", lambda route: fault(route) if route.request.method == "POST" else route.continue_())
    press(page, NO)
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^No connection\. Please press again"))
    expect(page.get_by_role("heading", name="Pixel Beta", exact=True)).to_be_visible()
    expect(page.locator(".optout-choice")).not_to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("button", name=NO)).to_be_focused()
    page.unroute("**/optout/*")
    press(page, NO)
    expect(page.get_by_role("heading", name=LATER)).to_be_focused()
    expect(page.get_by_role("status")).to_be_empty()
    page.context.close()


def test_when_the_store_is_back_the_button_tries_again(served: Host, browser: Browser) -> None:
    page = browser.new_context().new_page()
    page.goto(current_state().links.url(Door.ONE_CLICK, parse("jane@example.org"), "beta-42"))
    with broken_store():
        press(page, NO)
        expect(page.get_by_role("heading", name="Nothing changed.")).to_be_focused()
    press(page, "Try again")
    expect(page.get_by_role("button", name=UNDO)).to_be_visible()
    page.context.close()


class TestFetched:
    def fetched(self, browser: Browser, served: Host, visits: int) -> list[tuple[str, int]]:
        """What the last of some visits brings over the network: the file and its bytes, headers included."""
        with page_of(browser) as page:
            network = page.context.new_cdp_session(page)
            network.send("Network.enable")
            names: dict[str, str] = {}
            fetched: list[tuple[str, int]] = []
            network.on(
                "Network.requestWillBeSent", lambda event: names.update({event["requestId"]: event["request"]["url"]})
            )
            network.on(
                "Network.loadingFinished",
                lambda event: fetched.append((names[event["requestId"]], int(event["encodedDataLength"]))),
            )
            for _ in range(visits):
                fetched.clear()
                page.goto("about:blank")
                page.goto(served.optout.link("jane@example.org", "beta-42"), wait_until="networkidle")
            return [(url, size) for url, size in fetched if size and "about:" not in url and "favicon" not in url]

    def test_the_next_visit_is_one_request(self, browser: Browser, served: Host) -> None:
        [(url, size)] = self.fetched(browser, served, 2)
        assert "/static/" not in url and size < 6_000

    def test_without_the_stylesheet_and_the_scripts_it_works(self, browser: Browser, served: Host) -> None:
        page = browser.new_context(java_script_enabled=False).new_page()
        page.route("**/static/*", lambda route: route.abort())
        page.goto(served.optout.link("jane@example.org", "beta-42"))
        press(page, NO)
        expect(page.get_by_role("heading", name=LATER)).to_be_visible()
        page.context.close()


class TestAssets:
    def test_an_url_carries_its_files_hash_and_is_kept_for_a_year(self, host: Host, client: FlaskClient) -> None:
        for name in ("optout.css", "optout.js", "htmx.min.js"):
            url = re.search(rf'"(/optout/static/{name}\?v=([0-9a-f]+))"', client.get(host.path()).text)
            assert url is not None and url[2] == VERSIONS[name]
            with client.get(url[1]) as response:
                assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"

    @pytest.mark.parametrize("query", ["", "?v=0", "?v="])
    def test_another_version_is_kept_by_nobody(self, client: FlaskClient, host: Host, query: str) -> None:
        with client.get(f"/optout/static/optout.css{query}") as response:
            assert response.headers["Cache-Control"] == "no-cache"

    def test_a_file_that_is_not_there_is_not_kept(self, client: FlaskClient, host: Host) -> None:
        response = client.get("/optout/static/none.css?v=0")
        assert response.status_code == 404 and "max-age" not in response.headers.get("Cache-Control", "")
