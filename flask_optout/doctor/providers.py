"""What is known of others: mail providers, which sign and rewrite, link scanners, spam filters and firewalls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from .finding import data

#: Comments in the file say what each table is.
KNOWN = data("known.toml")
PROVIDERS: list[dict[str, Any]] = KNOWN["provider"]


def _ends(host: str, ends: Sequence[str]) -> bool:
    return any(host == end or host.endswith(f".{end}") for end in ends)


def by_host(host: str, path: str = "") -> dict[str, Any] | None:
    """The provider that a host belongs to, or whose links have such a path."""
    host = host.lower().rstrip(".")
    of_host = (provider for provider in PROVIDERS if _ends(host, provider["hosts"]))
    of_path = (provider for provider in PROVIDERS if path.startswith(tuple(provider["paths"])))
    return next(of_host, None) or next(of_path, None)


def by_selector(selector: str) -> dict[str, Any] | None:
    found = (each for each in PROVIDERS if any(fnmatchcase(selector, known) for known in each["selectors"]))
    return next(found, None)


def place_of(url: str) -> SplitResult:
    """The parts of a URL; empty ones of what is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def unwrapped(link: str) -> tuple[str, str | None]:
    """A link without what a receiver's scanner put in front of it, and the scanner's name."""
    host = place_of(link).hostname or ""
    scanner = next((scanner for scanner in KNOWN["scanner"] if _ends(host, scanner["hosts"])), None)
    if scanner is None:
        return link, None
    # Some quote it, Proofpoint's third version may halve its slashes, its second has escapes of its own.
    found = re.search(r"https?(:|%3A|-3A)((?!_{2,3}[;.])[^&])*", link[8:], re.IGNORECASE)
    if found is None:  # www.google.com is in front of a link only where it holds one
        return link, scanner["name"] if scanner["name"] != "Google" else None
    inner = found[0].replace("-", "%").replace("_", "/") if found[1] == "-3A" else found[0]
    return re.sub("^(https?):/(?!/)", r"\1://", unquote(inner)), scanner["name"]
