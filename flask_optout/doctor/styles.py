"""Which links of an html part a person can see: lxml parses it, tinycss2 and cssselect2 read its style sheets."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import cssselect2
import lxml.etree
import lxml.html
import tinycss2
import tinycss2.color3
from cssselect2.parser import SelectorError

MOST_RULES = 500
MOST_ELEMENTS = 20_000
#: Sizes in CSS pixels: of the text where nothing says one, and below which nobody can read it.
USUAL_SIZE = 16.0
SMALLEST_SIZE = 4.0
#: An image this small is a tracking pixel.
PIXEL = 2.0
#: Of a page, where nothing says one.
WIDTH = 600.0
#: Whatever is moved so far out of the page is not seen.
FAR_OUT = -400.0
#: Parts of red, green and blue, from 0 to 1, by which text must differ from what is behind it.
SAME_COLOUR = 0.05
UNITS = {"pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "rem": USUAL_SIZE}
NOT_SHOWN = {"head", "style", "script", "template", "title", "noframes", "datalist"}
LINK_COLOUR = (0.0, 0.0, 0.93)
#: Kinds of characters that leave no ink.
EMPTY = ("Cf", "Cc", "Mn", "Zs", "Zl", "Zp")

#: What says in html what a style could say.
ATTRIBUTES = {"bgcolor": "background-color", "color": "color", "width": "width", "height": "height"}

Colour = tuple[float, float, float]
Declarations = dict[str, list[Any]]


@dataclass(frozen=True)
class _Style:
    """How an element looks, and the link that it stands in; ``background`` is ``None`` where it is an image."""

    shown: bool = True
    visible: bool = True
    size: float = USUAL_SIZE
    colour: Colour = (0.0, 0.0, 0.0)
    background: Colour | None = (1.0, 1.0, 1.0)
    link: str | None = None

    def shows(self, text: str | None) -> bool:
        """Whether there is something in a text that can be seen."""
        if not (self.shown and self.visible and self.size >= SMALLEST_SIZE):
            return False
        pairs = zip(self.colour, self.background or (9.0, 9.0, 9.0), strict=True)
        differs = any(abs(one - other) > SAME_COLOUR for one, other in pairs)
        return differs and any(unicodedata.category(c) not in EMPTY for c in text or "")


def visible_links(html: str) -> list[str]:
    """The ``href`` of each link that has a text or a picture to see."""
    try:
        root = lxml.html.document_fromstring(
            html.replace("\x00", "").encode("utf-8", "replace"), parser=lxml.html.HTMLParser(encoding="utf-8")
        )
    except (lxml.etree.LxmlError, ValueError):
        return []
    matcher = _matcher(root)
    styles: dict[Any, _Style] = {}
    found: dict[str | None, None] = {}
    for wrapped in islice(cssselect2.ElementWrapper.from_html_root(root).iter_subtree(), MOST_ELEMENTS):
        element = wrapped.etree_element
        if not isinstance(element.tag, str):
            continue
        above = styles.get(element.getparent(), _Style())
        style = styles[element] = _styled(element, above, _declared(element, matcher.match(wrapped)))
        image = element.tag == "img" and style.shown and style.visible and element.get("src")
        if image or style.shows(element.text):
            found[style.link] = None
        if above.shows(element.tail):  # what stands behind an element's end belongs to its parent
            found[above.link] = None
    return [link for link in found if link]


def _matcher(root: Any) -> Any:
    """The rules of the style sheets; those for a medium, such as a narrow screen, are left out."""
    matcher = cssselect2.Matcher()
    rules = (rule for sheet in root.iter("style") for rule in tinycss2.parse_stylesheet(sheet.text or ""))
    for rule in islice((rule for rule in rules if rule.type == "qualified-rule"), MOST_RULES):
        with suppress(SelectorError):
            for selector in cssselect2.compile_selector_list(rule.prelude):
                if selector.pseudo_element is None:
                    matcher.add_selector(selector, _declarations(rule.content))
    return matcher


def _declarations(block: Any) -> list[Any]:
    return [line for line in tinycss2.parse_blocks_contents(block) if line.type == "declaration"]


def _declared(element: Any, matches: list[Any]) -> Declarations:
    """What counts for an element: its attributes, its rules, its own style, and then whatever is important."""
    said = [line for match in matches for line in match[-1]] + _declarations(element.get("style") or "")
    hints = {name: element.get(attribute) for attribute, name in ATTRIBUTES.items() if element.get(attribute)}
    hints |= {"display": "none"} if element.get("hidden") is not None else {}
    declared = {name: tinycss2.parse_component_value_list(value) for name, value in hints.items()}
    for important in (False, True):
        declared |= {line.lower_name: line.value for line in said if line.important == important}
    return declared


def _styled(element: Any, above: _Style, declared: Declarations) -> _Style:
    if not declared and element.tag not in (*NOT_SHOWN, "a"):
        return above
    word = {name: tinycss2.serialize(value).strip().lower() for name, value in declared.items()}
    size = _length(declared.get("font-size", declared.get("font", [])), above.size, above.size)
    style = replace(above, size=above.size if size is None else size)
    if element.tag in NOT_SHOWN or word.get("display") == "none" or _is_gone(element.tag, declared, style.size):
        return replace(style, shown=False)
    if word.get("visibility") in ("hidden", "collapse", "visible"):
        style = replace(style, visible=word["visibility"] == "visible")
    if element.tag == "a" and element.get("href"):
        style = replace(style, link=element.get("href").strip(), colour=LINK_COLOUR)
    return _coloured(style, declared)


def _is_gone(tag: str, declared: Declarations, size: float) -> bool:
    """Whether an element is see-through, cut down to nothing, moved out of the page, or a tracking pixel."""

    def least(*names: str) -> float:
        lengths = (_length(declared.get(name, []), size, WIDTH) for name in names)
        return min((length for length in lengths if length is not None), default=WIDTH)

    hides = any(token.type == "ident" and token.lower_value == "hidden" for token in declared.get("overflow", ()))
    cut = hides and least("height", "max-height", "width", "max-width") < PIXEL
    moved = least("left", "top", "right", "text-indent", "margin-left", "margin-top") < FAR_OUT
    pixel = tag == "img" and least("height", "width") <= PIXEL
    return cut or moved or pixel or least("opacity") < 0.1


def _length(tokens: list[Any], em: float, whole: float) -> float | None:
    """The first length that is said, in CSS pixels."""
    units = {**UNITS, "em": em, "ex": em, "ch": em, "percentage": whole / 100}
    lengths = (token for token in tokens if token.type in ("dimension", "percentage", "number"))
    return next((token.value * units.get(getattr(token, "lower_unit", token.type), 1.0) for token in lengths), None)


def _coloured(style: _Style, declared: Declarations) -> _Style:
    for name in ("background", "background-color"):
        for token in declared.get(name, ()):
            colour = tinycss2.color3.parse_color(token)
            if token.type in ("url", "function") and colour is None:
                style = replace(style, background=None)
            elif isinstance(colour, tinycss2.color3.RGBA) and colour.alpha > 0.1:
                style = replace(style, background=colour[:3])
    for token in declared.get("color", ()):
        colour = tinycss2.color3.parse_color(token)
        if isinstance(colour, tinycss2.color3.RGBA):
            behind = style.background if colour.alpha < 0.1 else None
            style = replace(style, colour=behind or colour[:3])
    return style
