"""No string escapes translation, and every catalogue has every message, whole."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from jinja2 import Environment, nodes

from flask_optout.pages.routing import HOME
from flask_optout.pages.words import CATALOGUES
from tools.catalogues import catalogues, compiled, messages, read

TEMPLATES = sorted(path for path in (HOME / "templates").rglob("*.*") if path.suffix in (".html", ".txt"))
#: Attributes that people read or hear.
SPOKEN = {"alt", "aria-description", "aria-label", "aria-roledescription", "aria-valuetext", "label", "placeholder"}
SPOKEN |= {"summary", "title", "data-copied", "data-fault", "data-refused", "data-wait"}
#: What is the same in every language.
UNIVERSAL = {"Message-ID"}
LANGUAGES = {"ar", "de", "es", "fr", "ja", "pt"}
IN_PLACE_OF_OUTPUT = "\ufffc"
#: The letters that each language is written in.
SCRIPTS = {"ar": "ARABIC", "ja": "CJK|HIRAGANA|KATAKANA"}


class Bare(HTMLParser):
    """Collects what a template says by itself: its text, and the attributes that people read."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.said += [value for name, value in attributes if name in SPOKEN and value]

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def bare(source: str, kind: str) -> list[str]:
    """The words of a template that do not come out of an expression, and the literals that expressions put out."""
    tree = Environment(autoescape=True).parse(source)
    parser, said = Bare(), list(literals(tree))
    text = "".join(
        node.data if isinstance(node, nodes.TemplateData) else IN_PLACE_OF_OUTPUT
        for output in tree.find_all(nodes.Output)
        for node in output.nodes
    )
    if kind == ".html":
        parser.feed(text)
        parser.close()
    else:
        parser.said.append(text)
    said += parser.said
    texts = (text.replace(IN_PLACE_OF_OUTPUT, " ").strip(" \n.,") for text in said)
    return [text for text in texts if letters(text)]


def letters(text: str) -> bool:
    return any(map(str.isalpha, text)) and text not in UNIVERSAL and not text.startswith("optout-")


def literals(tree: nodes.Template) -> Iterator[str]:
    """Strings that an expression could put out as they are: not the arguments of a call, nor what is compared."""
    for output in tree.find_all(nodes.Output):
        waiting: list[nodes.Node] = [node for node in output.nodes if not isinstance(node, nodes.TemplateData)]
        while waiting:
            node = waiting.pop()
            if isinstance(node, nodes.Const) and isinstance(node.value, str) and "optout-" not in node.value:
                yield node.value
            elif isinstance(node, nodes.CondExpr):
                waiting += [part for part in (node.expr1, node.expr2) if part is not None]
            elif isinstance(node, nodes.Or | nodes.And | nodes.Add):
                waiting += node.left, node.right
            elif isinstance(node, nodes.Concat):
                waiting += node.nodes
            elif isinstance(node, nodes.Filter) and node.name != "safe" and node.node is not None:
                waiting.append(node.node)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(HOME)))
def test_a_template_says_nothing_by_itself(path: Path) -> None:
    said = [words for words in bare(path.read_text(), path.suffix) if words not in ("post", "get")]
    assert said == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ("<p>{{ _('Hello') }}!</p>", []),
        ("<p>{{ _('You have') }} {{ n }} left</p>", ["left"]),
        ("<a title='Go' href='/x'>{{ _('Go') }}</a>", ["Go"]),
        ("<a aria-label=\"{{ _('Go') }} now\">1</a>", ["now"]),
        ("{{ 'yes' if x else _('no') }}", ["yes"]),
        ("{% if x == 'yes' %}{{ x or 'none' }}{% endif %}", ["none"]),
        ("{% macro m() %}Hi{% endmacro %}{% set t %}There{% endset %}", ["HiThere"]),
        ("<style>p{}</style>{# a comment #}<p>1, 2</p>", []),
    ],
)
def test_the_search_finds_what_is_said(source: str, said: list[str]) -> None:
    found = [words for words in bare(source, ".html") if words != "p{}"]
    assert found == said


