"""The forms, buttons and scripts of a page."""

from __future__ import annotations

import pytest

from flask_optout.doctor.forms import DECOY, Button, Form, find_buttons, find_forms, find_offered, find_scripts
from tests.support.forms import PAGE


def test_the_forms_of_a_page() -> None:
    first, second = find_forms(PAGE)
    assert (first.action, first.fields) == ("/optout/aaaa", {"nonce": "n1"})
    assert first.buttons == [Button("choice", "mute", "NotInterested?"), Button("choice", DECOY, "Nothing")]
    assert second == Form("", {"empty": ""}, [Button("other", "x", "Other")])
    assert find_buttons(PAGE) == [(first, first.buttons[0]), (first, first.buttons[1]), (second, second.buttons[0])]


def test_what_a_button_sends() -> None:
    form = Form("", {"nonce": "a b"}, [])
    assert form.body(Button("choice", "mute")) == b"nonce=a+b&choice=mute"


@pytest.mark.parametrize(
    ("page", "choices", "scripts"),
    [
        (PAGE, {"mute"}, ["/static/htmx.js"]),
        (
            "<form><button name=choice value=undo></button><button name=choice value=undo-all>",
            {"undo", "undo-all"},
            [],
        ),
        ("<button name=choice value=mute>", set(), []),
        ("Welcome.", set(), []),
        ("<form <script src=x>", set(), []),
        ("", set(), []),
    ],
)
def test_what_a_page_offers_and_whose_scripts_it_has(page: str, choices: set[str], scripts: list[str]) -> None:
    assert find_offered(page) == choices
    assert find_scripts(page) == scripts
