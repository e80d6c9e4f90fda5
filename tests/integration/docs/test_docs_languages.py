"""The page on languages does what it says: its code is run, in the app of the README's quick start."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from flask_babel import Babel, force_locale

from flask_optout.pages.words import translate
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


def test_the_catalogue_is_compiled_and_read(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [block], [command] = blocks("po"), blocks("shell")
    [name] = re.findall(r"`(translations/de/\S+/optout\.po)`", TEXT)
    Path(name).parent.mkdir(parents=True)
    Path(name).write_text(block)
    subprocess.run([f"{Path(sys.executable).parent}/{command.strip()}"], shell=True, check=True, capture_output=True)
    Babel(module.app, default_translation_directories=str(tmp_path / "translations"))
    with module.app.app_context(), force_locale("de"):
        assert (translate("Not Interested?"), translate("Keep me invited")) == ("Nein danke", "Weiterhin einladen")


def test_the_languages_are_those_that_ship() -> None:
    names = {"Arabic": "ar", "French": "fr", "German": "de", "Japanese": "ja", "Portuguese": "pt", "Spanish": "es"}
    assert all(name in TEXT for name in names) and {*names.values(), "en"} == set(WORDS)
    assert set(re.findall(r"^ *```(\w+)$", TEXT, re.MULTILINE)) == {"python", "po", "shell"}
