"""The adapter of Flask-Mailman and its stub name the same things of the library."""

from __future__ import annotations

import ast
from pathlib import Path

from flask_optout.mailers import mailman_library


def test_the_stub_declares_what_the_module_imports() -> None:
    stub = ast.parse(Path(mailman_library.__file__).with_suffix(".pyi").read_text())
    declared = {node.name for node in stub.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert declared == {*mailman_library.__all__} and all(hasattr(mailman_library, name) for name in declared)
