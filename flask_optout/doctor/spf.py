"""SPF (RFC 7208): may the sending host use the bounce domain? pyspf evaluates the record and says what is wrong."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from .finding import KNOWN, Finding, Unsure, tell
from .resolver import Resolver, find_flawed, format_record

with warnings.catch_warnings():
    # Its source has an escape sequence that Python warns of wherever it was installed without being compiled.
    warnings.simplefilter("ignore")
    import spf as pyspf

#: An address that no term names (RFC 1112 section 4), so that every term of a record is looked at.
NOBODY = "240.0.0.1"
#: What a record should say to it.
REFUSED = ("fail", "softfail")
#: Macros for what differs from message to message: the sender's local part and address, and the name in HELO.
OF_A_MESSAGE = re.compile(r"%\{[slh]", re.IGNORECASE)
#: What pyspf takes of a record; of other kinds, its text.
READERS: dict[str, Callable[[Any], Any]] = {
    "MX": lambda record: (record.preference, record.exchange.to_text(omit_final_dot=True)),
    "TXT": lambda record: record.strings,
}


class _Query(pyspf.query):  # type: ignore[misc]
    """A question to SPF, asked through our resolver: pyspf's own way to DNS knows neither deadline nor server.

    ``result`` is in the words of RFC 7208 section 2.6, ``reason`` what is wrong. ``tree`` are the records that were
    led to, each with the look-ups that it took; ``broken`` is the domain whose record is wrong, and that record.
    """

    def __init__(self, resolver: Resolver, strict: bool, question: dict[str, str]) -> None:
        super().__init__(strict=strict, **question)
        self._resolver = resolver
        self.result = self.reason = ""
        self.tree: list[str] = []
        self.broken: tuple[str, str] | None = None

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[Any]:
        read = READERS.get(qtype, lambda record: record.to_text().removesuffix("."))
        found = [read(record) for record in self._resolver.records(str(name), qtype)]
        self.void_lookups += not (found or ignore_void)
        if self.void_lookups > pyspf.MAX_VOID_LOOKUPS:
            self.note_error("Void lookup limit exceeded", str(name))
        return found

    def validated_ptrs(self) -> list[str]:
        """The names of the sender that lead back to it; one that DNS does not tell of is skipped (section 5.5)."""
        found = []
        for name in self.dns_ptr(self.i)[: pyspf.MAX_PTR]:
            with suppress(Unsure):
                found += [name] if self.cidrmatch(self.dns_a(name, self.A), self.cidrmax) else []
        return found

    def check1(self, spf: str, domain: str, recursion: int) -> Any:
        """Evaluate one record, and note how many look-ups it took."""
        place, before = len(self.tree), self.lookups
        try:
            return super().check1(spf, domain, recursion)
        except pyspf.PermError:
            self.broken = self.broken or (domain, str(spf))
            raise
        finally:
            spent = self.lookups - before
            self.tree.insert(place, f"{'  ' * recursion}[{spent}] {domain}: {spf or '(no SPF record)'}")


def evaluate(resolver: Resolver, record: str = "", strict: bool = True, **question: str) -> Any:
    """What SPF says of a sender: a :class:`_Query` (pyspf has no types).

    :param record: a record to try in place of the one in DNS.
    :param strict: stop at the first permanent error, as mail servers do; else go on, to see all that is there.
    :param question: ``i``, ``s`` and ``h``: the sender's address, MAIL FROM or its domain, and the name in HELO.
    :raises Unsure: when DNS does not answer, or pyspf cannot read what it says.
    """
    query = _Query(resolver, strict, question)
    try:
        query.result = str(query.check(spf=record)[0])
    except (ValueError, LookupError, AttributeError, AssertionError, RecursionError) as error:
        raise Unsure(f"the record cannot be evaluated ({type(error).__name__})") from None
    query.reason = str(query.perm_error or "")
    return query


def _evaluate_all(resolver: Resolver, domain: str, record: str = "") -> _Query:
    """What a record says to the sender whom no term names, all of it read in spite of errors."""
    found: _Query = evaluate(resolver, record, i=NOBODY, s=domain, h=domain)
    with suppress(Unsure):
        all_of_it = evaluate(resolver, record, strict=False, i=NOBODY, s=domain, h=domain)
        found.tree, found.lookups = all_of_it.tree, all_of_it.lookups
    return found


def is_spf(record: str) -> bool:
    """Whether a TXT record is one of SPF: exactly ``v=spf1`` and a space, or nothing else (RFC 7208 section 4.5)."""
    return f"{record} ".lower().startswith("v=spf1 ")


def _merge(records: list[str]) -> str:
    """One record with the terms of some; what they redirect to is included, as nothing may stand behind all.

    It ends in ~all, as -all would refuse what one of the records let pass.
    """
    words = (re.sub("(?i)^redirect=", "include:", word) for record in records for word in record.split()[1:])
    terms = [term for term in dict.fromkeys(words) if term.lower().lstrip("+?~-") != "all"]
    return " ".join(["v=spf1", *terms, "~all"])


def check_spf(resolver: Resolver, domain: str, senders: list[str], explicit: bool) -> Iterator[Finding]:
    """What is wrong with the SPF of the domain that bounces go to.

    :param senders: the addresses of the sending host.
    :param explicit: whether the host is known to send, and is not only the one that mail is given to.
    """
    texts = sorted(resolver.texts(domain))
    records = list(filter(is_spf, texts))
    if len(records) > 1:
        yield _tell_several(resolver, domain, records)
        return
    loose, flaws, mended = find_flawed(texts, "spf1", is_spf)
    if loose:
        meant = [*records, *mended]
        paste = _try_record(resolver, domain, _merge(meant) if len(meant) > 1 else meant[0])[0] if all(meant) else ""
        yield tell(f"domain.spf.{'unread' if records else 'flawed'}", loose, paste, domain=domain, reason=flaws)
    elif not records:
        needed = f"v=spf1 {_format_terms(senders)} ~all" if senders and explicit else ""
        yield tell("domain.spf.none", (), format_record(domain, needed, is_spf), domain=domain)
    if not records:
        return
    verdicts = {sender: evaluate(resolver, i=sender, s=domain, h=domain) for sender in senders}
    nobody = _evaluate_all(resolver, domain)
    yield from _check_record(resolver, domain, records[0], nobody, verdicts, explicit)
    for sender, verdict in verdicts.items():
        facts = {"domain": domain, "sender": sender, "result": verdict.result, "reason": verdict.reason}
        if verdict.result == "pass":
            yield tell("domain.spf.sender", **facts)
        elif OF_A_MESSAGE.search(" ".join(verdict.tree)):
            raise Unsure("macro")
        elif (verdict.result, nobody.result) != ("permerror", "permerror"):
            end = "sender.unknown" if not explicit else "broken" if verdict.result == "permerror" else "refused"
            yield tell(f"domain.spf.{end}", **facts, term=_format_terms([sender]))


def _check_record(
    resolver: Resolver, domain: str, record: str, nobody: _Query, said: dict[str, _Query], explicit: bool
) -> Iterator[Finding]:
    """What the record says, whoever sends."""
    whose, broken = nobody.broken or (domain, record)
    facts = {"domain": domain, "whose": whose, "owner": "other" if whose != domain else domain, "record": broken}
    facts |= {"reason": nobody.reason, "lookups": str(nobody.lookups)}
    if nobody.result != "permerror":
        yield tell("domain.spf.record", nobody.tree, **facts)
    else:
        kind = next((kind for kind, words in KNOWN["spf"].items() if re.search(words, nobody.reason)), "syntax")
        kind = "some" if any(verdict.result != "permerror" for verdict in said.values()) else kind
        if kind == "include" and "%{" in nobody.reason and not said:
            raise Unsure("macro")
        needed = f"v=spf1 {_format_terms(list(said))} -all" if kind == "lookups" and said and explicit else ""
        yield tell(f"domain.spf.{kind}", nobody.tree, format_record(f"bounce.{domain}", needed, is_spf), **facts)
    if nobody.result not in (*REFUSED, "permerror"):
        paste = _try_record(resolver, domain, _merge([record]))[0]
        yield tell(f"domain.spf.{'open' if nobody.result == 'pass' else 'all'}", (), paste, **facts)
    if any(re.match(r"(?i)[+?~-]?ptr(:|$)", word) for word in record.split()[1:]):
        yield tell("domain.spf.ptr", **facts)


def _format_terms(senders: list[str]) -> str:
    return " ".join(f"ip{ip_address(sender).version}:{sender}" for sender in senders)


def _try_record(resolver: Resolver, domain: str, record: str) -> tuple[str, _Query | None]:
    """What to paste for a record, and what SPF says of it; nothing where it is an error, or lets everybody pass."""
    with suppress(Unsure):
        query = _evaluate_all(resolver, domain, record)
        return format_record(domain, record, is_spf) if query.result in REFUSED else "", query
    return "", None


def _tell_several(resolver: Resolver, domain: str, records: list[str]) -> Finding:
    paste, query = _try_record(resolver, domain, _merge(records))
    lookups = query.lookups if query else 0
    how = "merged" if paste else "lookups" if lookups > pyspf.MAX_LOOKUP else "choose"
    details = query.tree if query and how == "lookups" else records
    return tell("domain.spf.several", details, paste, domain=domain, count=len(records), lookups=lookups, how=how)
