"""What the columns of a list mean: which one holds the address, and which ones say who opted out.

An export of all contacts, of bounces or of mixed states is told from a list of opt-outs by its columns and by the
words in them, which are in ``words.toml``. An unknown word is never taken for an opt-out.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..errors import ListError


class Meaning(StrEnum):
    """What a row says about its person; if its cells say different things, the first of these counts."""

    OPTED_OUT = "opted out"
    UNCLEAR = "its columns do not say clearly whether this is an opt-out"
    BOUNCE = "a bounce or a block"
    SUPPRESSED = "suppressed, for whatever reason"
    NO_OPT_OUT = "no opt-out"
    OPPOSITE = "the opposite of an opt-out"
    OTHER_WAY = "about another way than mail"


#: The meanings that count as an opt-out.
OPT_OUTS = {Meaning.OPTED_OUT, Meaning.SUPPRESSED}
#: Precedes a character that is not in the encoding of the file.
UNDECODED = "\N{REPLACEMENT CHARACTER}"
NOT_A_LETTER = re.compile(r"[\W\d_]+")


def _fold(text: str) -> str:
    """Return a text without case and accents."""
    if text.isascii():
        return text.casefold()
    with suppress(UnicodeError):
        text = text.encode("cp1252").decode()  # if UTF-8 was once read as Windows-1252
    return "".join(each for each in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(each))


def _keep_letters(text: str) -> str:
    return NOT_A_LETTER.sub("", _fold(text))


def _normalize(cell: str) -> str:
    """Return a cell's letters as words are compared; a number or symbol as it is, without a variation selector."""
    return _keep_letters(cell) or cell.strip().rstrip("\N{VARIATION SELECTOR-16}")


_TEXTS = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
NAMES = {kind: re.compile("|".join(_fold(names).split())) for kind, names in _TEXTS["names"].items()}
YES, NO, BLANK = ({_normalize(word) for word in _TEXTS["words"].pop(what).split()} for what in ("yes", "no", "blank"))
ADDRESS, CODE, DAY, ZERO = (
    re.compile("|".join(_TEXTS["cells"][kind].splitlines()), re.IGNORECASE)
    for kind in ("address", "code", "day", "zero")
)
#: Names of columns that never hold a state of a person.
NO_STATES = re.compile("|".join(NAMES[each].pattern for each in ("other_way", "data", "no_state", "no_answer")))
#: The meaning of each known word for a state.
WORDS = {
    _keep_letters(word): Meaning[kind.upper()] for kind, words in _TEXTS["words"].items() for word in words.split()
}
BEST = 3
OPPORTUNITY = {"opportunity", "opportunityid"}
#: A letter of a name that could not be decoded: "Désinscrit" may look like "inscrit".
LOST = re.compile(rf"{UNDECODED}|\w\?\w")


class Kind(NamedTuple):
    """What a yes (also a date, a number) and a no in a column mean."""

    yes: Meaning
    no: Meaning

    def interpret(self, cell: str) -> Meaning | None:
        """Return what a cell says; ``None`` for a blank or a link."""
        cell = cell.strip().strip("'")
        if not cell or "://" in cell:
            return None
        if self is STATES and CODE.match(cell):
            return Meaning.BOUNCE
        word = _normalize(cell)
        if word in WORDS:
            return Meaning.UNCLEAR if self is DOUBTFUL and WORDS[word] in OPT_OUTS else WORDS[word]
        if cell[0] in "[{":  # such as a list of reasons
            parts = {WORDS.get(_keep_letters(part)) for part in re.findall(r"\w+", cell)}
            if found := [meaning for meaning in Meaning if meaning in parts]:
                return found[0]
        if word in NO or word in BLANK or ZERO.fullmatch(cell):
            return self.no
        # In a column of errors, any word is one.
        is_yes = word in YES or self is BOUNCES or any(unicodedata.digit(each, 0) for each in cell)
        return self.yes if is_yes else Meaning.UNCLEAR


OUTS, INS = Kind(Meaning.OPTED_OUT, Meaning.NO_OPT_OUT), Kind(Meaning.NO_OPT_OUT, Meaning.UNCLEAR)
BOUNCES, STATES = Kind(Meaning.BOUNCE, Meaning.NO_OPT_OUT), Kind(Meaning.UNCLEAR, Meaning.UNCLEAR)
SUPPRESSED, DOUBTFUL = Kind(Meaning.SUPPRESSED, Meaning.NO_OPT_OUT), Kind(Meaning.UNCLEAR, Meaning.NO_OPT_OUT)
NOTS = Kind(Meaning.OPPOSITE, Meaning.UNCLEAR)
#: The kind of a column by its name; the first match counts.
KINDS = {"opposite": NOTS, "out": OUTS, "suppressed": SUPPRESSED, "doubtful": DOUBTFUL, "in": INS, "bounced": BOUNCES}


