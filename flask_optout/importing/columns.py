"""What the columns of a list mean: which one holds the address, and which ones say who opted out.

An export of all contacts, of bounces or of mixed states is told from a list of opt-outs by its columns and by the
words in them. A word whose meaning is not known is never taken for an opt-out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from ..errors import ListError


class Meaning(StrEnum):
    """What a row says of its person; where cells say different things, the first of these counts."""

    OPTED_OUT = "opted out"
    UNCLEAR = "its columns do not say clearly whether this is an opt-out"
    BOUNCE = "a bounce or a block"
    SUPPRESSED = "suppressed, for whatever reason"
    NO_OPT_OUT = "no opt-out"


#: Those that count as an opt-out.
OPT_OUTS = {Meaning.OPTED_OUT, Meaning.SUPPRESSED}
#: Names of columns and states are compared by their letters alone, without case and accents.
NOT_A_LETTER = re.compile(r"[\W\d_]+")


def _letters(text: str) -> str:
    return NOT_A_LETTER.sub("", unicodedata.normalize("NFKD", text).casefold())


def _word(cell: str) -> str:
    """A cell as words are compared; a number or a mark as it is."""
    return _letters(cell) or cell.strip()


EMAIL_NAMES = re.compile(r"e?mail|e?mailaddress|emailadresse?|courriel|correo(?:electronico)?")
ADDRESS_NAMES = re.compile("address|adresse|recipient|subscriber|contact|user(?:name)?|login")
BEST = 3
OPPORTUNITY = "opportunity"
#: What a cell of an unknown column holds, if that may be an address.
ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@.,]")

#: Parts of names of columns in which a person's opt-out stands, as a date, a reason or a yes.
OUT = re.compile(
    "unsub|optout|optedout|optsout|b(?:lack|lock)list|complain|spam|donot(?:contact|e?mail)|^muted?$|mails?disabled"
    "|withdrawn|revoked|abgemeldet|abmelde|desabonn|desinscri|desuscri|descadastr|^baja|debaja$|fechabaja|disiscri|afgemeld"
    "|解除|停止"
)
SUPPRESSED = re.compile("suppress")
#: Beginnings by which such a name means the opposite.
OPPOSITE = re.compile("^(?:not?|never)(?:unsub|opt|black|block|suppress)|^un(?:black|block|suppress)|resub")
#: Parts of names of columns that only a list of contacts has, or that say who wants mail.
IN = re.compile(
    "subscribed|subscription|optin|optedin|accepts|consent|permission|confirm|memberrating|^leid$|^euid$|signup"
    "|gmtoff|dstoff|lastchanged"
    "|signedup|activated|angemeldet|anmelde|einwillig|abonn|inscri|^iscri|suscri"
)
DOUBTFUL = re.compile("deactivated|deaktiviert")
BOUNCED = re.compile("bounce|^error|smtp|diagnostic|^clean(?:ed|time)")
STATUS = re.compile("status|statut|статус|状态|状態|ステータス|الحالة")
STATE = re.compile("state$|status|reason|^event|type$|disposition|estado|statut|situacao|motivo?$|grund$")
#: Such a column stands in exports of every kind.
NO_STATE = re.compile("link|url|token|hash|secret|unsub.*(?:key|code)$|campaign|score|^(?!(?:le|eu)id$).*id$")
#: What does not come by email has its own opt-out.
OTHER_WAY = re.compile("sms|fax|phone|mobile|whatsapp|call|push|text(?:message|ing)|postal|directmail")
#: In such a column a 1 is a number, "no" is Norway or its language, and "f" is a gender.
NO_ANSWER = re.compile(
    "counts?$|countr|number|total|quantity|^cc$|lang|locale|region|gender|sex|initial|name|note|comment|(?<!al|pa)id$"
)

#: What a state means, in the languages of the pages and some more.
WORDS = {
    word: meaning
    for meaning, words in {
        Meaning.OPTED_OUT: "unsubscribed unsubscribe unsub unsubscribes optedout optout out blocklisted blacklisted"
        " blocked disabled complained complaint complaints spam spamcomplaint spamreport abuse manualsuppression"
        " manuallysuppressed usersuppressed muted revoked withdrawn donotcontact donotemail unsubscribedviama"
        " unsubscribedviaemail unsubscribedviaapi groupunsubscribe markedasspam flaggedasspam contactflaggedasspam"
        " abgemeldet desabonne desabonnee desinscrit desinscrite baja dadodebaja dadadebaja descadastrado desinscrito"
        " disiscritto disiscritta afgemeld uitgeschreven отписан 配信停止 登録解除 解除 退会 退订 已退订 ملغى",
        Meaning.SUPPRESSED: "suppressed suppression",
        Meaning.NO_OPT_OUT: "subscribed subscribe active enabled confirmed unconfirmed pending neversubscribed"
        " nonsubscribed notsubscribed optedin optin transactional implicit explicit express resubscribed resubscribe"
        " groupresubscribe unblocked angemeldet aktiv abonne abonnee inscrit inscrite actif active suscrito suscrita"
        " activo activa inscrito inscrita ativo ativa iscritto iscritta aangemeld подписан 登録 登録済み 配信中 有効"
        " 订阅 已订阅 مشترك نشط",
        Meaning.BOUNCE: "bounced bounce hardbounce softbounce hardbounced softbounced hard soft cleaned invalid"
        " invalidemail undeliverable undelivered dropped deferred failed permanent transient",
    }.items()
    for word in map(_letters, words.split())
}
#: In the languages of the pages, and as Excel writes them in others.
YES, NO = (
    {_word(word) for word in words.split()}
    for words in (
        "✓ ✔ ☑ yes y true t x on checked j s o ja wahr oui vrai sí verdadero sim verdadeiro vero waar tak prawda да"
        " истина はい نعم صحيح",
        "✗ ✘ ☐ no n false f off none null nil na never unchecked nein falsch non faux falso não nee onwaar nie fałsz"
        " нет ложь いいえ لا خطأ",
    )
)
#: A zero, an empty list, and how databases and programs write that there is no date.
ZERO = re.compile(r"-|(?:0001-01-01|1970-01-01|0)[-0\s:.,/TZ+%]*|\[\]|1/1/(?:0001|1970)[\s0:]*", re.IGNORECASE)
#: The codes of a mail server (RFC 5321 section 4.2, RFC 3463), and the words of one.
CODE = re.compile(
    r"[45](?:\d\d|\.\d{1,3}\.\d{1,3})(?![\d.])|.*(?:mail domain|bad domain|not exist|unknown user|user unknown)",
    re.IGNORECASE,
)


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
        word = _word(cell)
        if word in WORDS:
            return WORDS[word]
        if word in NO or ZERO.fullmatch(cell):
            return self.no
        # Where errors stand, any word is one.
        is_yes = word in YES or self is BOUNCES or any(each.isdigit() and each != "0" for each in cell)
        return self.yes if is_yes else Meaning.UNCLEAR


OUTS, INS = Kind(Meaning.OPTED_OUT, Meaning.NO_OPT_OUT), Kind(Meaning.NO_OPT_OUT, Meaning.UNCLEAR)
BOUNCES, STATES = Kind(Meaning.BOUNCE, Meaning.NO_OPT_OUT), Kind(Meaning.UNCLEAR, Meaning.UNCLEAR)
#: What a column is by its name, the first that fits.
KINDS = {
    OPPOSITE: INS,
    OUT: OUTS,
    SUPPRESSED: Kind(Meaning.SUPPRESSED, Meaning.NO_OPT_OUT),
    DOUBTFUL: Kind(Meaning.UNCLEAR, Meaning.NO_OPT_OUT),
    IN: INS,
    BOUNCED: BOUNCES,
}


class Columns(NamedTuple):
    """The places of the columns that count.

    ``deciding``: those that say who opted out, or what else a row is; ``unknown``: the first that may say so in words
    or by a name that are not known.
    """

    address: int
    opportunity: int | None
    deciding: tuple[tuple[int, Kind], ...]
    unknown: int | None

    def meaning(self, cells: Sequence[str]) -> Meaning:
        """What a row says of its person; an opt-out counts, whatever else it says."""
        said = {kind.said(cells[place]) for place, kind in self.deciding}
        blank = Meaning.UNCLEAR if all(kind is STATES for _, kind in self.deciding) else Meaning.NO_OPT_OUT
        return next((meaning for meaning in Meaning if meaning in said), blank)


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
        raise ListError(
            f"It cannot be told whether column {columns.unknown + 1} says who opted out.",
            "A wrong guess would mute other people.",
            "Call it 'unsubscribed' if a yes in it is an opt-out, or add --format list if each row is one.",
        )


def _unclear(what: str, option: str) -> ListError:
    return ListError(
        what,
        "Each row must say who wants no invitation to what, and a wrong guess would mute other people.",
        f"Begin the list with a line such as 'email,opportunity', or add an option such as {option}.",
    )


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
    others = [place for place in range(len(names)) if place not in (address, *about)]
    cells = {place: [cell for row in sample if (cell := row[place].strip())] for place in others}
    kinds = {place: _kind(letters[place], cells[place]) for place in others}
    deciding = tuple((place, kind) for place, kind in kinds.items() if kind is not None)
    unknown = next((place for place in others if _may_say(letters[place], cells[place])), None)
    return Columns(address, about[0] if about else None, deciding, unknown)


def _kind(name: str, cells: Sequence[str]) -> Kind | None:
    if OTHER_WAY.search(name):
        return None
    # A column "state" may be a part of a postal address, and a "reason" a candidate's own words.
    known = any(STATES.said(cell) not in (None, Meaning.UNCLEAR) for cell in cells)
    if STATUS.fullmatch(name) or (known and (STATE.search(name) or all(_letters(cell) in WORDS for cell in cells))):
        return STATES
    if NO_STATE.search(name):
        return None
    return next((kind for pattern, kind in KINDS.items() if pattern.search(name)), None)


def _may_say(name: str, cells: Sequence[str]) -> bool:
    """Whether a column that is no known one holds states, or a yes or no of each person."""
    words = set(map(_word, cells))
    return (
        STATUS.search(name) is not None
        or bool(words)
        and words <= {*YES, *NO, "0", "1"}
        and not NO_ANSWER.search(name)
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
    ranks = {place: rank(letters[place]) for place in holding or range(len(letters))}
    best = max(ranks.values(), default=0)
    fits = [place for place, rank in ranks.items() if rank == best]
    return fits[0] if len(fits) == 1 and (holding or best) else None


def rank(name: str) -> int:
    """How well a column of addresses could be called so: ``BEST``, less, or 0."""
    name = _letters(name)
    if EMAIL_NAMES.fullmatch(name):
        return BEST
    return 2 if "mail" in name else int(ADDRESS_NAMES.fullmatch(name) is not None)
