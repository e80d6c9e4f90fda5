"""What comes of presses, over HTTP: the choice, what the page says, and what is kept for how long."""

from __future__ import annotations

import json
import re

import pytest
from flask.testing import FlaskClient
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_optout.doctor.forms import Form, find_forms
from flask_optout.presses.evidence import Page
from flask_optout.presses.judge import WINDOW
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import Host, say
from tests.support.pressing import AGAIN, Press, is_muted, rows


def asked_form(page: str) -> Form:
    """The form of the page that asks to press once more."""
    [form] = [form for form in find_forms(page) if any(button.name != "choice" for button in form.buttons)]
    return form


@pytest.mark.parametrize(
    ("choices", "before", "after"),
    [
        (["mute", "keep"], False, False),
        (["keep", "mute"], False, False),
        (["mute", "undo"], False, False),
        (["none", "mute"], False, False),
        (["mute", "mute-all", "keep"], False, False),
        (["undo", "leave"], True, True),
        (["undo", "mute"], True, True),
        (["undo", "mute", "keep", "none", "mute"], True, True),
        (["mute", "leave"], False, True),
        (["mute", "none"], False, True),
        (["leave"], True, True),
        (["none"], True, True),
        (["keep"], False, False),
    ],
    ids=str,
)
def test_opposite_presses_of_one_page_leave_what_was_found(
    host: Host, press: Press, choices: list[str], before: bool, after: bool
) -> None:
    if before:
        say(host, True, to="jane@example.org")
    for choice in choices:
        press(choice, page=Page.RESULT)
    assert is_muted(host) is after


class TestVisitors:
    """Who presses is told by the visit of the page, or by address and user agent; both only for half an hour."""

    @pytest.fixture
    def proxied(self, make: MakeHost) -> Host:
        host = make()
        host.app.wsgi_app = ProxyFix(host.app.wsgi_app)  # type: ignore[method-assign]
        return host

    def send(self, host: Host, choice: str, **headers: str) -> str:
        """Press a button of a page that is opened by the same client just before."""
        with host.app.app_context():
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            client = host.app.test_client()
            page = client.get(host.path(), headers=named)
            host.wait(2)
            form = next(form for form in find_forms(page.text) if any(each.value == choice for each in form.buttons))
            data = {**form.fields, "choice": choice, "scripts": "trusted"}
            return client.post(host.path(), data=data, headers=named, follow_redirects=True).text

    @pytest.mark.parametrize(
        ("first", "second", "asks"),
        [
            ({"X_Forwarded_For": "198.51.100.7"}, {"X_Forwarded_For": "198.51.100.7"}, False),
            ({"X_Forwarded_For": "198.51.100.7"}, {"X_Forwarded_For": "203.0.113.9"}, True),
            ({"User_Agent": "Firefox"}, {"User_Agent": "Firefox"}, False),
            ({"User_Agent": "Firefox"}, {"User_Agent": "Edge"}, True),
        ],
        ids=["one client", "two addresses", "one browser", "two browsers"],
    )
    def test_only_the_same_client_takes_back_at_once_what_it_pressed(
        self, proxied: Host, first: dict[str, str], second: dict[str, str], asks: bool
    ) -> None:
        self.send(proxied, "mute", **first)
        assert (AGAIN in self.send(proxied, "undo", **second)) is asks

    @pytest.mark.parametrize(("second", "asks"), [("198.51.100.7", False), ("203.0.113.9", True)])
    def test_behind_a_proxy_that_the_app_does_not_know_of_the_address_that_it_tells_counts(
        self, make: MakeHost, second: str, asks: bool
    ) -> None:
        host = make()
        self.send(host, "mute", X_Forwarded_For="198.51.100.7")
        assert (AGAIN in self.send(host, "undo", X_Forwarded_For=second)) is asks

    @pytest.mark.parametrize(
        ("second", "after", "asks"),
        [
            ({"X_Forwarded_For": "198.51.100.7"}, 5, False),
            ({"X_Forwarded_For": "198.51.100.7"}, 500, False),
            ({"X_Forwarded_For": "203.0.113.9"}, 0, True),
            ({"X_Forwarded_For": "203.0.113.9"}, 115, True),
            ({"X_Forwarded_For": "203.0.113.9"}, 500, True),
            ({"X_Forwarded_For": "198.51.100.7", "User_Agent": "Safari"}, 5, True),
        ],
        ids=["reloads", "reloads later", "opens it", "opens it later", "long after", "another browser"],
    )
    def test_whoever_else_opens_the_url_of_a_result_is_another_visitor(
        self, proxied: Host, second: dict[str, str], after: int, asks: bool
    ) -> None:
        with proxied.app.app_context():
            client, first = proxied.app.test_client(), {"X-Forwarded-For": "198.51.100.7"}
            url = client.post(proxied.path(), data=proxied.form("mute"), headers=first).headers["Location"]
            proxied.wait(after)
            named = {name.replace("_", "-"): value for name, value in second.items()}
            page = client.get(url, headers=named)
            proxied.wait(2)
            form = next(form for form in find_forms(page.text) if any(each.value == "undo" for each in form.buttons))
            answer = client.post(proxied.path(), data={**form.fields, "choice": "undo"}, headers=named)
            assert (AGAIN in answer.text) is asks and is_muted(proxied) is asks

    def test_no_address_and_no_user_agent_is_kept(self, proxied: Host) -> None:
        self.send(proxied, "mute", X_Forwarded_For="198.51.100.7", User_Agent="Firefox")
        with proxied.app.app_context():
            [row] = rows(proxied)
        assert "198.51" not in str(row) and "Firefox" not in str(row)

    def test_the_same_client_at_another_link_is_somebody_else(self, host: Host, client: FlaskClient) -> None:
        for to in ("jane@example.org", "bob@example.org"):
            client.post(host.path(to), data=host.form("mute", to))
        one, another = (json.loads(row.presses)[0] for row in rows(host))
        assert one[2] != another[2]