class Columns(NamedTuple):
    """The places of the columns that count.

    ``deciding``: those that say who opted out, or what else a row is; ``unknown``: the first that may say so, by
    unknown words or an unknown name; ``silent``: those that may hold a state, but none in the sample; ``blank``:
    those that are empty in the sample; ``days``: those with a day for everybody in the sample; ``channels``: those
    that may say that a row is about another channel than mail.
    """

    address: int
    opportunity: int | None
    deciding: tuple[tuple[int, Kind], ...]
    unknown: int | None
    silent: tuple[int, ...]
    blank: tuple[int, ...]
    days: tuple[int, ...]
    channels: tuple[int, ...]

    def interpret(self, cells: Sequence[str]) -> Meaning:
        """Return what a row says about its person; an opt-out counts, whatever else it says except the opposite."""
        if any(_is_other_way(_keep_letters(cells[place])) for place in self.channels):
            return Meaning.OTHER_WAY
        meanings = {kind.interpret(cells[place]) for place, kind in self.deciding}
        blank = Meaning.UNCLEAR if all(kind is STATES for _, kind in self.deciding) else Meaning.NO_OPT_OUT
        found = next((meaning for meaning in Meaning if meaning in meanings), blank)
        if found in OPT_OUTS:
            return Meaning.UNCLEAR if Meaning.OPPOSITE in meanings else found
        doubtful = any(_state(cells[place]) in OPT_OUTS for place in self.silent)
        return Meaning.UNCLEAR if doubtful else found

    def late(self, names: Sequence[str], cells: Sequence[str]) -> int | None:
        """Return a column that may say who opted out, which only this row shows, if there is one."""
        say = [place for place in self.silent if _state(cells[place])]
        say += [place for place in self.blank if cells[place].strip() and may_say(names[place], ["", cells[place]])]
        say += [place for place in self.days if is_blank(cells[place])]
        return say[0] if say else None


def check(columns: Columns, opportunity: str | None, format: str | None) -> None:
    """Raise a ListError when the opportunity is missing or given twice, or it is not clear who opted out."""
    if opportunity is None and columns.opportunity is None:
        raise _unclear("The list has no column for the opportunity.", "--opportunity beta-42")
    if opportunity is not None and columns.opportunity is not None:
        raise ListError(
            "The list has a column for the opportunity, and one was given as well.",
            "Each row must say who wants no invitation to what.",
            "Leave out --opportunity, or rename that column.",
        )
    if format == "export" and not columns.deciding:
        raise _unclear("No column says who opted out.", "--format list")
    if format is None and not columns.deciding and columns.unknown is not None:
        raise unknown(columns.unknown)


def unknown(place: int) -> ListError:
    """Return the error for a column that may say who opted out."""
    return ListError(
        f"It cannot be told whether column {place + 1} says who opted out.",
        "A wrong guess would mute other people.",
        "Call it 'unsubscribed' if a yes in it is an opt-out, name the --encoding if the file is not in UTF-8, or "
        "add --format list if each row is an opt-out.",
    )


def _unclear(what: str, option: str) -> ListError:
    return ListError(
        what,
        "Each row must say who wants no invitation to what, and a wrong guess would mute other people.",
        f"Begin the list with a line such as 'email,opportunity', or add an option such as {option}.",
    )


def understand(names: Sequence[str], sample: Sequence[Sequence[str]], chosen: str | None = None) -> Columns:
    """Find what the columns of a list mean, by their names, which may be empty, and by some of its rows.

    :param chosen: the name or the number of the address column, as the operator gave it.
    :raises ListError: when no column, or more than one, could be that of the address or the opportunity.
    """
    letters = [_keep_letters(name) for name in names]
    address = _find_address_column(letters, sample) if chosen is None else _find_chosen(names, chosen)
    about = [place for place, name in enumerate(letters) if name in OPPORTUNITY]
    if address is None:
        raise _unclear("It cannot be told which column holds the address.", "--column email")
    if len(about) > 1:
        raise ListError(
            "Two columns are called opportunity.",
            "Each row must say who wants no invitation to what.",
            "Rename the one that does not hold the ids that your invitations have.",
        )
    others = [place for place in range(len(names)) if place not in (address, *about)]
    cells = {place: [row[place].strip() for row in sample] for place in others}
    kinds = {place: _find_kind(names[place], cells[place]) for place in others}
    deciding = tuple((place, kind) for place, kind in kinds.items() if kind is not None)
    silent = tuple(place for place in others if kinds[place] is None and not NO_STATES.search(letters[place]))
    doubtful = next((place for place in others if may_say(names[place], cells[place])), None)
    blank = tuple(place for place in others if not any(cells[place]))
    days = tuple(place for place in others if _may_be_days(names[place], cells[place]))
    channels = tuple(place for place in others if NAMES["channel"].search(letters[place]))
    return Columns(address, about[0] if about else None, deciding, doubtful, silent, blank, days, channels)


