"""How the Email Log keeps a text without the personal link in it: cut in pieces where the link stood."""

from __future__ import annotations

import json

#: What is shown where a personal link stood.
SLOT = "[personal link]"


def cut(text: str, link: str) -> str:
    """The pieces of a text, as JSON: cut at the link, and each piece again at the link's token alone.

    The token stands alone where the host has put the link into another URL, such as a click counter's.
    """
    token = link.rpartition("/")[2]
    return json.dumps([piece.split(token) for piece in text.split(link)], ensure_ascii=False)


def filled(pieces: str, link: str) -> str:
    """The text again, with this link where the link stood."""
    token = link.rpartition("/")[2]
    return link.join(token.join(piece) for piece in json.loads(pieces))


def shown(pieces: str) -> str:
    """The text with ``SLOT`` where the link stood."""
    return filled(pieces, SLOT)


def masked(text: str, links: tuple[str, ...]) -> str:
    """A header value, which is not sent again, with ``SLOT`` in place of the links."""
    for link in links:
        text = text.replace(link, SLOT).replace(link.rpartition("/")[2], SLOT)
    return text
