"""The bodies of a sample: each must show a link of its own, which is not the one in the header.

lxml parses html, tinycss2 and cssselect2 read its style sheets, so what counts is what a person can see.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote

import cssselect2
import lxml.html
import tinycss2.color4

from .case import Sample
from .finding import KNOWN, Finding, find_provider, is_below, load_data, split_url, tell

URL = re.compile(r"https?://[!-;=?-~]{1,2000}")
#: Characters from which on the path of a provider's link was made by a program; elsewhere it has so long a word, too.
LONG_PATH = 40
MADE = re.compile(r"[A-Za-z0-9_=%~]{25}")
HTML = load_data("html.toml")


def check_bodies(sample: Sample, ours: Callable[[str], bool]) -> Iterator[Finding]:
    """What is wrong with the links in the text and the html of a sample.

    :param ours: tells whether a URL is a candidate's link of this app.
    """
    if not (sample.bodies["text"] or sample.bodies["html"]):
        yield tell("message.body")
    shown: list[str] = []
    for kind, parts in sample.bodies.items():
        read = URL.findall if kind == "text" else find_visible_links
        links = [link for part in parts for link in read(part[:500_000])]
        plain = [unwrap(link) for link in links]
        mine = [link for link, _ in plain if ours(link)]
        scanners = sorted({scanner for _, scanner in plain if scanner})
        if scanners:
            yield tell("message.scanner", scanners=scanners, kind=kind)
        if parts:
            name, setting = _find_tracker(links)
            end = kind if mine else "unknown" if scanners else "tracked" if name else "none"
            id = "message.amp.none" if (kind, end) == ("amp", "none") else f"message.link.{end}"
            yield tell(id, kind=kind, scanners=scanners, name=name, setting=setting)
        shown += mine
    size = max((len(part.encode()) for part in sample.bodies["html"]), default=0)
    if size > 102_000:  # behind them Gmail shows a link to the rest
        yield tell("message.clipped", size=size // 1_000)
    if any(f"<{link}>" in sample.first("List-Unsubscribe") for link in shown):
        yield tell("message.link.same")


def _find_tracker(links: list[str]) -> tuple[str, str]:
    """Whose click tracking the links lead over, and what turns it off; empty where nothing tracks."""
    web = [place for place in map(split_url, links) if place.scheme in ("http", "https")]
    for place in web:
        provider = find_provider(place.hostname or "", place.path)
        if provider is not None and provider["setting"] and (place.query or len(place.path) > LONG_PATH):
            return provider["name"], provider["setting"]
    made = all(MADE.search(place.path + place.query) for place in web)
    return (web[0].netloc, "unknown") if made and len({place.hostname for place in web}) == 1 else ("", "")


def unwrap(link: str) -> tuple[str, str | None]:
    """A link without what a receiver's scanner put in front of it, and the scanner's name."""
    host = split_url(link).hostname or ""
    scanner = next((scanner for scanner in KNOWN["scanner"] if is_below(host, scanner["hosts"])), None)
    if scanner is None:
        return link, None
    # Some quote it, Proofpoint's third version may halve its slashes, its second has escapes of its own.
    found = re.search(r"https?(:|%3A|-3A)((?!_{2,3}[;.])[^&])*", link[8:], re.IGNORECASE)
    if found is None:  # www.google.com is in front of a link only where it holds one
        return link, scanner["name"] if scanner["name"] != "Google" else None
    inner = found[0].replace("-", "%").replace("_", "/") if found[1] == "-3A" else found[0]
    return re.sub("^(https?):/(?!/)", r"\1://", unquote(inner)), scanner["name"]


@dataclass(frozen=True)
class _Style:
    """How an element looks, and the link that it stands in; ``background`` is ``None`` where it is an image."""

    shown: bool = True
    visible: bool = True
    size: float = HTML["size"]
    colour: tuple[float, ...] = (0.0, 0.0, 0.0)
    background: tuple[float, ...] | None = (1.0, 1.0, 1.0)
    link: str | None = None

    def shows(self, text: str | None) -> bool:
        """Whether there is something in a text that can be seen."""
        seen = self.shown and self.visible and self.size >= 4.0
        differs = self.background is None or math.dist(self.colour, self.background) > 0.086
        letters = (c for c in text or "" if unicodedata.category(c)[0] in "LNPS" and c not in HTML["blanks"])
        return seen and differs and any(letters)


def find_visible_links(html: str) -> list[str]:
    """The ``href`` of each link that has a text or a picture to see, and each URL that mail programs make a link."""
    # libxml2 ends a link where a table begins, and a browser does not: a span goes on in both.
    html = re.sub(r"(?i)<a(?=[\s>])", "<span data-link", re.sub("(?i)</a(?=[\\s>])", "</span", html))
    octets = html.replace("\0", "").encode("utf-8", "replace")
    # Without its comments, such as those for Outlook, the text behind them belongs to the element around them.
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        root = lxml.html.document_fromstring(octets, parser=parser)
    except (lxml.etree.LxmlError, ValueError):
        return []
    for link in root.xpath("//span[@data-link]"):
        link.tag = "a"
    matcher = _make_matcher(root)
    styles: dict[Any, _Style] = {}
    found: dict[str | None, None] = {}
    for wrapped in islice(cssselect2.ElementWrapper.from_html_root(root).iter_subtree(), 20_000):
        element = wrapped.etree_element
        above = styles.get(element.getparent(), _Style())
        style = styles[element] = _compute_style(element, above, _merge_declarations(element, matcher.match(wrapped)))
        pictured = element.get("src") or element.get("alt") or element.tag == "area"
        if element.tag in ("img", "area") and style.shown and style.visible and pictured:
            found[style.link] = None
        # What stands behind an element's end belongs to its parent.
        for looks, text in ((style, element.text), (above, element.tail)):
            if looks.shows(text):
                found |= dict.fromkeys([looks.link] if looks.link else URL.findall(text))
    return [link for link in found if link]


def _find_rules(rules: Any) -> Iterator[Any]:
    """The rules of a style sheet; those for a medium, such as a narrow screen, are left out."""
    for rule in rules:
        if rule.type == "qualified-rule":
            yield rule
        elif rule.type == "at-rule" and rule.content and _is_for_all(tinycss2.serialize(rule.prelude)):
            yield from _find_rules(tinycss2.parse_rule_list(rule.content))


def _is_for_all(media: str) -> bool:
    return media.strip().lower() in HTML["media"]


def _make_matcher(root: Any) -> Any:
    matcher = cssselect2.Matcher()
    styles = (style.text or "" for style in root.iter("style") if _is_for_all(style.get("media", "all")))
    sheets = map(tinycss2.parse_stylesheet, [HTML["sheet"], *styles])
    for rule in islice((rule for sheet in sheets for rule in _find_rules(sheet)), 500):
        with suppress(cssselect2.SelectorError):
            for selector in cssselect2.compile_selector_list(rule.prelude):
                if selector.pseudo_element is None:
                    matcher.add_selector(selector, _find_declarations(rule.content))
    return matcher


def _find_declarations(block: Any) -> list[Any]:
    return [line for line in tinycss2.parse_blocks_contents(block) if line.type == "declaration"]


def _merge_declarations(element: Any, matches: list[Any]) -> dict[str, list[Any]]:
    """What counts for an element: its attributes, its rules, its own style, and then whatever is important."""
    attributes = ((name, element.get(attribute)) for attribute, name in HTML["attributes"].items())
    html = "; ".join(f"{name}: {re.sub('^(?=[0-9a-fA-F]{6}$)', '#', value)}" for name, value in attributes if value)
    rules = [line for match in matches for line in match[-1]]
    lines = [*_find_declarations(html), *rules, *_find_declarations(element.get("style") or "")]
    return {line.lower_name: line.value for line in sorted(lines, key=lambda line: bool(line.important))}


def _parse_colour(token: Any) -> tuple[float, ...] | None:
    """Red, green, blue and alpha, where a token is a colour."""
    colour = tinycss2.color4.parse_color(token)
    known = isinstance(colour, tinycss2.color4.Color) and colour.space in ("srgb", "hsl", "hwb")
    return (*colour.to("srgb")[:3], colour.alpha) if known else None


def _compute_style(element: Any, above: _Style, declared: dict[str, list[Any]]) -> _Style:
    if not declared:
        return above
    tokens = {name: [token for token in value if token.type != "comment"] for name, value in declared.items()}
    words = defaultdict(str, {name: tinycss2.serialize(value).strip().lower() for name, value in tokens.items()})

    def length(name: str, whole: float, unsaid: float) -> float:
        """The first length that is said, in CSS pixels."""
        units = {**HTML["units"], **dict.fromkeys(("em", "ex", "ch"), above.size), "percentage": whole / 100}
        lengths = (token for token in tokens.get(name, ()) if token.type in ("dimension", "percentage", "number"))
        values = (token.value * units.get(getattr(token, "lower_unit", token.type), 1.0) for token in lengths)
        return next(values, unsaid)

    cut = element.tag == "img" or any(words[name][:6] in ("hidden", "clip") for name in ("overflow", "overflow-y"))
    least = HTML["least"] | (HTML["least-box"] if cut else {})
    gone = any(length(name, HTML["width"], HTML["width"]) < limit for name, limit in least.items())
    gone = gone or any(re.match(value, words[name]) for name, value in HTML["hiding"].items())
    kept = words["visibility"]
    visible = above.visible if kept in ("", "inherit") else kept not in ("hidden", "collapse")
    font = "font-size" if "font-size" in tokens else "font"
    # A word, or what is calculated, is a size that can be read, whatever stands above it.
    unsaid = above.size if words[font] in ("", "inherit", "smaller", "larger") else HTML["size"]
    size = length(font, above.size, unsaid)
    link = element.get("href").strip() if element.tag in ("a", "area") and element.get("href") else above.link
    background, colour = above.background, above.colour
    for token in (token for name in HTML["backgrounds"] for token in tokens.get(name, ())):
        filled = _parse_colour(token)
        if filled and filled[3] > 0.1:
            background = filled[:3]
        elif not filled and token.type in ("url", "function"):
            background = None
    for filled in filter(None, map(_parse_colour, tokens.get("color", ()))):
        colour = filled[:3] if filled[3] > 0.1 or background is None else background
    return _Style(above.shown and not gone, visible, size, colour, background, link)