def _find_kind(name: str, cells: Sequence[str]) -> Kind | None:
    letters = _keep_letters(name)
    if _is_other_way(letters) or NAMES["data"].search(letters) or (cells and all(map(ADDRESS.search, cells))):
        return None
    kind = next((kind for each, kind in KINDS.items() if NAMES[each].search(letters)), None)
    # A column "state" may be a part of a postal address, and a "reason" a candidate's own words.
    words = [_keep_letters(cell) in WORDS for cell in cells if cell]
    known = any(words) or any(map(CODE.match, cells))
    is_state = NAMES["status"].fullmatch(letters) or (known and (all(words) or NAMES["state"].search(letters)))
    if is_state and kind is not DOUBTFUL:
        return STATES
    if NAMES["no_state"].search(letters):
        return None
    return DOUBTFUL if kind is INS and LOST.search(name) else kind


def _is_other_way(letters: str) -> bool:
    """Return whether a name is about phone, paper and the like, and not also about mail."""
    return bool(NAMES["other_way"].search(letters)) and not NAMES["mail"].search(letters)


def is_blank(cell: str) -> bool:
    """Return whether a cell is empty, or says that there is no day."""
    return not cell.strip() or _normalize(cell) in BLANK or ZERO.fullmatch(cell.strip()) is not None


def _may_be_days(name: str, cells: Sequence[str]) -> bool:
    said = [cell for cell in cells if not is_blank(cell)]
    return bool(said) and all(map(DAY.match, said)) and not NAMES["no_answer"].search(_keep_letters(name))


def may_say(name: str, cells: Sequence[str]) -> bool:
    """Return whether an unknown column may hold states, or a yes, a no or a day for each person."""
    said = [cell.strip() for cell in cells if cell.strip() == "0" or not is_blank(cell)]
    if _unreadable(name) or (not (name and name.isascii()) and _unreadable("".join(cells))):
        return True
    letters, asks = _keep_letters(name), name.rstrip().endswith(("?", "？"))
    if said and (asks or any(NAMES[each].search(letters) for each in ("status", "asked", "channel"))):
        return True
    if any(map(is_blank, cells)) and _may_be_days(name, cells):
        return True
    says = bool(said) and (all(map(_is_answer, said)) or any(map(_state, said)))
    return says and not NAMES["no_answer"].search(letters)


@lru_cache(256)
def _state(cell: str) -> Meaning | None:
    """Return the meaning of a cell that is a known state, or has an opt-out among other tags."""
    meanings = [WORDS.get(_keep_letters(tag)) for tag in re.split(r"[,;|]", cell)]
    return meanings[0] if len(meanings) == 1 else next(iter(OPT_OUTS.intersection(meanings)), None)


def _is_answer(cell: str) -> bool:
    """Return whether a cell is a symbol, or a yes or no, perhaps with more words after it."""
    first = _normalize(re.split(r"[,;!\s]", cell, maxsplit=1)[0])
    return first in YES or first in NO or cell in ("0", "1") or not re.search(r"\w", cell)


def _unreadable(text: str) -> bool:
    """Return whether at least half of a text's letters could not be decoded."""
    return UNDECODED in text and 2 * text.count(UNDECODED) >= len(_keep_letters(text))


def _find_chosen(names: Sequence[str], chosen: str) -> int | None:
    wanted = chosen.strip().lower()
    fits = [place for place, name in enumerate(names) if name.replace(UNDECODED, "").strip().lower() == wanted]
    if not fits and chosen.isdecimal() and 1 <= int(chosen) <= len(names):
        return int(chosen) - 1
    return fits[0] if len(fits) == 1 else None


def _find_address_column(letters: Sequence[str], sample: Sequence[Sequence[str]]) -> int | None:
    """Return the column that holds addresses and has the best name for it; none if another one is called email."""
    ranks = [*map(rank, letters)]
    holding = [place for place in range(len(letters)) if any(ADDRESS.search(row[place]) for row in sample)]
    best = max([ranks[place] for place in holding] or ranks, default=0)
    fits = [place for place in holding or range(len(letters)) if ranks[place] == best]
    return fits[0] if len(fits) == 1 and (holding or best) and (best == BEST or BEST not in ranks) else None


def rank(name: str) -> int:
    """Return how well a name fits a column of addresses: ``BEST``, less, or 0."""
    name = _keep_letters(name)
    if NAMES["email"].fullmatch(name):
        return BEST
    return 2 if "mail" in name else int(NAMES["address"].fullmatch(name) is not None)
