"""The page on languages does what it says: its code is run, in the app of the README's quick start."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from types import ModuleType

from babel.messages.pofile import read_po

from flask_optout.pages.languages import PROBE
from tests.support.hosts import Mailbox
from tests.support.story import WORDS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "languages.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)
    return ["".join(line.removeprefix(indent) for line in block.splitlines(True)) for indent, block in found]


def test_the_code_runs(module: ModuleType, smtp: Mailbox) -> None:
    for block in blocks("python"):
        exec(block, vars(module))
    german, spanish = smtp.received
    assert WORDS["de"] in german.part("plain") and WORDS["es"] in spanish.part("plain")
    assert german.message["Content-Language"] == "de"
    assert module.url in german.part("plain") and "/optout/de/" in module.url
    assert 'lang="de"' in module.app.test_client().get(module.url.removeprefix("https://jobs.example.org")).text


def test_the_catalogue_is_one() -> None:
    [block] = blocks("po")
    read = [(message.id, message.string) for message in read_po(BytesIO(block.encode())) if message.id]
    assert read == [(PROBE, "Nein danke")]


def test_the_languages_are_those_that_ship() -> None:
    names = {"Arabic": "ar", "French": "fr", "German": "de", "Japanese": "ja", "Portuguese": "pt", "Spanish": "es"}
    assert all(name in TEXT for name in names) and {*names.values(), "en"} == set(WORDS)
    assert set(re.findall(r"^ *```(\w+)$", TEXT, re.MULTILINE)) == {"python", "po"}
