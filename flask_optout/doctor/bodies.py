"""The bodies of a sample: each must show a link of its own, which is not the one in the header."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .finding import Finding, tell
from .providers import by_host, place_of, unwrapped
from .sample import Sample
from .styles import visible_links

LONGEST_BODY = 500_000
#: Octets of html behind which Gmail shows a link to the rest.
CLIPPED = 102_000
URL = re.compile(r"https?://[!-;=?-~]{1,2000}")
#: A path of a link that only a machine has written.
LONG_PATH = 40


def bodies(sample: Sample, ours: Callable[[str], bool]) -> Iterator[Finding]:
    """What is wrong with the links in the text and the html of a sample.

    :param ours: tells whether a URL is a candidate's link of this app.
    """
    if not (sample.bodies["text"] or sample.bodies["html"]):
        yield tell("message.body")
    header = re.findall(r"<(https:[^<>\s]*)>", sample.first("List-Unsubscribe"))
    shown: list[str] = []
    for kind, parts in sample.bodies.items():
        read = URL.findall if kind == "text" else visible_links
        links = [link for part in parts for link in read(part[:LONGEST_BODY])]
        plain = [unwrapped(link) for link in links]
        mine = [link for link, _ in plain if ours(link)]
        scanners = sorted({scanner for _, scanner in plain if scanner})
        if scanners:
            yield tell("message.scanner", scanners=scanners, kind=kind)
        if parts:
            yield _shown(kind, links, bool(mine), scanners)
        shown += mine
    size = max((len(part.encode()) for part in sample.bodies["html"]), default=0)
    if size > CLIPPED:
        yield tell("message.clipped", size=size // 1_000)
    if set(shown) & set(header):
        yield tell("message.link.same")


def _shown(kind: str, links: list[str], found: bool, scanners: list[str]) -> Finding:
    name, setting = _tracker(links) or ("", "")
    end = kind if found else "unknown" if scanners else "tracked" if name else "none"
    id = "message.amp.none" if (kind, end) == ("amp", "none") else f"message.link.{end}"
    return tell(id, kind=kind, scanners=scanners, name=name, setting=setting)


def _tracker(links: list[str]) -> tuple[str, str] | None:
    """Whose click tracking the links lead over, and what turns it off."""
    web = [place for place in map(place_of, links) if place.scheme in ("http", "https")]
    for place in web:
        provider = by_host(place.hostname or "", place.path)
        if provider is not None and (place.query or len(place.path) > LONG_PATH):
            return provider.name, provider.setting
    long = all(len(place.path) + len(place.query) > LONG_PATH for place in web)
    return (web[0].netloc, "unknown") if long and len({place.hostname for place in web}) == 1 else None
