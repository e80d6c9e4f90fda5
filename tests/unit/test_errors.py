"""Every error teaches: it ends with its entry in the manual, and the manual has an entry for every message."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from flask_optout import OptOutError, errors
from tools import error_index

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
PACKAGE = Path(inspect.getfile(errors)).parent
CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, OptOutError) and kind is not OptOutError
]


def test_the_index_is_up_to_date() -> None:
    assert error_index.page() == PAGE, "Run python -m tools.error_index."


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_says_what_why_and_mend_and_where_to_read_on(kind: type[OptOutError]) -> None:
    error = kind("What.", "Why.", "Mend.")
    assert str(error) == f"What. Why. Mend.\nSee {error.see}"
    address, _, anchor = error.see.partition("#")
    assert address == errors.ERROR_INDEX
    assert f'<a id="{anchor}"></a>\n\n## {kind.__name__}\n' in PAGE


def test_every_message_of_the_source_has_an_entry() -> None:
    """The first words of each, as far as they are always the same."""
    headings = [heading.replace("\\", "") for heading in re.findall(r"^### (.*)$", PAGE, re.MULTILINE)]
    names = {kind.__name__ for kind in CLASSES}
    sought = 0
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in names and node.args:
                what = node.args[0]
                start = what.values[0] if isinstance(what, ast.JoinedStr) else what
                if isinstance(start, ast.Constant) and start.value != "Address ":  # which quotes another error
                    assert any(heading.startswith(str(start.value)) for heading in headings), (path, start.value)
                    sought += 1
    assert sought > 30
