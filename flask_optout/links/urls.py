"""The URLs of the doors: a prefix, the language of the invitation if it was said, and the token."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from urllib.parse import urlsplit

from ..addresses import Address
from ..pages.languages import joined, spoken
from .tokens import Door, Tokens


class Links:
    """The URLs of one app's doors.

    :param prefix: gives the URL of a door without its token, ending in a slash.
    """

    def __init__(self, tokens: Tokens, prefix: Callable[[Door], str]) -> None:
        self._tokens = tokens
        self._prefix = prefix

    def prefix(self, door: Door) -> str:
        """The URL of a door up to its token."""
        return self._prefix(door)

    def url(self, door: Door, address: Address, opportunity: str, language: str = "") -> str:
        """The URL of one person's link.

        :param language: the tag of the language that its page speaks; one for which there are no words is left out.
        """
        token = self._tokens.mint(door, address, opportunity)
        return self._prefix(door) + joined(language if spoken(language) else "", token)

    @cached_property
    def host(self) -> str:
        return urlsplit(self._prefix(Door.LANDING)).hostname or "localhost"
