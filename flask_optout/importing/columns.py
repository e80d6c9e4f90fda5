"""What the columns of a list mean: which one holds the address, and which ones say who opted out.

An export of all contacts, of bounces or of mixed states is told from a list of opt-outs by its columns and by the
words in them. A word whose meaning is not known is never taken for an opt-out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from .cells import looks_like_address


class Meaning(StrEnum):
    """What a row says of its person."""

    OPTED_OUT = "opted out"
    UNCLEAR = "its columns do not say clearly whether this is an opt-out"
    BOUNCE = "a bounce or a block"
    NO_OPT_OUT = "no opt-out"


def words(*text: str) -> frozenset[str]:
    return frozenset(" ".join(text).split())


#: Names of columns and states are compared by their ASCII letters alone, in lower case.
NOT_A_LETTER = re.compile(r"[^a-z]+")
EMAIL_NAMES = words("email mail emailaddress mailaddress emailadresse emailadress courriel correo correoelectronico")
ADDRESS_NAMES = words("address adresse recipient subscriber contact user username login")
OPPORTUNITY = "opportunity"

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
NO_STATE = re.compile("link|url|token|hash|campaign|^.*id$")

OUT_WORDS = words(
    "unsubscribed unsubscribe unsub unsubscribes optedout optout out blocklisted blacklisted blocked disabled",
    "complained complaint complaints spam spamcomplaint spamreport abuse manualsuppression suppressed muted revoked",
    "withdrawn donotcontact donotemail",
)
IN_WORDS = words(
    "subscribed subscribe active enabled confirmed unconfirmed pending neversubscribed nonsubscribed notsubscribed",
    "optedin optin transactional implicit explicit",
)
BOUNCE_WORDS = words(
    "bounced bounce hardbounce softbounce hard soft cleaned invalid undeliverable undelivered dropped deferred",
    "failed permanent transient",
)
YES, NO = words("yes y true t x on"), words("no n false f off none null nil na never")
#: The codes of a mail server (RFC 5321 section 4.2, RFC 3463).
CODE = re.compile(r"[45](?:\d\d|\.\d{1,3}\.\d{1,3})(?![\d.])")


class Columns(NamedTuple):
    """The places of the columns that decide.

    ``known``: whether there is one that says who opted out, or that tells a list of contacts or of bounces.
    """

    address: int
    opportunity: int | None
    out: tuple[int, ...] = ()
    other: tuple[int, ...] = ()
    states: tuple[int, ...] = ()
    bounces: tuple[int, ...] = ()

    @property
    def known(self) -> bool:
        return bool(self.deciding)

    @property
    def deciding(self) -> list[int]:
        return sorted({*self.out, *self.other, *self.states, *self.bounces})

    def meaning(self, cells: Sequence[str]) -> Meaning:
        """What a row says of its person; an opt-out counts, whatever else it says."""
        said = {_flag(cells[place], Meaning.OPTED_OUT, Meaning.NO_OPT_OUT) for place in self.out}
        said |= {_flag(cells[place], Meaning.NO_OPT_OUT, Meaning.UNCLEAR) for place in self.other}
        said |= {_state(cells[place]) for place in self.states}
        said |= {_flag(cells[place], Meaning.BOUNCE, Meaning.NO_OPT_OUT) for place in self.bounces}
        for meaning in Meaning:
            if meaning in said:
                return meaning
        # All of them are blank.
        if self.out or self.other:
            return Meaning.NO_OPT_OUT
        return Meaning.BOUNCE if self.bounces else Meaning.UNCLEAR


def _letters(text: str) -> str:
    return NOT_A_LETTER.sub("", text.lower())


def _word(cell: str) -> Meaning | None:
    word = _letters(cell)
    if word in OUT_WORDS:
        return Meaning.OPTED_OUT
    if word in IN_WORDS:
        return Meaning.NO_OPT_OUT
    return Meaning.BOUNCE if word in BOUNCE_WORDS else None


def _state(cell: str) -> Meaning | None:
    """What a word or a mail server's code says; ``None`` for a blank."""
    cell = cell.strip()
    if not cell:
        return None
    return Meaning.BOUNCE if CODE.match(cell) else _word(cell) or Meaning.UNCLEAR


def _flag(cell: str, yes: Meaning, no: Meaning) -> Meaning | None:
    """What a cell says that holds a yes or a no, a date, a number, a state; ``None`` for a blank or a link."""
    cell = cell.strip()
    if not cell or "://" in cell:
        return None
    word = _letters(cell)
    if cell in ("0", "-") or word in NO:
        return no
    # Where errors stand, any word is one.
    is_yes = word in YES or yes is Meaning.BOUNCE or any(map(str.isdigit, cell))
    return _word(cell) or (yes if is_yes else Meaning.UNCLEAR)


def columns_of(names: Sequence[str], sample: Sequence[Sequence[str]], chosen: str | None = None) -> Columns | None:
    """What the columns of a list mean.

    :param names: of its first line; all empty where it has none.
    :param sample: some of its rows, each as long as ``names``.
    :param chosen: the name of the address column, or its number, as somebody gave it.
    :returns: ``None`` when no column, or more than one, could be that of the address or the opportunity.
    """
    letters = [_letters(name) for name in names]
    address = _address_column(names, letters, sample) if chosen is None else _chosen(names, chosen)
    about = [place for place, name in enumerate(letters) if name == OPPORTUNITY]
    if address is None or len(about) > 1:
        return None
    rest = [place for place in range(len(names)) if place not in (address, *about)]
    out, other, states, bounces = [], [], [], []
    for place in rest:
        name = letters[place]
        if _is_state(name, [row[place] for row in sample]):
            states.append(place)
        elif NO_STATE.search(name) and name not in ("leid", "euid"):
            continue
        elif OUT.search(name):
            out.append(place)
        elif IN.search(name):
            other.append(place)
        elif BOUNCED.search(name):
            bounces.append(place)
    return Columns(address, about[0] if about else None, tuple(out), tuple(other), tuple(states), tuple(bounces))


def _is_state(name: str, cells: Sequence[str]) -> bool:
    # A column "state" may be a part of a postal address, and a "reason" a candidate's own words.
    return STATE.search(name) is not None and (
        name == "status" or any(_state(cell) not in (None, Meaning.UNCLEAR) for cell in cells)
    )


def _chosen(names: Sequence[str], chosen: str) -> int | None:
    wanted = chosen.strip().lower()
    fits = [place for place, name in enumerate(names) if name.strip().lower() == wanted]
    if not fits and chosen.isdecimal() and 1 <= int(chosen) <= len(names):
        return int(chosen) - 1
    return fits[0] if len(fits) == 1 else None


def _address_column(names: Sequence[str], letters: Sequence[str], sample: Sequence[Sequence[str]]) -> int | None:
    """The column that holds addresses and is called by the best name for it."""
    holding = [place for place in range(len(names)) if any(looks_like_address(row[place]) for row in sample)]
    ranks = {place: _rank(letters[place]) for place in holding or range(len(names))}
    best = max(ranks.values(), default=0)
    fits = [place for place, rank in ranks.items() if rank == best]
    return fits[0] if len(fits) == 1 and (holding or best) else None


def _rank(name: str) -> int:
    if name in EMAIL_NAMES:
        return 3
    if "mail" in name:
        return 2
    return 1 if name in ADDRESS_NAMES else 0
