"""The toggle: one line in a page of the host's, which changes in place, or without scripts comes back."""

from __future__ import annotations

import logging
import re

import pytest
from flask import render_template_string
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, expect

from flask_optout.errors import AddressError, OpportunityError
from flask_optout.testing import broken_store
from tests.conftest import MakeHost, page_of
from tests.support.host_pages import dress
from tests.support.hosts import Host, say
from tests.support.page_states import NO, UNDO
from tests.support.story import press

NO_MORE = "You will get no more invitations to Pixel Beta."
AGAIN = "You will be invited to Pixel Beta again."


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

    def test_a_screen_reader_hears_the_undo_and_finds_the_focus(self, jobs_served: Host, browser: Browser) -> None:
        with page_of(browser) as page:
            page.goto(url(jobs_served, "/account"))
            region = page.get_by_role("status").element_handle()
            for button, said in ((NO, ""), (UNDO, AGAIN)):
                press(page, button)
                expect(page.get_by_role("status")).to_have_text(said)
                expect(page.locator(".optout-choice")).to_be_focused()
            assert region is not None and region.evaluate("region => region.isConnected")

    def test_several_on_a_page_keep_apart(self, jobs_served: Host, page: Page) -> None:
        page.goto(url(jobs_served, "/account?id=beta-42&id=study-7"))
        page.wait_for_timeout(500)
        page.get_by_role("button", name=NO).last.click()
        expect(page.locator(".optout-toggle").last).to_contain_text(
            "You will get no more invitations to Sleep Study."
        )
        expect(page.locator(".optout-toggle").first).to_have_text(NO, use_inner_text=True)
        ids = page.locator("[id]").evaluate_all("elements => elements.map(element => element.id)")
        assert len(ids) == len(set(ids)) == 2

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

    def test_without_a_store_a_press_says_that_nothing_changed(self, jobs_served: Host, browser: Browser) -> None:
        page = browser.new_context().new_page()
        page.goto(url(jobs_served, "/account"))
        with broken_store():
            press(page, NO)
            expect(page.locator(".optout-toggle")).to_contain_text("Nothing changed.")
        assert page.locator("h2, h1").count() == 1
        press(page, "Try again")
        if page.locator(".optout-again").is_visible():
            press(page, NO)
        expect(page.locator(".optout-toggle")).to_contain_text(NO_MORE)
        page.context.close()

    @pytest.mark.parametrize(
        ("about", "said", "button"),
        [("beta-42", NO_MORE, "undo"), ("*", "You will get no more invitations from us.", "undo-all")],
    )
    def test_it_shows_what_stands(self, jobs: Host, client: FlaskClient, about: str, said: str, button: str) -> None:
        say(jobs, True, to="jane@example.org", everything=about == "*")
        page = client.get("/account").text
        assert said in re.sub("</?cite[^>]*>", "", page)
        assert f'value="{button}"' in page and 'value="mute"' not in page

    def test_a_mute_of_the_address_without_its_tag_has_no_undo(self, jobs: Host) -> None:
        say(jobs, True, to="jane@example.org")
        with jobs.app.test_request_context():
            line = render_template_string("{{ optout_toggle('jane+2@example.org', 'beta-42') }}")
        assert "without its “+” part" in line and 'value="undo"' not in line and 'value="mute"' not in line

    def test_without_a_store_the_hosts_page_stands(
        self, jobs: Host, client: FlaskClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        jobs.db.drop_all()
        with caplog.at_level(logging.ERROR):
            answer = client.get("/account")
        assert answer.status_code == 200 and "My invitations" in answer.text and "Nothing changed." in answer.text
        assert "init-db" in caplog.text and "jane" not in caplog.text

    @pytest.mark.parametrize(
        ("arguments", "error"), [("'jane', 'beta-42'", AddressError), ("'jane@example.org'", OpportunityError)]
    )
    def test_what_it_cannot_be_for_is_an_error(self, jobs: Host, arguments: str, error: type[Exception]) -> None:
        with jobs.app.test_request_context(), pytest.raises(error):
            render_template_string(f"{{{{ optout_toggle({arguments}) }}}}")

    @pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "\\\\evil.example"])
    def test_a_form_leads_only_where_the_page_stood(self, jobs: Host, client: FlaskClient, back: str) -> None:
        form = jobs.form("mute") | {"back": back, "optout": back, "next": back}
        assert client.post(jobs.path(), data=form).headers["Location"].startswith("/optout/")

    @pytest.mark.parametrize("root", ["", "/jobs"])
    def test_it_comes_back_below_the_base_urls_path(self, make: MakeHost, root: str) -> None:
        host = dress(make(OPTOUT_BASE_URL=f"https://example.org{root}"))
        client = host.app.test_client()
        page = client.get("/account?a=1&a=%26&optout=old", environ_overrides={"SCRIPT_NAME": root}).text
        nonces = re.findall(r'name="nonce" value="([^"]+)"', page)
        with host.app.app_context():
            host.wait(5)
            form = {**host.form("mute"), "nonce": nonces[-1]}
            answer = client.post(host.path().removeprefix(root), data=form)
        assert answer.status_code == 303
        assert re.fullmatch(rf"{root}/account\?a=1&a=%26&optout=[\w.-]+#optout-\w+", answer.headers["Location"])
