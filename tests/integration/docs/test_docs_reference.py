"""The reference is what the docstrings say, as text."""

from __future__ import annotations

import flask_optout
from tools import reference


def test_the_page_is_made_from_the_docstrings() -> None:
    assert reference.page() == reference.PAGE.read_text(), "Run python -m tools.reference."


def test_every_public_name_is_on_it_and_says_what_it_is() -> None:
    listed = {name: text for names in reference.NAMES.values() for name, text in names}
    assert set(flask_optout.__all__) <= set(listed)
    assert [name for name, value in listed.items() if not value.__doc__] == []
