"""URLs of links: a prefix, a language, a token."""

from __future__ import annotations

import pytest

from flask_optout.addresses import parse
from flask_optout.links.keys import DataKey
from flask_optout.links.tokens import Door, Tokens
from flask_optout.links.urls import Links, joined, split, tag_of

TOKENS = Tokens(DataKey(b"k" * 32))
JANE = parse("jane@x.org")
LINKS = Links(lambda: TOKENS, "https://x.example:8443/{}/".format, "de".__eq__)


def test_a_link_is_the_doors_prefix_and_a_token() -> None:
    assert LINKS.url(Door.LANDING, JANE, "beta-42") == (
        f"https://x.example:8443/landing/{TOKENS.mint(Door.LANDING, JANE, 'beta-42')}"
    )


@pytest.mark.parametrize(("language", "written"), [("de", "de/"), ("fr", ""), ("", "")])
def test_the_language_stands_before_the_token_where_there_are_words_for_it(language: str, written: str) -> None:
    token = TOKENS.mint(Door.LANDING, JANE, "beta-42")
    assert LINKS.url(Door.LANDING, JANE, "beta-42", language).endswith(f"/landing/{written}{token}")


def test_the_host_has_no_port() -> None:
    assert LINKS.host == "x.example"


@pytest.mark.parametrize(
    ("language", "tag"),
    [("de", "de"), ("pt_BR", "pt-br"), ("zh-Hant", "zh-hant"), ("", ""), (None, ""), ("german!", ""), ("x", "")],
)
def test_a_language_tag_has_one_spelling(language: str | None, tag: str) -> None:
    assert tag_of(language) == tag


@pytest.mark.parametrize("language", ["", "de", "pt-br"])
def test_what_is_joined_is_split_again(language: str) -> None:
    assert split(joined(language, "token")) == (language, "token")


@pytest.mark.parametrize(
    ("path", "parts"),
    [("DE/token", ("de", "token")), ("toolong/token", ("", "toolong/token")), ("", ("", "")), ("/x", ("", "/x"))],
)
def test_what_is_no_language_stays_with_the_token(path: str, parts: tuple[str, str]) -> None:
    assert split(path) == parts
