"""The bodies of a sample: each must show a link of its own, which is not the one in the header."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from ..links.tokens import ALPHABET
from ..links.urls import TAG
from .finding import Finding, Severity, ok
from .sample import Sample

WHY = "Gmail and Yahoo ask for a clearly visible link in the message itself, and many people never see a button."
PAGE = "https://support.google.com/a/answer/81126"
LONGEST_BODY = 500_000
URL = re.compile(r"https?://[!-;=?-~]{1,1000}")
UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0\s*(;|$)", re.I)
#: Elements without an end tag.
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class _Links(HTMLParser):
    """Gathers what a person can press: the href of each link that has something to see in it."""

    def __init__(self) -> None:
        super().__init__()
        self.visible: list[str] = []
        self._hidden: list[bool] = []
        self._open: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        hidden = "hidden" in attributes or UNSEEN.search(attributes.get("style") or "") is not None
        if tag not in VOID:
            self._hidden.append(hidden or bool(self._hidden and self._hidden[-1]))
        if tag == "a":
            self._open = attributes.get("href")
        elif tag == "img" and not hidden:
            self._see()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and self._hidden:
            self._hidden.pop()
        if tag == "a":
            self._open = None

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._see()

    def _see(self) -> None:
        if self._open and not (self._hidden and self._hidden[-1]):
            self.visible.append(self._open)


def bodies(sample: Sample, prefix: str | None) -> Iterator[Finding]:
    """What is wrong with the links in the text and the html of a sample.

    :param prefix: what a candidate's link starts with, where it is known.
    """
    if not (sample.texts or sample.htmls):
        seen = "The message has neither a text nor an html part."
        yield Finding("message.body", Severity.FAIL, seen, WHY, "Give it a body, an html part, or both.", PAGE)
    start = re.escape(prefix) if prefix else r"https?://[^\s<>]{1,400}/"
    mine = re.compile(rf"{start}(?:{TAG}/)?{ALPHABET.pattern}", re.IGNORECASE)
    shown: list[str] = []
    for kind, parts in (("text", sample.texts), ("html", sample.htmls)):
        if parts:
            links = [link for part in parts for link in _visible(kind, part[:LONGEST_BODY]) if mine.match(link)]
            shown += links
            yield _part(kind, bool(links))
    header = re.findall(r"<(https:[^<>\s]*)>", sample.first("List-Unsubscribe"))
    if set(shown) & set(header):
        yield Finding(
            "message.link.same",
            Severity.FAIL,
            "The link in the body is the one in List-Unsubscribe.",
            "A scanner that posts to the links of a message would opt the candidate out.",
            "Let Flask-OptOut put its links in, or use optout.link(address, opportunity) in the body.",
            "RFC 8058 section 3.1",
        )


def _visible(kind: str, part: str) -> list[str]:
    if kind == "text":
        return URL.findall(part)
    parser = _Links()
    parser.feed(part)
    return parser.visible


def _part(kind: str, has_link: bool) -> Finding:
    if has_link:
        return ok(f"message.link.{kind}", f"The {kind} part shows the candidate's link.")
    return Finding(
        f"message.link.{kind}",
        Severity.FAIL,
        f"The {kind} part shows no link of the candidate's.",
        WHY,
        "Let Flask-OptOut add its footer, or put optout.link(address, opportunity) where people see it; "
        "OPTOUT_BASE_URL must be where the link leads.",
        PAGE,
    )
