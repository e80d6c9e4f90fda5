"""Which terms of an SPF record spend its look-ups: the tree that an operator cuts branches from.

checkdmarc gives the count and, past the limit, no longer the tree; so the tree is grown here, and only the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .resolver import Resolver, Unsure

#: RFC 7208 section 4.6.4.
MOST_LOOKUPS = 10
#: Deeper or wider trees cannot be honest, and no reader of one is helped by more of it.
DEEPEST = 12
MOST_TERMS = 80
TERM = re.compile(r"[+?~-]?(include|exists|ptr|mx|a)(?=[:/]|$)[:]?([^/]*)|(redirect)=(.*)", re.IGNORECASE)
ALL = re.compile(r"[+?~-]?all", re.IGNORECASE)


@dataclass
class Term:
    """A term that asks DNS, and the terms of the record that it leads to."""

    text: str
    terms: list[Term] = field(default_factory=list)
    remark: str = ""
    own: int = 1

    @property
    def lookups(self) -> int:
        return self.own + sum(term.lookups for term in self.terms)

    def lines(self, prefix: str = "", last: bool = True, root: bool = True) -> Iterator[str]:
        """The tree as lines of text, each with the look-ups that its branch spends."""
        count = f"{self.lookups} look-up{'s' if self.lookups != 1 else ''}"
        branch = "" if root else "└─ " if last else "├─ "
        yield f"{prefix}{branch}{self.text}  {count}{f', {self.remark}' if self.remark else ''}"
        below = "" if root else prefix + ("   " if last else "│  ")
        for term in self.terms:
            yield from term.lines(below, term is self.terms[-1], root=False)


def is_spf(record: str) -> bool:
    """Whether a TXT record is one of SPF: exactly ``v=spf1`` and a space, or nothing else (RFC 7208 section 4.5)."""
    return record.lower() == "v=spf1" or record.lower().startswith("v=spf1 ")


def grow(resolver: Resolver, domain: str, records: list[str]) -> Term:
    """The tree of a domain, all of whose records count: an operator who merges them gets it.

    Every term counts, as for a sender that none of them matches.
    """
    root = Term(domain, own=0)
    _Grower(resolver).add(root, records, (domain.lower(),))
    return root


class _Grower:
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._left = MOST_TERMS

    def add(self, parent: Term, records: list[str], path: tuple[str, ...]) -> None:
        for record in records:
            for text, name, leads in _terms(record):
                if self._left <= 0:
                    parent.remark = "and more that were not followed"
                    return
                self._left -= 1
                term = Term(text)
                parent.terms.append(term)
                if leads:
                    self._follow(term, name, path)

    def _follow(self, term: Term, name: str, path: tuple[str, ...]) -> None:
        if "%" in name:
            term.remark = "depends on the message"
        elif name in path:
            term.remark = "leads back to itself"
        elif len(path) >= DEEPEST:
            term.remark = "too deep to follow"
        else:
            try:
                records = [text for text in self._resolver.texts(name) if is_spf(text)]
            except Unsure:
                term.remark = "could not tell: DNS did not answer"
                return
            term.remark = "has no SPF record" if not records else "has several SPF records" if records[1:] else ""
            self.add(term, records, (*path, name))


def _terms(record: str) -> Iterator[tuple[str, str, bool]]:
    """The terms of a record that ask DNS: their text, the name in it, and whether it leads to another record."""
    words = record.split(" ")[1:]
    end = next((at for at, word in enumerate(words) if ALL.fullmatch(word)), len(words))
    for at, word in enumerate(words):
        match = TERM.fullmatch(word)
        if match is None:
            continue
        if match[3] and end == len(words):  # with an "all" in the record it is ignored (RFC 7208 section 6.1)
            yield word, match[4].lower().rstrip("."), True
        elif match[1] and at < end:  # what stands behind "all" is never tested (section 5.1)
            yield word, match[2].lower().rstrip("."), match[1].lower() == "include"
