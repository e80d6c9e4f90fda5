"""A sample of an invitation: what its receiver says, its headers, its bodies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..links.tokens import ALPHABET
from ..links.urls import TAG
from .case import Case
from .finding import Finding, tell
from .headers import headers


def ours(prefix: str | None) -> Callable[[str], bool]:
    """Tells whether a URL is a candidate's link of this app, for people or for mail programs.

    :param prefix: what such a link starts with, where it is known.
    """
    start = re.escape(prefix) if prefix else r"https?://[^\s<>]{1,400}/"
    link = re.compile(rf"{start}(?:one-click/)?(?:{TAG}/)?{ALPHABET.pattern}", re.IGNORECASE)
    return lambda url: link.match(url) is not None


def message(
    case: Case,
    prefix: str | None,
    missing: str | None = None,
    made_here: Callable[[str], bool] = lambda url: True,
) -> Iterator[Finding]:
    """What is wrong with a sample, as far as it can be seen without DNS.

    :param made_here: tells whether a one-click URL was made with this app's keys.
    :param missing: what is not installed of the extra, which its receiver's verdict and its bodies need.
    """
    if case.unreadable is not None:
        yield tell("message.unreadable", reason=case.unreadable)
        return
    if case.sample is None:
        yield tell("message.none")
        return
    yield from headers(case.sample, ours(prefix), made_here)
    if missing is not None:
        yield tell("message.extra", package=missing)
        return
    from .bodies import bodies
    from .evidence import evidence

    yield from evidence(case.sample)
    yield from bodies(case.sample, ours(prefix))
