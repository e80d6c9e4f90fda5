"""A language that nobody speaks: each message in brackets, accented, and longer, as a translation may be."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from flask_optout.pages.words import DOMAIN
from tools.catalogues import messages

OPEN, CLOSE = "\u27e6", "\u27e7"
ACCENTS = str.maketrans("AEIOUYaceinouy", "ÀÉÎÕÜÝåçéîñöûý")
#: No translation of ours is longer by more, one-word labels aside.
LONGER = 1.4


def pseudo(message: str) -> str:
    accented = "".join(
        part if part.startswith("%(") else part.translate(ACCENTS) for part in re.split(r"(%\(\w+\)s)", message)
    )
    padding = "·ø·" * max(1, round(len(message) * (LONGER - 1) / 3))
    return f"{OPEN}{accented} {' '.join(re.findall('.{1,9}', padding))}{CLOSE}"


def write_pseudo(folder: Path, locale: str) -> str:
    """Write it as a host's own catalogue of a language that we do not speak; gives the folder of the translations."""
    catalog = Catalog(locale=locale)
    for message in messages():
        if isinstance(message.id, tuple):
            catalog.add(message.id, tuple(pseudo(message.id[1]) for _ in range(catalog.num_plurals)))
        elif message.id:
            catalog.add(message.id, pseudo(str(message.id)))
    place = folder / "translations" / locale / "LC_MESSAGES"
    place.mkdir(parents=True)
    with (place / f"{DOMAIN}.mo").open("wb") as file:
        write_mo(file, catalog)
    return str(folder / "translations")
