"""What is known of others: mail providers, which sign and rewrite, link scanners, spam filters and firewalls."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Provider:
    """One provider, as the head of ``providers.toml`` describes it."""

    name: str
    hosts: Sequence[str]
    paths: Sequence[str]
    selectors: Sequence[str]
    setting: str
    keys: str


_KNOWN = tomllib.loads(Path(__file__).with_name("providers.toml").read_text("utf-8"))
PROVIDERS = [Provider(**table) for table in _KNOWN["provider"]]
#: Pairs of header and regular expression.
SPAM = list(_KNOWN["spam"].items())
#: Whose a firewall's page is, by a header, and by words in it.
CHALLENGES = {kind: dict(table) for kind, table in _KNOWN["challenge"].items()}


def _ends(host: str, ends: Sequence[str]) -> bool:
    return any(host == end or host.endswith(f".{end}") for end in ends)


def by_host(host: str, path: str = "") -> Provider | None:
    """The provider that a host belongs to, or whose links have such a path."""
    host = host.lower().rstrip(".")
    of_host = (provider for provider in PROVIDERS if _ends(host, provider.hosts))
    of_path = (provider for provider in PROVIDERS if path.startswith(tuple(provider.paths)))
    return next(of_host, None) or next(of_path, None)


def by_selector(selector: str) -> Provider | None:
    return next((provider for provider in PROVIDERS if selector in provider.selectors), None)


def place_of(url: str) -> SplitResult:
    """The parts of a URL; empty ones of what is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def unwrapped(link: str) -> tuple[str, str | None]:
    """A link without what a receiver's scanner put in front of it, and the scanner's name."""
    parts = place_of(link)
    host = parts.hostname or ""
    scanner = next((scanner for scanner in _KNOWN["scanner"] if _ends(host, scanner["hosts"])), None)
    if scanner is None:
        return link, None
    if parts.path.startswith("/v3/__"):  # Proofpoint, which may halve the slashes of the scheme
        inner = parts.path.removeprefix("/v3/__").partition("__;")[0]
        return inner if "://" in inner else inner.replace(":/", "://", 1), scanner["name"]
    inner = next(iter(parse_qs(parts.query).get(scanner["field"], [])), "")
    if inner and "://" not in inner:  # Proofpoint's second version has escapes of its own
        inner = unquote(inner.replace("-", "%").replace("_", "/"))
    # www.google.com is in front of a link only where it holds one.
    return (inner or link), (scanner["name"] if inner or scanner["field"] != "q" else None)
