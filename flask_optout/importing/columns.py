"""What the columns of a list mean: which one holds the address, and which ones say who opted out.

An export of all contacts, of bounces or of mixed states is told from a list of opt-outs by its columns and by the
words in them. A word whose meaning is not known is never taken for an opt-out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from ..errors import ListError


class Meaning(StrEnum):
    """What a row says of its person; where cells say different things, the first of these counts."""

    OPTED_OUT = "opted out"
    UNCLEAR = "its columns do not say clearly whether this is an opt-out"
    BOUNCE = "a bounce or a block"
    NO_OPT_OUT = "no opt-out"


#: Names of columns and states are compared by their ASCII letters alone, in lower case.
NOT_A_LETTER = re.compile(r"[^a-z]+")
EMAIL_NAMES = re.compile(r"e?mail|e?mailaddress|emailadresse?|courriel|correo(?:electronico)?")
ADDRESS_NAMES = re.compile("address|adresse|recipient|subscriber|contact|user(?:name)?|login")
OPPORTUNITY = "opportunity"
#: What a cell of an unknown column holds, if that may be an address.
ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@.,]")

#: Parts of names of columns in which a person's opt-out stands, as a date, a reason or a yes.
OUT = re.compile(
    "unsub|optout|optedout|optsout|suppress|b(?:lack|lock)list|complain|spam|donot(?:contact|e?mail)|^muted?$"
)
#: Parts of names of columns that only a list of contacts has, or that say who wants mail.
IN = re.compile(
    "subscribed|subscription|optin|optedin|accepts|consent|permission|confirm|memberrating|^leid$|^euid$|signup|signedup"
)
BOUNCED = re.compile("bounce|^error|smtp|diagnostic|^clean(?:ed|time)")
STATE = re.compile("state$|status|reason|^event|type$|disposition")
#: Such a column stands in exports of every kind.
NO_STATE = re.compile("link|url|token|hash|campaign|^(?!(?:le|eu)id$).*id$")

#: What a state means.
WORDS = {
    word: meaning
    for meaning, words in {
        Meaning.OPTED_OUT: "unsubscribed unsubscribe unsub unsubscribes optedout optout out blocklisted blacklisted"
        " blocked disabled complained complaint complaints spam spamcomplaint spamreport abuse manualsuppression"
        " suppressed muted revoked withdrawn donotcontact donotemail",
        Meaning.NO_OPT_OUT: "subscribed subscribe active enabled confirmed unconfirmed pending neversubscribed"
        " nonsubscribed notsubscribed optedin optin transactional implicit explicit",
        Meaning.BOUNCE: "bounced bounce hardbounce softbounce hard soft cleaned invalid undeliverable undelivered"
        " dropped deferred failed permanent transient",
    }.items()
    for word in words.split()
}
YES, NO = ["yes", "y", "true", "t", "x", "on"], ["no", "n", "false", "f", "off", "none", "null", "nil", "na", "never"]
#: The codes of a mail server (RFC 5321 section 4.2, RFC 3463).
CODE = re.compile(r"[45](?:\d\d|\.\d{1,3}\.\d{1,3})(?![\d.])")


class Kind(NamedTuple):
    """What a yes (also a date, a number) and a no in a column mean."""

    yes: Meaning
    no: Meaning

    def said(self, cell: str) -> Meaning | None:
        """What a cell says; ``None`` for a blank or a link."""
        cell = cell.strip()
        if not cell or "://" in cell:
            return None
        if self is STATES and CODE.match(cell):
            return Meaning.BOUNCE
        word = _letters(cell)
        if word in WORDS:
            return WORDS[word]
        if cell in ("0", "-") or word in NO:
            return self.no
        # Where errors stand, any word is one.
        is_yes = word in YES or self is BOUNCES or any(map(str.isdigit, cell))
        return self.yes if is_yes else Meaning.UNCLEAR


OUTS, INS = Kind(Meaning.OPTED_OUT, Meaning.NO_OPT_OUT), Kind(Meaning.NO_OPT_OUT, Meaning.UNCLEAR)
BOUNCES, STATES = Kind(Meaning.BOUNCE, Meaning.NO_OPT_OUT), Kind(Meaning.UNCLEAR, Meaning.UNCLEAR)


class Columns(NamedTuple):
    """The places of the columns that count; ``deciding``: those that say who opted out, or what else a row is."""

    address: int
    opportunity: int | None
    deciding: tuple[tuple[int, Kind], ...]

    def meaning(self, cells: Sequence[str]) -> Meaning:
        """What a row says of its person; an opt-out counts, whatever else it says."""
        said = {kind.said(cells[place]) for place, kind in self.deciding}
        blank = Meaning.UNCLEAR if all(kind is STATES for _, kind in self.deciding) else Meaning.NO_OPT_OUT
        return next((meaning for meaning in Meaning if meaning in said), blank)


def check(columns: Columns, opportunity: str | None, export: bool) -> None:
    """Raise a ListError when the opportunity is missing or given twice, or an export does not say who opted out."""
    if opportunity is None and columns.opportunity is None:
        raise _unclear("The list has no column for the opportunity.", "--opportunity beta-42")
    if opportunity is not None and columns.opportunity is not None:
        raise ListError(
            "The list has a column for the opportunity, and one was given as well.",
            "Each row must say who wants no invitation to what.",
            "Leave out --opportunity, or rename that column.",
        )
    if export and not columns.deciding:
        raise _unclear("No column says who opted out.", "--format list")


def _unclear(what: str, option: str) -> ListError:
    return ListError(
        what,
        "Each row must say who wants no invitation to what, and a wrong guess would mute other people.",
        f"Begin the list with a line such as 'email,opportunity', or add an option such as {option}.",
    )


def _letters(text: str) -> str:
    return NOT_A_LETTER.sub("", text.lower())


def columns_of(names: Sequence[str], sample: Sequence[Sequence[str]], chosen: str | None = None) -> Columns:
    """What the columns of a list mean.

    :param names: of its first line; all empty where it has none.
    :param sample: some of its rows, each as long as ``names``.
    :param chosen: the name of the address column, or its number, as somebody gave it.
    :raises ListError: when no column, or more than one, could be that of the address or the opportunity.
    """
    letters = [_letters(name) for name in names]
    address = _address_column(letters, sample) if chosen is None else _chosen(names, chosen)
    about = [place for place, name in enumerate(letters) if name == OPPORTUNITY]
    if address is None or len(about) > 1:
        raise _unclear("It cannot be told which column holds the address, or the opportunity.", "--column email")
    kinds = ((place, _kind(name, [row[place] for row in sample])) for place, name in enumerate(letters))
    deciding = tuple((place, kind) for place, kind in kinds if kind is not None and place not in (address, *about))
    return Columns(address, about[0] if about else None, deciding)


def _kind(name: str, cells: Sequence[str]) -> Kind | None:
    # A column "state" may be a part of a postal address, and a "reason" a candidate's own words.
    if STATE.search(name) and (
        name == "status" or any(STATES.said(cell) not in (None, Meaning.UNCLEAR) for cell in cells)
    ):
        return STATES
    if NO_STATE.search(name):
        return None
    return next(
        (kind for pattern, kind in ((OUT, OUTS), (IN, INS), (BOUNCED, BOUNCES)) if pattern.search(name)), None
    )


def _chosen(names: Sequence[str], chosen: str) -> int | None:
    wanted = chosen.strip().lower()
    fits = [place for place, name in enumerate(names) if name.strip().lower() == wanted]
    if not fits and chosen.isdecimal() and 1 <= int(chosen) <= len(names):
        return int(chosen) - 1
    return fits[0] if len(fits) == 1 else None


def _address_column(letters: Sequence[str], sample: Sequence[Sequence[str]]) -> int | None:
    """The column that holds addresses and is called by the best name for it."""
    holding = [place for place in range(len(letters)) if any(ADDRESS.search(row[place]) for row in sample)]
    ranks = {place: _rank(letters[place]) for place in holding or range(len(letters))}
    best = max(ranks.values(), default=0)
    fits = [place for place, rank in ranks.items() if rank == best]
    return fits[0] if len(fits) == 1 and (holding or best) else None


def _rank(name: str) -> int:
    if EMAIL_NAMES.fullmatch(name):
        return 3
    return 2 if "mail" in name else int(ADDRESS_NAMES.fullmatch(name) is not None)
