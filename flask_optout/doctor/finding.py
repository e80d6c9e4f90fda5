"""A finding: what was seen, how bad it is, why it matters here, and how to mend it; and what is known of others.

A check says an id and the facts that it saw; severity and texts stand in ``texts.toml``. Facts come from DNS, a
message or a server, so they are cleaned before they are shown.
"""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..errors import OptOutError
from ..links.tokens import SHORTEST_TOKEN

#: Characters that one text may have; more would push the mend off the screen.
LONGEST_TEXT = 900
MOST_DETAILS = 60
TOKEN = re.compile(rf"[a-zA-Z2-7]{{{SHORTEST_TOKEN},}}")
#: Bounded, as a long text without an @ would otherwise be read again from each of its characters.
LOCAL_PART = re.compile(r"""(?:"[^"@]{0,64}"|[\w.!#$%&'*+/=?^`{|}~-]{1,256})@(?=[\w\[])""")


def load_data(name: str) -> dict[str, Any]:
    """What stands in a TOML file beside this module."""
    return tomllib.loads(Path(__file__).with_name(name).read_text("utf-8"))


TEXTS: dict[str, dict[str, Any]] = load_data("texts.toml")
#: Of providers, scanners, filters, firewalls, servers and browsers; comments in the file say what each table is.
KNOWN = load_data("known.toml")


class Unsure(Exception):
    """Whatever was asked did not answer, so nobody can tell."""


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

    ``id`` starts with its group and is stable. ``paste`` holds records, lines or commands to mend it with; a record
    keeps its addresses, as it would not work without. ``details`` are lines that belong together, such as a tree.
    """

    id: str
    severity: Severity
    seen: str
    why: str
    mend: str
    paste: str
    source: str
    facts: dict[str, str]
    details: tuple[str, ...]

    @property
    def group(self) -> str:
        return self.id.partition(".")[0]


def tell(id: str, details: Sequence[str] = (), records: str | None = None, /, **facts: object) -> Finding:
    """A finding of an id in ``texts.toml``.

    :param records: what to paste in place of the text's own.
    :param facts: what was seen; a list is shown with commas, and a word that the texts know by its text.
    """
    # ".unknown", ".error", ".extra" and the like mean the same behind every name, but for what a name adds.
    texts = TEXTS.get(id.rpartition(".")[2], {}) | TEXTS.get(id, {})
    lists = {name: value if isinstance(value, list | tuple) else [value] for name, value in facts.items()}
    said = {name: ", ".join(map(str, values)) for name, values in lists.items()}

    def worded(name: str, value: str) -> str:
        known = texts.get(name) or TEXTS["words"].get(name)
        return str(known[value]).format_map(said) if isinstance(known, dict) and value in known else value

    shown = {name: ", ".join(worded(name, str(value)) for value in values) for name, values in lists.items()}
    seen, why, mend = (clean(texts.get(name, "").format_map(shown)) for name in ("seen", "why", "mend"))
    paste = texts.get("paste", "").format_map(shown).rstrip() if records is None else records
    # Four full strings of a TXT record fit, with what stands around them; half a record is worse than none.
    paste = "\n".join(map(escape, paste.split("\n"))) if len(paste) <= 2_000 else ""
    more = [f"… and {len(details) - MOST_DETAILS} more lines"] if len(details) > MOST_DETAILS else []
    lines = tuple(map(clean, [*details[:MOST_DETAILS], *more]))
    plain = {name: clean(value) for name, value in said.items()}
    return Finding(id, Severity(texts["severity"]), seen, why, mend, paste, texts.get("source", ""), plain, lines)


def is_below(host: str, ends: Sequence[str]) -> bool:
    """Whether a host has one of some names, or a name below one."""
    return any(host == end or host.endswith(f".{end}") for end in ends)


def find_provider(host: str, path: str = "") -> dict[str, Any] | None:
    """The provider that a host belongs to, or whose links have such a path."""
    host, providers = host.lower().rstrip("."), KNOWN["provider"]
    of_host = (provider for provider in providers if is_below(host, provider["hosts"]))
    of_path = (provider for provider in providers if path.startswith(tuple(provider["paths"])))
    return next(of_host, None) or next(of_path, None)


def split_url(url: str) -> SplitResult:
    """The parts of a URL; empty ones of what is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def find_provider_by_selector(selector: str) -> dict[str, Any] | None:
    """The provider that gives all its customers such a selector."""
    known = (each for each in KNOWN["provider"] if any(fnmatchcase(selector, name) for name in each["selectors"]))
    return next(known, None)


def attempt(id: str, *looks: Iterable[Finding]) -> Iterator[Finding]:
    """What checks of one name find; where one cannot tell, or ends in an error, a finding says so at its end."""
    for look in looks:
        try:
            yield from look
        except Unsure as trouble:
            yield tell(f"{id}.unknown", reason=trouble)
        except ImportError as error:
            yield tell(f"{id}.extra", package=error.name)
        except OptOutError as error:
            yield tell(f"{id}.error", what=error.what, why=error.why, mend=error.mend)
        # Data from outside may be hostile: any error in reading it becomes a finding, and no traceback.
        except Exception as error:
            yield tell(f"{id}.trouble.unknown", reason="trouble", kind=type(error).__name__)


def side_by_side(work: Mapping[str, Iterable[Finding]], seconds: float) -> Iterator[Finding]:
    """What each check finds; if one is late, its last finding says so.

    :param work: the checks by their ids.
    """
    end = time.monotonic() + seconds
    # Each finding is appended as it comes, so that a check that is late has those that it made so far.
    found: dict[str, list[Finding]] = {id: [] for id in work}
    threads = [Thread(target=found[id].extend, args=(attempt(id, look),), daemon=True) for id, look in work.items()]
    for thread in threads:
        thread.start()
    for id, thread in zip(work, threads, strict=True):
        thread.join(max(0.0, end - time.monotonic()))
        late = [tell(f"{id}.time.unknown", reason="time", seconds=f"{seconds:.0f}")] if thread.is_alive() else []
        yield from [*found[id], *late]


def clean(text: str) -> str:
    """The text as it may be shown: addresses without what stands before the @, no token, nothing unprintable."""
    shown = LOCAL_PART.sub("…@", TOKEN.sub("…", text))
    if len(shown) > LONGEST_TEXT:
        shown = f"{shown[:LONGEST_TEXT]}… ({len(text)} characters)"
    return escape(shown)


def escape(text: str) -> str:
    """The text without control characters, which could move a terminal's cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