#: Functions of ours that show people what they are given, or write it into a mail.
SHOWS = {"render_page", "show", "render", "Letter", "compose_link_letter"}


def python_strings(called: set[str]) -> Iterator[tuple[str, str]]:
    """What Python code hands to a page or a mail without translating it.

    :param called: gets the name of each function that is called.
    """
    package = HOME / "flask_optout" if (HOME / "flask_optout").is_dir() else HOME
    for path in sorted(package.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            name = getattr(call.func, "id", "") if isinstance(call, ast.Call) else ""
            called.add(name)
            if isinstance(call, ast.Call) and name in SHOWS:
                given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg != "headers")]
                for value in given:
                    if isinstance(value, ast.Constant) and isinstance(value.value, str) and " " in value.value:
                        yield path.name, value.value
            elif isinstance(call, ast.Assign) and isinstance(call.value, ast.Constant):
                target, text = call.targets[0], str(call.value.value)
                # Without a blank it is the name of a text that the template has.
                if isinstance(target, ast.Subscript) and "errors" in ast.unparse(target) and " " in text:
                    yield path.name, text


def test_no_python_string_reaches_a_page_as_it_is() -> None:
    called = set[str]()
    assert list(python_strings(called)) == []
    assert called >= SHOWS


def test_the_languages_are_those_that_ship() -> None:
    assert {path.parts[-3] for path in catalogues()} == LANGUAGES


@pytest.mark.parametrize("path", list(catalogues()), ids=lambda path: path.parts[-3])
class TestCatalogue:
    """``python -m tools.catalogues`` brings it up to date; then somebody must write what is new."""

    def test_it_has_every_message_and_no_other(self, path: Path) -> None:
        assert {message.id for message in read(path)} == {message.id for message in messages()}

    def test_every_message_is_translated_and_nobody_is_in_doubt(self, path: Path) -> None:
        for message in written(path):
            assert all(forms(message.string)) and not message.fuzzy, message.id

    def test_placeholders_are_those_of_the_english(self, path: Path) -> None:
        for message in written(path):
            *_, english = forms(message.id)
            wanted = placeholders(english)
            for form in forms(message.string):
                # A form for one, two or none may spell the number out.
                spelt_out = wanted - {"%(num)s"} if isinstance(message.id, tuple) else wanted
                assert placeholders(form) in (wanted, spelt_out), message.id

    def test_it_is_written_in_its_own_letters(self, path: Path) -> None:
        script = SCRIPTS.get(path.parts[-3], "LATIN")
        for message in written(path):
            if message.id != "HTML":
                words = re.sub(r"%\(\w+\)s", "", "".join(forms(message.string)))
                assert any(re.match(script, unicodedata.name(letter, "")) for letter in words), message.id

    def test_sentences_end_as_the_english_ones_do(self, path: Path) -> None:
        ends = str.maketrans({"。": ".", "？": "?", "؟": "?", "：": ":"})
        for message in written(path):
            end = forms(message.id)[0][-1]
            if end in ".?:" and message.id != "Is your answer to our invitation right?":
                assert {form.translate(ends)[-1] for form in forms(message.string)} == {end}, message.id

    def test_what_ships_is_what_was_written(self, path: Path) -> None:
        with path.with_suffix(".mo").open("rb") as file:
            shipped = words(read_mo(file))
        assert shipped == words(read_mo(BytesIO(compiled(read(path)))))
        assert len(shipped) == len(read(path))


def written(path: Path) -> list[Message]:
    """The messages of a catalogue, without its header."""
    return [message for message in read(path) if message.id]


def forms(text: object) -> tuple[str, ...]:
    return tuple(map(str, text)) if isinstance(text, tuple | list) else (str(text or ""),)


def words(catalog: Catalog) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {forms(message.id): forms(message.string) for message in catalog if message.id}


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|%(?!\()", text))


def test_the_catalogues_stand_in_the_package() -> None:
    assert CATALOGUES.name == "translations" and CATALOGUES.parent.name == "flask_optout"
