"""The toggle: one line in a page of the host's, which changes in place, or without scripts comes back."""

from __future__ import annotations

import pytest
from flask import render_template_string
from playwright.sync_api import Browser, Page, expect

from flask_optout.testing import broken_store
from tests.conftest import page_of
from tests.support.host_pages import BASE, dress
from tests.support.hosts import Host
from tests.support.story import NO, UNDO, press, read

NO_MORE = "You will get no more invitations to Pixel Beta."
AGAIN = "You can be invited to Pixel Beta again."


@pytest.fixture
def jobs(host: Host) -> Host:
    return dress(host)


@pytest.fixture
def jobs_served(served: Host) -> Host:
    return dress(served)


def url(host: Host, path: str) -> str:
    return f"{host.app.config['OPTOUT_BASE_URL']}{path}"


class TestToggle:
    def test_it_is_one_line_that_changes_and_comes_back(self, jobs_served: Host, page: Page, scripts: bool) -> None:
        page.goto(url(jobs_served, "/account?id=beta-42&tab=1"))
        line = page.locator(".optout-toggle")
        expect(line).to_have_text(NO, use_inner_text=True)
        for button, words in ((NO, f"{NO_MORE} {UNDO}"), (UNDO, f"{AGAIN} {NO}")):
            press(page, button)
            expect(line).to_have_text(words, use_inner_text=True)
            expect(page.get_by_role("heading", name="My invitations")).to_be_visible()
            assert page.url.startswith(url(jobs_served, "/account?id=beta-42&tab=1"))
            assert page.url.count("optout=") == (not scripts)
            assert jobs_served.optout.may_invite("jane@example.org", "beta-42") is (button == UNDO)

    def test_a_page_without_our_head_needs_no_more_than_the_line(
        self, served: Host, page: Page, scripts: bool
    ) -> None:
        served.optout.landing_page(
            lambda id: render_template_string(
                "<h1>Pocket Camera</h1> <a href='/apply'>Apply</a> {{ optout_toggle() }}"
            )
        )
        page.goto(url(served, served.path()))
        expect(page.locator(".optout-toggle")).to_have_text(NO, use_inner_text=True)
        press(page, NO)
        expect(page.get_by_role("button", name=UNDO)).to_be_visible()
        assert not served.optout.may_invite("jane@example.org", "beta-42")

    def test_a_screen_reader_hears_each_press_once(self, jobs_served: Host, page: Page, scripts: bool) -> None:
        page.goto(url(jobs_served, "/account"))
        region = page.get_by_role("status").element_handle()
        press(page, NO)
        expect(page.get_by_role("group", name=NO_MORE)).to_be_focused()
        expect(page.get_by_role("status")).to_be_empty()
        press(page, UNDO)
        expect(page.get_by_role("status")).to_have_text(AGAIN)
        expect(page.get_by_role("group", name="Pixel Beta") if scripts else page.get_by_text(AGAIN)).to_be_focused()
        if scripts:
            assert region is not None and region.evaluate("region => region.isConnected")

    def test_several_on_a_page_keep_apart(self, jobs_served: Host, page: Page) -> None:
        page.goto(url(jobs_served, "/account?id=beta-42&id=study-7"))
        read(page)
        page.get_by_role("button", name=NO).last.click()
        expect(page.locator(".optout-toggle").last).to_contain_text(
            "You will get no more invitations to Sleep Study."
        )
        expect(page.locator(".optout-toggle").first).to_have_text(NO, use_inner_text=True)
        ids = page.locator("[id]").evaluate_all("elements => elements.map(element => element.id)")
        assert len(ids) == len(set(ids)) == 4
        undo = page.get_by_role("button", name=UNDO)
        expect(undo).to_have_accessible_description("You will get no more invitations to Sleep Study.")
        expect(page.get_by_role("button", name=NO)).to_have_accessible_description("Pixel Beta")

    def test_the_second_half_of_a_double_click_presses_nothing(self, jobs_served: Host, browser: Browser) -> None:
        with page_of(browser) as page:
            page.goto(url(jobs_served, "/account"))
            press(page, NO)
            undo = page.get_by_role("button", name=UNDO)
            expect(undo).to_be_visible()
            undo.hover()
            page.mouse.down(click_count=2)
            page.mouse.up(click_count=2)
            page.wait_for_timeout(300)
            expect(page.locator(".optout-toggle")).to_contain_text(NO_MORE)

    def test_a_doubtful_press_is_asked_for_in_the_line_and_comes_back(
        self, jobs_served: Host, browser: Browser
    ) -> None:
        with page_of(browser) as page:
            page.goto(url(jobs_served, "/account"))
            page.get_by_role("button", name=NO).evaluate("button => button.click()")
            expect(page.locator(".optout-toggle .optout-again")).to_be_focused()
            press(page, NO)
            expect(page.locator(".optout-toggle")).to_contain_text(NO_MORE)
            assert page.url.startswith(url(jobs_served, "/account?optout="))

    def test_a_script_of_the_hosts_that_disables_the_buttons_of_a_form_takes_no_choice_from_it(
        self, served: Host, browser: Browser
    ) -> None:
        disable = "document.forms[1].addEventListener('submit', event => event.submitter.disabled = true)"
        dress(served, BASE.replace("</main>", f"</main><script>{disable}</script>"))
        with page_of(browser) as page:
            page.route("**/htmx.min.js*", lambda route: route.fulfill(body=""))
            page.goto(url(served, "/account"))
            press(page, NO)
            expect(page.locator(".optout-toggle")).to_contain_text(NO_MORE)

    def test_a_form_of_the_hosts_keeps_its_own_script_whatever_its_fields_are_called(
        self, served: Host, browser: Browser
    ) -> None:
        form = "<form id='site'><textarea name='scripts'></textarea><button>Save</button></form>"
        save = "site.addEventListener('submit', event => { event.preventDefault(); document.title = 'Saved' })"
        dress(served, BASE.replace("</main>", f"{form}</main><script>{save}</script>"))
        with page_of(browser) as page:
            page.goto(url(served, "/account"))
            page.get_by_role("button", name="Save").click()
            expect(page).to_have_title("Saved")

    @pytest.mark.parametrize(
        "attributes",
        [
            "",
            "hx-target:inherited='main' hx-select:inherited='main' hx-push-url:inherited='true' "
            "hx-replace-url:inherited='true'",
        ],
        ids=["boosted", "with a target"],
    )
    def test_what_the_hosts_own_links_inherit_from_its_page_does_not_apply(
        self, served: Host, browser: Browser, attributes: str
    ) -> None:
        body = f"<body hx-boost:inherited='true' {attributes}><a href='{served.path()}'>Mine</a>"
        dress(served, BASE.replace("<body>", body))
        with page_of(browser) as page:
            page.goto(url(served, "/account"))
            page.get_by_role("button", name=NO).evaluate("button => button.click()")
            expect(page.locator(".optout-toggle .optout-again")).to_be_focused()
            for button, words in ((NO, NO_MORE), (UNDO, AGAIN)):
                press(page, button)
                expect(page.locator(".optout-toggle")).to_contain_text(words)
                expect(page.get_by_role("heading", name="My invitations")).to_be_visible()
                assert page.url.startswith(url(served, "/account"))
            page.get_by_role("link", name="Mine").click()
            expect(page.get_by_role("heading", name="Try the Pixel Beta")).to_be_visible()
            assert page.url == url(served, served.path())

    def test_without_a_store_a_press_says_that_nothing_changed(self, jobs_served: Host, browser: Browser) -> None:
        page = browser.new_context().new_page()
        page.goto(url(jobs_served, "/account"))
        with broken_store():
            press(page, NO)
            expect(page.locator(".optout-toggle")).to_contain_text("Nothing changed.")
        assert page.locator("h2, h1").count() == 1
        expect(page.get_by_role("group", name="Your invitation")).to_contain_text("Please try again in a minute.")
        expect(page.locator(".optout-heading")).to_contain_text("Please try again in a minute.")
        look = "button => getComputedStyle(button).backgroundColor"
        assert page.get_by_role("button", name="Try again").evaluate(look) == "rgba(0, 0, 0, 0)"
        press(page, "Try again")
        expect(page.locator(".optout-toggle")).to_contain_text(NO_MORE)
        page.context.close()