class TestAskedOnceMore:
    def test_it_is_the_same_url_with_few_words_and_the_reason_behind_them(
        self, host: Host, client: FlaskClient
    ) -> None:
        response = client.post(host.path(), data={"choice": "mute"})
        page = response.text
        assert response.status_code == 200 and AGAIN in page and "autofocus" in page and "hx-post" not in page
        assert page.index("<details>") < page.index("Programs that check mail") < page.index("</details>")

    def test_its_order_and_the_words_of_its_form_vary_and_first_and_last_are_no_answers(
        self, host: Host, press: Press
    ) -> None:
        places, names, values = set(), set(), set()
        for _ in range(40):
            buttons = asked_form(press("mute", age=0.1)).buttons
            labels = [button.label for button in buttons]
            places.add((labels.index("Keep me invited"), labels.index("Not Interested?")))
            names |= {button.name for button in buttons}
            values |= {button.value for button in buttons}
            assert buttons[0].label == buttons[-1].label == "Not for people: changes nothing"
        assert places == {(1, 2), (1, 3), (2, 3)}
        assert len(names) == 40 and len(values) == 200

    @pytest.mark.parametrize("at", [0, -1])
    @pytest.mark.parametrize(
        "headers", [{"User_Agent": "python-requests/2.31"}, {"User_Agent": "Barracuda"}, {"Sec_Purpose": "prefetch"}]
    )
    def test_what_answers_by_position_gets_nowhere(
        self, host: Host, client: FlaskClient, press: Press, headers: dict[str, str], at: int
    ) -> None:
        page = press("mute", **headers)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for _ in range(5):
            host.wait(2)
            form = asked_form(page) if AGAIN in page else find_forms(page)[at]
            button = form.buttons[at]
            data = {**form.fields, button.name: button.value}
            page = client.post(host.path(), data=data, headers=named, follow_redirects=True).text
        assert not is_muted(host)

    @pytest.mark.parametrize("answer", ["Not Interested?", "Keep me invited"])
    def test_an_answer_by_its_words_is_obeyed(
        self, host: Host, client: FlaskClient, press: Press, answer: str
    ) -> None:
        form = asked_form(press("mute", age=0.1))
        host.wait(2)
        [button] = [button for button in form.buttons if button.label == answer]
        client.post(host.path(), data={**form.fields, button.name: button.value})
        assert is_muted(host) is (answer == "Not Interested?")

    @pytest.mark.parametrize(("choice", "label"), [("undo", "I've changed my mind."), ("mute-all", "Stop all")])
    def test_it_asks_for_the_same_thing(self, host: Host, press: Press, choice: str, label: str) -> None:
        say(host, True, to="jane@example.org")
        labels = [button.label.replace("&#39;", "'") for button in asked_form(press(choice, age=0.1)).buttons]
        assert any(each.startswith(label) for each in labels) and "Leave it as it is" in labels

    def test_an_open_tab_from_last_month_costs_one_more_press(self, host: Host, press: Press) -> None:
        assert AGAIN in press("mute", age=40 * 86_400)
        press("mute", page=Page.REPEAT, age=1)
        assert is_muted(host)

    def test_a_text_browser_is_shown_no_button_that_is_not_for_people(self, host: Host, press: Press) -> None:
        assert "Not for people" not in press("mute", age=0.1, User_Agent="Lynx/2.9.0dev.12 libwww-FM/2.14")


