"""Update the message catalogues: ``python -m tools.catalogues``.

It collects every message of the templates and the code, merges them into each ``optout.po`` and compiles that into
the ``optout.mo`` beside it, which ships. The tests fail until somebody has translated a new or changed message.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from flask_optout.pages.words import CATALOGUES, DOMAIN

ROOT = Path(__file__).parents[1]
METHODS = {"flask_optout": [("**.py", "python")], "templates": [("**", "jinja2.ext:babel_extract")]}
KEYWORDS: dict[str, Any] = {"_": None, "translate": None, "ngettext": (1, 2), "translate_many": (1, 2)}


def messages() -> Catalog:
    """Every message of ours, without translations, and without line numbers, which change with every edit."""
    catalog = Catalog(domain=DOMAIN, charset="utf-8")
    for folder, methods in METHODS.items():
        for _, _, message, _, _ in extract_from_dir(ROOT / folder, methods, keywords=KEYWORDS):
            if any(map(str.isalpha, str(message))):  # str.translate() is another
                catalog.add(message)
    return catalog


def catalogues() -> Iterator[Path]:
    """The catalogue of each language, as translators write it."""
    return iter(sorted(CATALOGUES.glob(f"*/LC_MESSAGES/{DOMAIN}.po")))


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], domain=DOMAIN)


def compiled(catalog: Catalog) -> bytes:
    """The catalogue as the ``optout.mo`` that ships."""
    file = BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def main() -> None:
    """Merge and compile every catalogue, and print what lacks a translation."""
    template = messages()
    for path in catalogues():
        catalog = read(path)
        template.creation_date = catalog.creation_date  # or every run would be a change
        catalog.update(template, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        with path.open("wb") as file:
            write_po(file, catalog, width=118, sort_output=True)
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        missing = [message.id for message in catalog if message.id and not message.string]
        print(
            f"{catalog.locale}: {len(catalog)} messages, {len(missing)} without a translation", *missing, sep="\n  "
        )


if __name__ == "__main__":
    main()
