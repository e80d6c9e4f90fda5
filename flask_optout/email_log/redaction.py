"""Take personal links out of what is kept of an invitation: whoever reads the Email Log must hold no link from it.

A link is found by the shape of its token, in any case and in the spellings that HTML, URLs, JSON and mail encodings
give it; the links of the invitation at hand are also found when a line break or a tag cuts them.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterable, Iterator

from ..links.tokens import ALPHABET, SHORTEST_TOKEN

#: What stands where a personal link stood.
SLOT = "[personal link]"

_HEX = r"(?:3[2-7]|[46][1-9a-f]|[57][0-9a])"
_DECIMAL = r"(?:5[0-5]|6[5-9]|[78]\d|90|9[7-9]|1[01]\d|12[0-2])"
#: One character of a token: as it is, or as %61, %2561, =61, \u0061, \x61, &#x61; or &#97;.
_CHARACTER = rf"(?:[a-z2-7]|(?:%(?:25)*|=|\\u00|\\x){_HEX}|&(?:amp;)*\#x0*{_HEX};?|&(?:amp;)*\#0*{_DECIMAL};?)"
#: What a reader's program drops from the middle of a word.
_INVISIBLE = r"(?:[\u00ad\u200b-\u200d\u2060\ufeff]|</?wbr/?>|&(?:shy|zwnj|zwj|\#8203|\#173|\#xad|\#x200b);)"
TOKEN = re.compile(
    rf"(?<![a-z2-7]){_CHARACTER}(?:{_INVISIBLE}*+{_CHARACTER}){{{SHORTEST_TOKEN - 1},}}+", re.IGNORECASE
)
#: No token is shorter, and most words are: they are passed over without a closer look.
LONG_WORD = re.compile(rf"(?<!\S)\S{{{SHORTEST_TOKEN},}}+")
#: A token inside base64, as click counters pack their targets: 8 characters hold 6 of it.
PACKED = re.compile(rf"[a-z0-9+/_-]{{{SHORTEST_TOKEN * 8 // 6},}}+={{0,2}}", re.IGNORECASE)
SCHEME = re.compile(r"https?(?::|%(?:25)*3a|&(?:amp;)*(?:\#58|\#x3a|colon);?)", re.IGNORECASE)
_END = r"\s\"'<>()\[\]{}"
BEFORE = re.compile(rf"[^{_END}]*\Z")
AFTER = re.compile(rf"[^{_END}]*?(?=[.,;:!?]*(?:[{_END}]|&(?:quot|apos|[gl]t|\#0*3[49]|\#x2[27]);|\Z))")
#: How far back a link may start: no longer one is made or mailed.
FARTHEST = 2_000
#: What may cut a link without making it unreadable to a person.
GAP = r"(?:<[^<>]{0,40}>|[^a-z2-7]){0,8}+"
TAG = re.compile(r"<[^<>]{0,40}>")
LETTERS = re.compile(r"[a-z2-7]+")


def redact(text: str, personal: Iterable[str] = ()) -> str:
    """The text with a slot in place of every personal link, and of every word that could be one's token.

    :param personal: the links of the invitation at hand, found even where they are cut.
    """
    text = _replace(text, _tokens)
    text = _replace(text, _packed)
    letters = "".join(LETTERS.findall(TAG.sub("", text.lower())))
    for token in (token for link in personal for token in ALPHABET.findall(link)):
        if token in letters:
            text = _replace(text, re.compile(GAP.join(token), re.IGNORECASE).finditer)
    return text


def restore(text: str, link: str) -> str:
    """The text with ``link`` in every slot."""
    return text.replace(SLOT, link)


class LinkFilter(logging.Filter):
    """Takes personal links out of log lines, such as an access log's, which name every URL that was opened."""

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        redacted = redact(line)
        if redacted != line:
            record.msg, record.args = redacted, ()
        return True


def _replace(text: str, find: Callable[[str], Iterator[re.Match[str]]]) -> str:
    kept: list[str] = []
    done = 0
    for match in find(text):
        if match.start() < done:
            continue
        start, end = _whole_link(text, match)
        kept += text[done : max(done, start)], SLOT
        done = end
    return "".join(kept) + text[done:] if kept else text


def _whole_link(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Where the URL around a token starts and ends; without one, where the token does."""
    before = BEFORE.search(text, max(0, match.start() - FARTHEST), match.start())
    scheme = None if before is None else SCHEME.search(text, before.start(), match.start())
    if scheme is None:
        return match.span()
    after = AFTER.match(text, match.end())
    return scheme.start(), match.end() if after is None else after.end()


def _tokens(text: str) -> Iterator[re.Match[str]]:
    for word in LONG_WORD.finditer(text):
        yield from TOKEN.finditer(text, *word.span())


def _packed(text: str) -> Iterator[re.Match[str]]:
    for match in PACKED.finditer(text):
        run = match[0].translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
        # The target may start at any character, so all four ways to cut the run are read.
        for cut in range(4):
            part = run[cut:]
            if TOKEN.search(base64.b64decode(part[: len(part) // 4 * 4]).decode("latin-1")):
                yield match
                break
