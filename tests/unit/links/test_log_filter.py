"""No line that is logged holds a personal link."""

from __future__ import annotations

import logging

import pytest

from flask_optout.addresses import parse
from flask_optout.links.keys import DataKey
from flask_optout.links.log_filter import MASK, LinkFilter, without_tokens
from flask_optout.links.tokens import Door, Tokens

TOKEN = Tokens(DataKey(b"k" * 32)).mint(Door.LANDING, parse("jane@x.org"), "b")


@pytest.mark.parametrize("token", [TOKEN, TOKEN.upper()])
def test_every_spelling_of_a_token_is_masked(token: str) -> None:
    assert without_tokens(f"GET /optout/{token}). 200") == f"GET /optout/{MASK}). 200"


def test_words_that_are_too_short_for_a_token_stay() -> None:
    assert without_tokens(f"GET /optout/{TOKEN[:70]} 404") == f"GET /optout/{TOKEN[:70]} 404"


def test_a_token_among_the_arguments_of_a_line_is_masked() -> None:
    record = logging.LogRecord("werkzeug", logging.INFO, "", 0, '"%s" %d', (f"GET /optout/{TOKEN}", 200), None)
    assert LinkFilter().filter(record)
    assert record.getMessage() == f'"GET /optout/{MASK}" 200'