class TestWhatWasDone:
    """The page that a press leads to says what it did; in a browser: test_page_focus.py."""

    @pytest.mark.parametrize(
        ("choice", "muted", "words"),
        [
            ("undo", True, "You can be invited to Pixel Beta again."),
            ("keep", False, "You stay invited."),
            ("leave", True, "Your choice stays as it was."),
            ("none", False, "Your choice stays as it was."),
            ("mute", False, ""),
        ],
    )
    def test_after_the_redirect(self, host: Host, press: Press, choice: str, muted: bool, words: str) -> None:
        if muted:
            say(host, True, to="jane@example.org")
        page = press(choice, page=Page.RESULT)
        [status] = re.findall(r'<div role="status"[^>]*>(.*?)</div>', page, re.DOTALL)
        assert re.sub("<[^>]+>", "", status) == words
        assert ("You will get no more invitations to" in page) is (choice in ("mute", "leave"))

    def test_nothing_is_said_that_is_no_longer_true(self, host: Host, client: FlaskClient) -> None:
        say(host, True, to="jane@example.org")
        location = client.post(host.path(), data=host.form("undo", page=Page.RESULT)).headers["Location"]
        say(host, True, to="jane@example.org")
        assert "again" not in client.get(location).text.replace("press again", "")


class TestPage:
    @pytest.mark.parametrize(
        ("source", "words"),
        [("page", "with the button on this page"), ("one-click", "with the button of your mail program")],
    )
    def test_it_says_what_was_recorded_when_and_by_which_door(
        self, host: Host, client: FlaskClient, press: Press, source: str, words: str
    ) -> None:
        if source == "page":
            press("mute")
        else:
            current_state().presses.one_click(host.claim())
        [choice] = current_state().choices.read(host.claim().person).values()
        page = client.get(host.path()).text
        assert f'<time datetime="{choice.day}">' in page and words in page

    def test_on_a_later_visit_the_undo_is_folded_away(self, host: Host, client: FlaskClient) -> None:
        say(host, True, to="jane@example.org")
        page = client.get(host.path()).text
        assert page.index("<details>") < page.index('value="undo"') < page.index("</details>")
        assert page.index("</details>") < page.index('value="leave"')

    def test_on_the_page_that_the_press_led_to_it_is_at_hand_and_when_that_is_loaded_anew(
        self, host: Host, client: FlaskClient, press: Press
    ) -> None:
        for page in (press("mute"), client.get(host.path()).text):
            assert page.index('value="leave"') < page.index('value="undo"') < page.index("<details>")
        page = client.get(host.path(), headers={"User-Agent": "another"}).text
        assert page.index("<details>") < page.index('value="undo"')

    def test_the_decoy_is_hidden_by_the_stylesheet_and_comes_first(self, host: Host, client: FlaskClient) -> None:
        first, *_ = find_forms(client.get(host.path()).text)
        assert [button.value for button in first.buttons] == ["none"]
        with client.get("/optout/static/optout.css") as stylesheet:
            assert b".optout-choice .optout-decoy { display: none; }" in stylesheet.data

    def test_the_result_of_a_press_ends(self, host: Host, client: FlaskClient) -> None:
        location = client.post(host.path(), data=host.form("mute")).headers["Location"]
        host.wait(WINDOW + 1)
        assert client.get(location).text.index('value="undo"') < client.get(location).text.index("<details>")
        host.wait(600)
        assert "Changed your mind?" in client.get(location).text
