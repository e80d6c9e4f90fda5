"""Which links of an html part a person can see: lxml parses it, tinycss2 and cssselect2 read its style sheets."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
#: Whatever is moved so far out of the page is not seen.
FAR_OUT = -400.0
#: Parts of red, green and blue, from 0 to 1, by which text must differ from what is behind it.
SAME_COLOUR = 0.05
UNITS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "": 1.0}
NOT_SHOWN = {"head", "style", "script", "template", "title", "noframes", "datalist"}
LINK_COLOUR = (0.0, 0.0, 0.93)

Colour = tuple[float, float, float]
Declarations = dict[str, list[Any]]


@dataclass(frozen=True)
class _Style:
    """How an element looks; ``background`` is ``None`` where it is an image."""

    shown: bool = True
    visible: bool = True
    size: float = USUAL_SIZE
    colour: Colour = (0.0, 0.0, 0.0)
    background: Colour | None = (1.0, 1.0, 1.0)

    @property
    def shows_text(self) -> bool:
        if not (self.shown and self.visible and self.size >= SMALLEST_SIZE):
            return False
        pairs = zip(self.colour, self.background or (9.0, 9.0, 9.0), strict=True)
        return any(abs(one - other) > SAME_COLOUR for one, other in pairs)


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
    found: dict[Any, str] = {}
    for number, wrapped in enumerate(cssselect2.ElementWrapper.from_html_root(root).iter_subtree()):
        if number >= MOST_ELEMENTS:
            break
        element = wrapped.etree_element
        if not isinstance(element.tag, str):
            continue
        above = styles.get(element.getparent(), _Style())
        style = styles[element] = _styled(element, above, _declared(element, matcher.match(wrapped)))
        image = element.tag == "img" and style.shown and style.visible and element.get("src")
        seen = element if image or (style.shows_text and _text(element.text)) else None
        # What stands behind an element's end belongs to its parent.
        behind = element.getparent() if above.shows_text and _text(element.tail) else None
        for node in (seen, behind):
            link = None if node is None else next((up for up in (node, *node.iterancestors()) if up.tag == "a"), None)
            if link is not None and link.get("href"):
                found[link] = link.get("href").strip()
    return list(found.values())


def _text(text: str | None) -> bool:
    return any(unicodedata.category(c) not in ("Cf", "Cc", "Mn", "Zs", "Zl", "Zp") for c in text or "")


def _matcher(root: Any) -> Any:
    """The rules of the style sheets; those for a medium, such as a narrow screen, are left out."""
    matcher, count = cssselect2.Matcher(), 0
    for sheet in root.iter("style"):
        for rule in tinycss2.parse_stylesheet(sheet.text or "", skip_comments=True, skip_whitespace=True):
            if rule.type != "qualified-rule" or count >= MOST_RULES:
                continue
            count += 1
            declarations = _declarations(rule.content)
            try:
                selectors = cssselect2.compile_selector_list(rule.prelude)
            except SelectorError:
                continue
            for selector in selectors:
                if selector.pseudo_element is None:
                    matcher.add_selector(selector, declarations)
    return matcher


def _declarations(block: Any) -> list[Any]:
    return [line for line in tinycss2.parse_blocks_contents(block) if line.type == "declaration"]


def _declared(element: Any, matches: list[Any]) -> Declarations:
    """What counts for an element: its attributes, its rules, its own style, and then whatever is important."""
    said = [line for match in matches for line in match[-1]] + _declarations(element.get("style") or "")
    declared = {name: tinycss2.parse_component_value_list(value) for name, value in _attributes(element)}
    for important in (False, True):
        declared |= {line.lower_name: line.value for line in said if line.important == important}
    return declared


def _attributes(element: Any) -> Iterator[tuple[str, str]]:
    if element.get("hidden") is not None:
        yield "display", "none"
    for attribute, name in (("bgcolor", "background-color"), ("width", "width"), ("height", "height")):
        if element.get(attribute):
            yield name, element.get(attribute)
    if element.tag == "font" and element.get("color"):
        yield "color", element.get("color")


def _styled(element: Any, above: _Style, declared: Declarations) -> _Style:
    if not declared and element.tag not in (*NOT_SHOWN, "a"):
        return above
    word = {name: tinycss2.serialize(value).strip().lower() for name, value in declared.items()}
    shorthand = next((part for part in word.get("font", "").split("/")[0].split() if part[:1].isdigit()), "")
    size = _length(word.get("font-size", shorthand), above.size, above.size)
    style = replace(above, size=above.size if size is None else size)
    if element.tag in NOT_SHOWN or word.get("display") == "none" or _is_gone(word, style.size):
        return replace(style, shown=False)
    if element.tag == "img" and any(
        (length := _length(word.get(side, ""), style.size, 600.0)) is not None and length <= PIXEL
        for side in ("width", "height")
    ):
        return replace(style, shown=False)
    if word.get("visibility") in ("hidden", "collapse", "visible"):
        style = replace(style, visible=word["visibility"] == "visible")
    if element.tag == "a" and element.get("href") and "color" not in word:
        style = replace(style, colour=LINK_COLOUR)
    return _coloured(style, declared)


def _is_gone(word: dict[str, str], size: float) -> bool:
    """Whether an element is see-through, cut down to nothing, or moved out of the page."""

    def length(name: str) -> float:
        found = _length(word.get(name, ""), size, 600.0)
        return 600.0 if found is None else found

    opacity = _length(word.get("opacity", ""), 1.0, 1.0)
    cut = (
        "hidden" in word.get("overflow", "") and min(map(length, ("height", "max-height", "width", "max-width"))) < 2
    )
    moved = word.get("position") in ("absolute", "fixed") and min(map(length, ("left", "top", "right"))) < FAR_OUT
    out = min(length("text-indent"), length("margin-left"), length("margin-top")) < FAR_OUT
    clipped = (
        word.get("clip", "").replace(" ", "").startswith(("rect(0,0,0,0", "rect(0px,0px,0px,0px", "rect(1px,1px,1px"))
    )
    return (opacity is not None and opacity < 0.1) or cut or moved or out or clipped


def _length(text: str, em: float, whole: float) -> float | None:
    """A length in CSS pixels; ``None`` when the text says none."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz%")
    unit = text[len(number) :]
    try:
        value = float(number)
    except ValueError:
        return None
    if unit == "%":
        return value / 100 * whole
    if unit in ("em", "ex", "ch"):
        return value * em
    return value * (USUAL_SIZE if unit == "rem" else UNITS.get(unit, 1.0))


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
