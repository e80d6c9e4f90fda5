"""Our log lines have one form, which the manual explains, and no line that is logged holds a personal link."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from flask_optout import StoreUnavailable, errors
from flask_optout.addresses import parse
from flask_optout.links.keys import DataKey
from flask_optout.links.log_filter import MASK, LinkFilter, log, log_error, without_tokens
from flask_optout.links.tokens import Door, Tokens

ROOT = Path(__file__).parents[3]
SOURCES = {path: path.read_text() for path in (ROOT / "flask_optout").rglob("*.py")}
TOKEN = Tokens(DataKey(b"k" * 32)).mint(Door.LANDING, parse("jane@x.org"), "b")


def test_a_line_begins_with_the_event_and_the_record_has_it(caplog: pytest.LogCaptureFixture) -> None:
    log(logging.getLogger("host"), logging.WARNING, "weak_key", "It can be guessed.")
    log_error(logging.getLogger("host"), StoreUnavailable("No table.", "Why.", "Mend."))
    first, second = caplog.records
    assert first.getMessage() == "optout.weak_key: It can be guessed." and first.levelno == logging.WARNING
    assert second.getMessage().startswith("optout.store_unavailable: No table. Why. Mend.")
    assert [vars(record)["optout_event"] for record in caplog.records] == [
        "optout.weak_key",
        "optout.store_unavailable",
    ]


def test_nothing_is_logged_in_another_way() -> None:
    elsewhere = {path.name for path, text in SOURCES.items() if re.search(r"logger\.(?!addFilter)\w+\(", text)}
    assert elsewhere == {"log_filter.py"}


def test_the_manual_names_every_event() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"^\| `optout\.(\w+)`", page, re.MULTILINE))
    logged = {name for text in SOURCES.values() for name in re.findall(r'logging\.\w+,\s+"(\w+)",', text)}
    of_errors = {name for name in named if hasattr(errors, name.title().replace("_", ""))}
    assert named == logged | of_errors and of_errors == {"store_unavailable", "configuration_error", "journal_error"}


@pytest.mark.parametrize("token", [TOKEN, TOKEN.upper()])
def test_every_spelling_of_a_token_is_masked(token: str) -> None:
    assert without_tokens(f"GET /optout/{token}). 200") == f"GET /optout/{MASK}). 200"


def test_words_that_are_too_short_for_a_token_stay() -> None:
    assert without_tokens(f"GET /optout/{TOKEN[:70]} 404") == f"GET /optout/{TOKEN[:70]} 404"


def test_a_token_among_the_arguments_of_a_line_is_masked() -> None:
    record = logging.LogRecord("werkzeug", logging.INFO, "", 0, '"%s" %d', (f"GET /optout/{TOKEN}", 200), None)
    assert LinkFilter().filter(record)
    assert record.getMessage() == f'"GET /optout/{MASK}" 200'
