"""Writes ``docs/errors.md``, every message that the source can raise, by class: ``python -m tools.error_index``.

A test fails when the page does not agree with the source.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from flask_optout import errors
from flask_optout.errors import OptOutError

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "flask_optout"
PAGE = ROOT / "docs" / "errors.md"
CLASSES = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, OptOutError) and kind is not OptOutError
}
INTRODUCTION = """# Errors

Every error of Flask-OptOut is a `flask_optout.OptOutError`. It says what is wrong (`what`), why it matters (`why`)
and how to mend it (`mend`), and ends with the URL of its class on this page (`see`). It holds no email address, so it
may be logged. "…" stands for what differs from case to case. `python -m tools.error_index` makes this page from the
source.
"""


class Entry(NamedTuple):
    """One message of the source, with "…" where it is filled in."""

    kind: str
    what: str
    why: str
    mend: str


class _Module:
    """The functions, calls and constants of one module, as far as they decide what an error says."""

    def __init__(self, source: str) -> None:
        tree = ast.parse(source)
        self.functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        self.calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self.constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def entries(self) -> Iterator[Entry]:
        for call in self.calls:
            name = getattr(call.func, "id", None)
            if name in CLASSES and len(call.args) == 3:
                for said in zip(*self._aligned(call), strict=True):
                    yield Entry(name, *said)

    def _aligned(self, call: ast.Call) -> list[list[str]]:
        """What each of the three arguments can say; one that can say one thing says it each time."""
        said = [list(self._texts(argument, call)) or ["…"] for argument in call.args]
        most = max(map(len, said))
        return [texts if len(texts) == most else texts[:1] * most for texts in said]

    def _texts(self, node: ast.expr, at: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Constant):
            yield str(node.value)
        elif isinstance(node, ast.JoinedStr):
            said = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
            yield said.replace("……", "…")
        elif isinstance(node, ast.IfExp):
            yield from self._texts(node.body, at)
            yield from self._texts(node.orelse, at)
        elif isinstance(node, ast.Name) and node.id in self.constants:
            yield from self._texts(self.constants[node.id], at)
        elif isinstance(node, ast.Name):
            yield from self._of_name(node.id, at)
        else:
            yield "…"

    def _of_name(self, name: str, at: ast.AST) -> Iterator[str]:
        function = next(each for each in self.functions if any(node is at for node in ast.walk(each)))
        assigned = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and any(getattr(target, "id", None) == name for target in node.targets)
        ]
        if assigned:
            yield from self._texts(assigned[0], at)
            return
        parameters = [argument.arg for argument in function.args.args]
        if name not in parameters:
            yield "…"
            return
        place = parameters.index(name)
        for call in self.calls:
            if getattr(call.func, "id", None) == function.name and len(call.args) > place:
                yield from self._texts(call.args[place], call)


def entries() -> list[Entry]:
    """Every message, once, in the order of the source."""
    modules = sorted(PACKAGE.rglob("*.py"))
    return list(dict.fromkeys(entry for path in modules for entry in _Module(path.read_text()).entries()))


def page() -> str:
    """The page, from the source as it stands."""
    parts = [INTRODUCTION]
    found = entries()
    for name, kind in CLASSES.items():
        anchor = kind("", "", "").see.partition("#")[2]
        parts.append(f'<a id="{anchor}"></a>\n\n## {name}\n\n{inspect.getdoc(kind)}\n')
        # A message made of another error's has its own entry there.
        mine = [entry for entry in found if entry.kind == name and entry.why != "…"]
        assert all(entry.what != "…" for entry in mine), f"What a {name} says cannot be told from the source."
        parts += [f"### {_escaped(entry.what)}\n\n{_escaped(entry.why)} {_escaped(entry.mend)}\n" for entry in mine]
    return "\n".join(parts)


def _escaped(text: str) -> str:
    lines = text.replace("<", "&lt;").replace("*", r"\*").replace("_", r"\_").splitlines()
    return "\n".join(f"    {line.strip()}" if number else line for number, line in enumerate(lines))


if __name__ == "__main__":
    PAGE.write_text(page())
