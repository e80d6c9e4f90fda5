"""A finding: what was seen, how bad it is, why it matters here, and what to paste to mend it.

Whatever DNS, a message or a server says is shown on an operator's terminal, so it is cleaned on its way in: no
address, no token, no control character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ..errors import OptOutError
from ..links.tokens import SHORTEST_TOKEN

#: What a mail server may say at most; more of it would push the mend off the screen.
LONGEST_TEXT = 900
MOST_DETAILS = 60
TOKEN = re.compile(rf"[a-zA-Z2-7]{{{SHORTEST_TOKEN},}}")
#: Bounded, as a long text without an @ would otherwise be read again from each of its characters.
LOCAL_PART = re.compile(r"""(?:"[^"@]{0,64}"|[\w.!#$%&'*+/=?^`{|}~-]{1,256})@(?=[\w\[])""")


class Severity(StrEnum):
    """How bad it is: ``fail`` stops invitations or opt-outs from working, or sends invitations to spam."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    ``id`` is stable and starts with its group; ``mend`` says what to do, and ``paste`` holds the records, lines or
    commands to do it with; ``source`` is the RFC's section or the vendor's page that says so; ``details`` are lines
    that belong together, such as a tree.
    """

    id: str
    severity: Severity
    seen: str
    why: str = ""
    mend: str = ""
    source: str = ""
    details: tuple[str, ...] = ()
    paste: str = ""

    def __post_init__(self) -> None:
        for name in ("seen", "why", "mend"):
            object.__setattr__(self, name, clean(getattr(self, name)))
        # Half a record is worse than none.
        paste = self.paste.split("\n") if len(self.paste) <= LONGEST_TEXT else []
        object.__setattr__(self, "paste", "\n".join(clean(line) for line in paste))
        details = self.details[:MOST_DETAILS]
        if len(self.details) > MOST_DETAILS:
            details += (f"… and {len(self.details) - MOST_DETAILS} more lines",)
        object.__setattr__(self, "details", tuple(clean(line) for line in details))

    @property
    def group(self) -> str:
        return self.id.partition(".")[0]


def clean(text: str) -> str:
    """The text as it may be shown: addresses without what stands before the @, no token, nothing unprintable."""
    shown = LOCAL_PART.sub("…@", TOKEN.sub("…", text))
    if len(shown) > LONGEST_TEXT:
        shown = f"{shown[:LONGEST_TEXT]}… ({len(text)} characters)"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def ok(id: str, seen: str, details: tuple[str, ...] = ()) -> Finding:
    return Finding(id, Severity.OK, seen, details=details)


def unknown(id: str, what: str, reason: str, mend: str = "Run the doctor again when it answers.") -> Finding:
    """What could not be seen: never fine, and never wrong."""
    return Finding(
        id, Severity.WARN, f"Could not tell {what}: {reason}", "What could not be seen may be wrong.", mend
    )


def of_error(id: str, error: OptOutError) -> Finding:
    return Finding(id, Severity.FAIL, error.what, error.why, error.mend)


def tag_list(text: str) -> dict[str, str]:
    """The tags of a DKIM signature, a key record or a DMARC record (RFC 6376 section 3.2); of two, the first."""
    tags: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    return tags
