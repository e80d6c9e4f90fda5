"""A text is kept as it was written, without the link, and comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_optout.email_log.slots import SLOT, cut, filled, masked, shown

TOKEN = "a2" * 60
LINK = f"https://x.example/optout/{TOKEN}"
PIECES = st.lists(st.sampled_from([LINK, TOKEN, SLOT, "[[", '"]', "\\", "\0", "\n", "ä"]) | st.text(max_size=9))


@given(PIECES.map("".join))
@example(SLOT)
@example("")
def test_a_text_comes_back_as_it_was(text: str) -> None:
    pieces = cut(text, LINK)
    assert TOKEN not in pieces and "\0" not in pieces
    assert filled(pieces, LINK) == text
    assert shown(pieces) == text.replace(LINK, SLOT).replace(TOKEN, SLOT)


@given(PIECES.map("".join))
def test_a_fresh_link_stands_wherever_the_old_one_stood(text: str) -> None:
    fresh = f"https://y.example/optout/{TOKEN[::-1]}"
    assert filled(cut(text, LINK), fresh) == text.replace(LINK, fresh).replace(TOKEN, TOKEN[::-1])


@pytest.mark.parametrize(
    ("value", "shows"),
    [(LINK, SLOT), (f"see {LINK}!", f"see {SLOT}!"), (f"https%3A%2F%2Fx%2F{TOKEN}", f"https%3A%2F%2Fx%2F{SLOT}")],
)
def test_a_header_shows_where_a_link_stood(value: str, shows: str) -> None:
    assert masked(value, (LINK, "https://x.example/optout/one-click/b3")) == shows
