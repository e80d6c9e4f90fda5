"""URLs of links: a prefix, the language of the invitation if it was given, and the token."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..addresses import Address
from .tokens import Door, Tokens

#: A language tag (RFC 5646 section 2.1), as far as catalogues are named by it.
TAG = r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,3}"
#: A path behind a door: the language of the invitation, if it was given, and the token.
PATH = re.compile(rf"(?:({TAG})/)?([^/].*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Links:
    """The URLs of one app's doors.

    ``tokens`` gives what mints the tokens; ``prefix`` the URL of a door without its token, ending in a slash;
    ``speaks`` says whether there are translations into a language.
    """

    tokens: Callable[[], Tokens]
    prefix: Callable[[Door], str]
    speaks: Callable[[str], bool]

    def url(self, door: Door, address: Address, opportunity: str, language: str = "") -> str:
        """The URL of one person's link.

        :param language: the tag of the language of its page; one without translations is left out.
        """
        token = self.tokens().mint(door, address, opportunity)
        return self.prefix(door) + joined(language if language and self.speaks(language) else "", token)

    @property
    def host(self) -> str:
        """The host of the links."""
        return urlsplit(self.prefix(Door.LANDING)).hostname or "localhost"


def tag_of(language: object) -> str:
    """A language tag in the spelling that links and catalogues have, or an empty one for what is none."""
    tag = str(language or "").replace("_", "-")
    return tag.lower() if re.fullmatch(TAG, tag, re.IGNORECASE) else ""


def split(path: str) -> tuple[str, str]:
    """The language before a token, or ``""``, and what should be the token."""
    found = PATH.fullmatch(path)
    return ((found[1] or "").lower(), found[2]) if found else ("", path)


def joined(language: str, token: str) -> str:
    """What :func:`split` takes apart."""
    return f"{language}/{token}" if language else token
