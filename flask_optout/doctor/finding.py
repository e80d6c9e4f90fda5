"""A finding: what was seen, how bad it is, why it matters here, and how to mend it.

A finding is data: an id, the facts that were seen, and what to paste. The id leads to its severity and its texts in
``texts.toml``. Facts come from DNS, a message or a server, so they are cleaned before they are shown.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ..errors import OptOutError
from ..links.tokens import SHORTEST_TOKEN

#: Characters that one text may have; more would push the mend off the screen.
LONGEST_TEXT = 900
#: Characters that a paste may have: four full strings of a TXT record and what stands around them.
LONGEST_PASTE = 2_000
MOST_DETAILS = 60
TOKEN = re.compile(rf"[a-zA-Z2-7]{{{SHORTEST_TOKEN},}}")
#: Bounded, as a long text without an @ would otherwise be read again from each of its characters.
LOCAL_PART = re.compile(r"""(?:"[^"@]{0,64}"|[\w.!#$%&'*+/=?^`{|}~-]{1,256})@(?=[\w\[])""")
TEXTS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("texts.toml").read_text("utf-8"))


class Severity(StrEnum):
    """How bad it is, worst first: ``fail`` stops invitations or opt-outs, or sends invitations to spam."""

    FAIL = "fail"
    WARN = "warn"
    NOTE = "note"
    UNKNOWN = "unknown"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    ``id`` starts with its group and is stable; ``facts`` fill the places of its texts; ``details`` are lines that
    belong together, such as a tree; ``records`` replaces the text's own paste.
    """

    id: str
    facts: dict[str, str] = field(default_factory=dict)
    details: tuple[str, ...] = ()
    records: str | None = None

    def __post_init__(self) -> None:
        details = self.details[:MOST_DETAILS]
        if len(self.details) > MOST_DETAILS:
            details += (f"… and {len(self.details) - MOST_DETAILS} more lines",)
        object.__setattr__(self, "details", tuple(clean(line) for line in details))

    @property
    def _texts(self) -> dict[str, str]:
        # ".unknown", ".error", ".extra" and the like mean the same behind every name.
        return TEXTS.get(self.id) or TEXTS[self.id.rpartition(".")[2]]

    @property
    def group(self) -> str:
        return self.id.partition(".")[0]

    @property
    def severity(self) -> Severity:
        return Severity(self._texts["severity"])

    @property
    def seen(self) -> str:
        return self._filled("seen")

    @property
    def why(self) -> str:
        return self._filled("why")

    @property
    def mend(self) -> str:
        return self._filled("mend")

    @property
    def source(self) -> str:
        return self._texts.get("source", "")

    @property
    def paste(self) -> str:
        """Records, lines or commands to mend it with; a record keeps its addresses, as it would not work without."""
        text = self.records if self.records is not None else self._texts.get("paste", "").format_map(self.facts)
        # Half a record is worse than none.
        return "\n".join(map(printable, text.split("\n"))) if len(text) <= LONGEST_PASTE else ""

    def _filled(self, name: str) -> str:
        return clean(self._texts.get(name, "").format_map(self.facts))


def tell(id: str, details: tuple[str, ...] = (), records: str | None = None, /, **facts: object) -> Finding:
    """A finding of an id in ``texts.toml``, its details, what to paste in place of the text's own, and its facts."""
    return Finding(id, {name: str(value) for name, value in facts.items()}, details, records)


def unknown(subject: str, what: str, reason: object, mend: str = "Run the doctor again when it answers.") -> Finding:
    """What could not be seen: never fine, and never wrong."""
    return tell(f"{subject}.unknown", what=what, reason=reason, mend=mend)


def of_error(subject: str, error: OptOutError) -> Finding:
    return tell(f"{subject}.error", what=error.what, why=error.why, mend=error.mend)


def clean(text: str) -> str:
    """The text as it may be shown: addresses without what stands before the @, no token, nothing unprintable."""
    shown = LOCAL_PART.sub("…@", TOKEN.sub("…", text))
    if len(shown) > LONGEST_TEXT:
        shown = f"{shown[:LONGEST_TEXT]}… ({len(text)} characters)"
    return printable(shown)


def printable(text: str) -> str:
    """The text without control characters, which could move a terminal's cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def no_extra(part: str, error: ImportError) -> Finding:
    """Something that the extra brings is not installed."""
    return tell(f"{part}.extra", package=error.name)
