"""What comes of presses, over HTTP: the choice, the gate, and what the page says."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from playwright.sync_api import Browser, expect

from flask_optout.addresses import parse
from flask_optout.choices.repository import Choices
from flask_optout.links.keys import Mark
from flask_optout.links.tokens import Door
from flask_optout.presses.bursts import MEMORY, WINDOW
from flask_optout.presses.judge import HOLD, Page
from flask_optout.wiring import current_state
from tests.conftest import page_of
from tests.support.hosts import Host, say

AGAIN = "Please press once more."
Press = Callable[..., str]


@pytest.fixture
def press(host: Host, client: FlaskClient) -> Press:
    def press(choice: str, page: Page = Page.OPENED, age: float = 5.0, **headers: str) -> str:
        form = host.form(choice, page=page, age=age)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(host.path(), data=form, headers=named, follow_redirects=True).text

    return press


def is_muted(host: Host, opportunity: str = "beta-42") -> bool:
    claim = host.claim(opportunity=opportunity)
    return any(choice.muted for choice in current_state().choices.read(claim.person).values())


@pytest.mark.parametrize(
    ("choices", "before", "after"),
    [
        (["mute", "keep"], False, False),
        (["keep", "mute"], False, False),
        (["mute", "undo"], False, False),
        (["mute", "none"], False, False),
        (["none", "mute"], False, False),
        (["mute", "mute-all", "keep"], False, False),
        (["undo", "leave"], True, True),
        (["leave", "undo"], True, True),
        (["undo", "mute"], True, True),
        (["undo", "mute", "keep", "none", "mute"], True, True),
        (["mute", "leave"], False, True),
        (["leave"], True, True),
        (["none"], True, True),
        (["keep"], False, False),
    ],
    ids=str,
)
def test_a_contradicted_burst_leaves_what_was_there_before(
    host: Host, press: Press, choices: list[str], before: bool, after: bool
) -> None:
    if before:
        say(host, True, to="jane@example.org")
    for choice in choices:
        press(choice, page=Page.RESULT)
    assert is_muted(host) is after


def test_a_person_after_a_sweep_gets_their_way_by_one_more_press(host: Host, press: Press) -> None:
    press("mute")
    press("keep")
    assert AGAIN in press("mute")
    assert not is_muted(host)
    host.wait(1)
    assert AGAIN not in press("mute", page=Page.REPEAT, age=0.5)
    assert is_muted(host)


def test_what_was_confirmed_is_not_taken_back_by_saying_it_again(host: Host, press: Press) -> None:
    press("keep")
    press("mute")
    host.wait(1)
    press("mute", page=Page.REPEAT, age=0.5)
    press("leave")
    assert is_muted(host)


def test_presses_that_lie_apart_are_each_obeyed(host: Host, press: Press) -> None:
    for choice, muted in [("mute", True), ("undo", False), ("mute", True)]:
        press(choice, page=Page.RESULT)
        assert is_muted(host) is muted
        host.wait(WINDOW + 1)


def test_a_mail_programs_signal_is_not_half_of_a_contradiction(host: Host, client: FlaskClient, press: Press) -> None:
    press("keep")
    url = current_state().links.url(Door.ONE_CLICK, parse("jane@example.org"), "beta-42")
    assert client.post(url, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert is_muted(host)
    press("none")
    assert AGAIN in press("keep")
    assert is_muted(host)


def test_opposite_presses_at_the_same_time_restore_what_was_there(served: Host) -> None:
    for round in range(10):
        to = f"jane{round}@example.org"
        forms = [served.form(choice, to) for choice in ("mute", "keep")]
        path = served.path(to)
        start = threading.Barrier(2)

        def send(form: dict[str, str], path: str = path, start: threading.Barrier = start) -> None:
            start.wait()
            served.app.test_client().post(path, data=form)

        threads = [threading.Thread(target=send, args=[form]) for form in forms]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        state = current_state()
        assert not any(choice.muted for choice in state.choices.read(served.claim(to).person).values())


class TestAskingAgain:
    def test_it_is_the_same_url_with_words_and_both_buttons(self, host: Host, client: FlaskClient) -> None:
        response = client.post(host.path(), data={"choice": "mute"})
        assert response.status_code == 200
        assert AGAIN in response.text and 'role="status"' in response.text and "autofocus" in response.text
        assert response.text.index('value="mute"') < response.text.index('value="keep"')
        assert "hx-post" not in response.text

    def test_for_what_finds_the_first_form_the_decoy_stands_first(self, press: Press) -> None:
        page = press("mute", User_Agent="python-requests/2.31")
        assert page.index('value="none"') < page.index('value="mute"')
        page = press("mute", age=0.1)
        assert page.index('value="none"') > page.index('value="mute"')

    @pytest.mark.parametrize("everything", [False, True])
    def test_it_asks_for_the_same_thing(self, host: Host, press: Press, everything: bool) -> None:
        say(host, True, to="jane@example.org")
        choice = "mute-all" if everything else "undo"
        page = press(choice, age=0.1)
        assert AGAIN in page and f'value="{choice}"' in page and 'value="leave"' in page

    def test_an_open_tab_from_last_month_costs_one_more_press(self, host: Host, press: Press) -> None:
        assert AGAIN in press("mute", age=40 * 86_400)
        press("mute", page=Page.REPEAT, age=1)
        assert is_muted(host)


def test_the_plea_gets_the_focus(served: Host, browser: Browser) -> None:
    with page_of(browser) as page:
        page.goto(served.optout.link("jane@example.org", "beta-42"))
        page.get_by_role("button", name="Not Interested?").evaluate("button => button.click()")
        expect(page.locator(".optout-again")).to_be_focused()


class TestHold:
    def test_after_a_doubtful_mute_nothing_is_sent_for_a_while(
        self, host: Host, press: Press, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        press("mute", age=0.1)
        assert not is_muted(host)
        assert not host.optout.may_invite("jane@example.org", "beta-42")
        assert list(host.optout.invitable(["jane@example.org", "bob@example.org"], "beta-42")) == ["bob@example.org"]
        assert host.optout.may_invite("jane@example.org", "study-7")
        now = current_state().clock()
        monkeypatch.setattr("flask_optout.choices.questions.time.time", lambda: now + HOLD + 1)
        assert host.optout.may_invite("jane@example.org", "beta-42")

    def test_a_mute_that_ends_it_while_the_gate_looks_is_obeyed(
        self, host: Host, press: Press, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        press("mute", age=0.1)
        held = Choices._held

        def late(self: Choices, connection: sa.Connection, marks: list[Mark]) -> frozenset[Mark]:
            press("mute")
            return held(self, connection, marks)

        monkeypatch.setattr(Choices, "_held", late)
        assert not host.optout.may_invite("jane@example.org", "beta-42")

    @pytest.mark.parametrize("choice", ["mute", "keep"])
    def test_a_persons_answer_ends_it(self, host: Host, press: Press, choice: str) -> None:
        press("mute", age=0.1)
        press(choice)
        assert host.optout.may_invite("jane@example.org", "beta-42") is (choice == "keep")

    def test_doubtful_presses_for_anything_else_hold_nothing(self, host: Host, press: Press) -> None:
        press("keep", age=0.1)
        press("none", age=0.1)
        assert host.optout.may_invite("jane@example.org", "beta-42")


class TestPage:
    @pytest.mark.parametrize(
        ("source", "words"),
        [("page", "with the button on this page"), ("one-click", "with the button of your mail program")],
    )
    def test_it_says_what_was_recorded_when_and_by_which_door(
        self, host: Host, client: FlaskClient, source: str, words: str
    ) -> None:
        state = current_state()
        claim = host.claim()
        state.choices.set(claim, claim.person[0], True, source)
        day = state.choices.read(claim.person)[claim.person[0]].day
        page = client.get(host.path()).text
        assert f'<time datetime="{day}">' in page and words in page

    def test_on_a_later_visit_the_undo_is_folded_away(self, host: Host, client: FlaskClient) -> None:
        say(host, True, to="jane@example.org")
        page = client.get(host.path()).text
        assert page.index("<details>") < page.index('value="undo"') < page.index("</details>")
        assert page.index("</details>") < page.index('value="leave"')

    def test_on_the_page_that_the_press_led_to_it_is_at_hand(self, host: Host, press: Press) -> None:
        page = press("mute")
        assert page.index('value="leave"') < page.index('value="undo"') < page.index("<details>")

    def test_the_decoy_is_out_of_reach(self, host: Host, client: FlaskClient) -> None:
        page = client.get(host.path()).text
        decoy = page[page.index('<form class="optout-decoy"') :]
        assert "inert" in decoy and 'aria-hidden="true"' in decoy and 'tabindex="-1"' in decoy
        with client.get("/optout/static/optout.css") as stylesheet:
            assert b"position: absolute" in stylesheet.data

    def test_the_visit_that_a_press_began_ends(self, host: Host, client: FlaskClient) -> None:
        location = client.post(host.path(), data=host.form("mute")).headers["Location"]
        host.wait(WINDOW + 1)
        assert client.get(location).text.index('value="undo"') < client.get(location).text.index("<details>")
        host.wait(600)
        assert "Change this" in client.get(location).text


def test_exact_times_are_gone_after_an_hour(host: Host, press: Press) -> None:
    press("mute")
    host.wait(MEMORY + 1)
    press("keep", age=1)
    with host.db.engine.connect() as connection:
        assert connection.scalar(sa.text("select count(*) from optout_press")) == 1
