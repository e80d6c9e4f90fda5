"""The bodies of a sample: each must show a link of its own, which is not the one in the header."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from .finding import Finding, tell, unknown
from .providers import by_host, unwrapped
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
    if not (sample.texts or sample.htmls):
        yield tell("message.body")
    shown: list[str] = []
    for kind, parts in (("text", sample.texts), ("html", sample.htmls), ("amp", sample.amps)):
        if not parts:
            continue
        read = URL.findall if kind == "text" else visible_links
        links = [link for part in parts for link in read(part[:LONGEST_BODY])]
        plain = {link: unwrapped(link) for link in links}
        mine = [link for link, _ in plain.values() if ours(link)]
        shown += mine
        scanners = sorted({scanner for _, scanner in plain.values() if scanner})
        yield from _part(kind, links, bool(mine), scanners)
    size = max((len(part.encode()) for part in sample.htmls), default=0)
    if size > CLIPPED:
        yield tell("message.clipped", size=size // 1_000)
    header = re.findall(r"<(https:[^<>\s]*)>", sample.first("List-Unsubscribe"))
    if set(shown) & set(header):
        yield tell("message.link.same")


def _part(kind: str, links: list[str], found: bool, scanners: list[str]) -> Iterator[Finding]:
    if scanners:
        yield tell("message.scanner", scanners=" and ".join(scanners), kind=kind)
    tracker = _tracker(links)
    if found:
        yield tell(f"message.link.{kind}")
    elif scanners:
        mend = "Save a sample in a mailbox without such a scanner, or look at the page behind each link."
        yield unknown(
            f"message.link.{kind}", f"whether the {kind} part shows the link", f"{scanners[0]} rewrote it", mend
        )
    elif tracker is not None:
        name, setting = tracker
        yield tell("message.link.tracked", kind=kind, name=name, setting=setting)
    else:
        yield tell("message.amp.none" if kind == "amp" else "message.link.none", kind=kind)


def _tracker(links: list[str]) -> tuple[str, str] | None:
    """Whose click tracking the links lead over, and what turns it off."""
    places = []
    for link in links:
        try:
            places.append(urlsplit(link))
        except ValueError:
            continue
    web = [place for place in places if place.scheme in ("http", "https")]
    for place in web:
        provider = by_host(place.hostname or "", place.path)
        if provider is not None and (place.query or len(place.path) > LONG_PATH):
            return provider.name, provider.setting
    machine = [place for place in web if len(place.path) + len(place.query) > LONG_PATH]
    if len({place.hostname for place in machine}) == 1 and len(machine) == len(web):
        return machine[0].netloc, "Switch click tracking off for this link where mail leaves."
    return None
