"""Writes ``docs/reference.md``, every public name with its docstring as Markdown: ``python -m tools.reference``.

A test fails when the page does not agree with the docstrings.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import flask_optout
from flask_optout import OptOut, OptOutError, mailers, testing
from flask_optout.pages.toggle import optout_toggle

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"
INTRODUCTION = """# Reference

The public names. The README has the settings, [Commands](cli.md) the commands, [Errors](errors.md) what each error
says, and [Testing your app](testing.md) the fixtures. `python -m tools.reference` makes this page from the
docstrings.
"""
#: The adapters for mail libraries, and those of their names that a host uses.
ADAPTERS = {
    each.name: module
    for each in pkgutil.iter_modules(mailers.__path__)
    if hasattr(module := import_module(f"{mailers.__name__}.{each.name}"), "Invitation")
}
OF_ADAPTERS = ("Invitation", "Mail", "Connection")
#: What stands on the page, below its headings.
NAMES: dict[str, list[tuple[str, Any]]] = {
    "The extension": [
        ("OptOut", OptOut),
        *((f"OptOut.{name}", method) for name, method in vars(OptOut).items() if name[0] != "_"),
        ("Opportunity", flask_optout.Opportunity),
        ("pages.toggle.optout_toggle", optout_toggle),
    ],
    "Ways to send": [
        (f"mailers.{adapter}.{name}", getattr(module, name))
        for adapter, module in ADAPTERS.items()
        for name in OF_ADAPTERS
        if hasattr(module, name)
    ]
    + [
        (f"mailers.{adapter}.Mail.send_invitations", module.Mail.send_invitations)
        for adapter, module in ADAPTERS.items()
        if hasattr(module, "Mail")
    ],
    "Tests": [
        (f"testing.{name}", value)
        for name, value in vars(testing).items()
        if name[0] != "_" and getattr(value, "__module__", "") == testing.__name__
    ],
    "Errors": [
        (name, kind)
        for name, kind in ((each, getattr(flask_optout, each)) for each in flask_optout.__all__)
        if issubclass(kind, OptOutError)
    ],
}


def page() -> str:
    """The page, from the docstrings as they stand."""
    parts = [INTRODUCTION]
    for heading, names in NAMES.items():
        parts.append(f"## {heading}\n")
        for name, value in names:
            signature = "" if heading == "Errors" else _signature(value)
            parts.append(f"### {name}\n\n`flask_optout.{name}{signature}`\n\n{_text(value)}\n")
    return "\n".join(parts)


def _signature(value: Any) -> str:
    signature = inspect.signature(value)
    parameters = [
        each.replace(annotation=each.empty) for each in signature.parameters.values() if each.name != "self"
    ]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


def _text(value: Any) -> str:
    """The docstring as Markdown; what it says of parameters and errors becomes a list."""
    text = re.sub(r":\w+:`([^`]+)`", r"`\1`", inspect.getdoc(value) or "").replace("``", "`")
    lines, about = [], False  # whether a line goes on with a parameter or an error
    for line in text.splitlines():
        about = about and bool(line)
        if field := re.fullmatch(r":(param|raises|return)(?: (\w+))?: (.*)", line):
            about = True
            start = {"param": f"`{field[2]}`:", "raises": f"raises `{field[2]}`", "return": "returns"}[field[1]]
            line = f"- {start} {field[3]}"
        elif about:
            line = f"  {line.strip()}"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
