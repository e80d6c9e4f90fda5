"""DKIM (RFC 6376, 8301, 8463): the keys under the selectors, whether a sample's signatures hold, and what the server
that received it says of it: the best evidence, as it judged what really arrived.

dkimpy verifies, authres reads Authentication-Results and ARC (RFC 8601, RFC 8617). Only the topmost header, and those
by the same server, are believed: whatever stands below can have been written by anybody.
"""

from __future__ import annotations

import base64
import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import authres
import dkim
from dkim.util import InvalidTagValueList, parse_tag_value

from .case import Sample, find_owner, find_server, parse_tags
from .finding import KNOWN, Finding, Unsure, attempt, find_provider, find_provider_by_selector, tell
from .resolver import Resolver, find_flawed, format_record

GOOD, OPEN = KNOWN["results"]["good"], KNOWN["results"]["open"]


class Assessment:
    """What the server that wrote the first of some headers found, and others of the same owner.

    ``results`` has the result of each method, ``held`` the domains whose signature held when it arrived.
    """

    def __init__(self, values: list[str]) -> None:
        self.server: str = find_server(values[0]) if values else ""
        self.results: dict[str, str] = {}
        self.held: set[str] = set()
        # More or longer ones are written only to keep a reader busy.
        for value in (value for value in values[:10] if len(value) < 10_000):
            if find_owner(value) != find_owner(values[0]):
                break
            for result in _parse_results(value):
                method, said = str(result.method).lower(), str(result.result).lower()
                if said in GOOD or method not in self.results:  # of several signatures one that holds is enough
                    self.results[method] = said
                if method == "dkim" and said == "pass":
                    signers = (str(p.value) for p in result.properties if p.type == "header" and p.name in ("d", "i"))
                    self.held |= {signer.rpartition("@")[2].lower() for signer in signers}


def _parse_results(value: str) -> list[authres.AuthenticationResult]:
    """The results of a header, as far as they can be read."""
    found = []
    for part in re.sub(r"\([^()]*\)", " ", value).split(";"):
        with suppress(authres.AuthResError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
            found += authres.AuthenticationResultsHeader.parse(f"Authentication-Results: x; {part}").results
    return found


def assess(sample: Sample) -> tuple[Assessment, Assessment]:
    """What the receiver says, and what the first server said of a sample that was forwarded since."""
    first = sample.sealed[:1] if sample.forwarded else []
    return Assessment(sample.judged), Assessment(first)


def check_receiver(sample: Sample) -> Iterator[Finding]:
    """What the receiver of a sample found wrong with it."""
    for name, pattern in KNOWN["spam"].items():
        value = next((value for value in sample.all(name) if re.match(pattern, value[:500], re.IGNORECASE)), None)
        if value is not None:
            yield tell("message.spam", header=name, value=value[:80])
    last, first = assess(sample)
    results = {"spf": sample.received_spf.get("result", ""), **last.results}
    found = {method: results[method] for method in ("spf", "dkim", "dmarc", "compauth") if results.get(method)}
    if not found:
        yield tell("message.receiver.none")
        return
    wrong = [method for method, result in found.items() if result not in GOOD + OPEN]
    whole = [found[method] for method in ("dmarc", "compauth") if found.get(method, "none") != "none"]
    # The first that applies. Where nobody says what DMARC says, one of SPF and DKIM may be enough.
    ends = [
        (".unknown", any(result in OPEN for result in found.values())),
        ("", not wrong),
        (".forwarded", first.results.get("dmarc") in GOOD and last.results.get("arc") != "fail"),
        (".unknown", sample.passed_on and not first.results),
        (".part", set(whole) <= set(GOOD) if whole else not set(GOOD).isdisjoint(found.values())),
    ]
    end = next((end for end, applies in ends if applies), ".fail")
    said = [f"{method}={result}" for method, result in found.items()]
    facts = {"server": last.server or "the receiver", "said": said, "wrong": wrong, "first": first.server}
    yield tell(f"message.receiver{end}", **facts)


class Key(NamedTuple):
    """What a key record holds: its kind and size, or what is wrong, as the end of an id, and a closer reason."""

    kind: str = ""
    bits: int = 0
    wrong: str = ""
    reason: str | list[str] = ""
    #: The record as it should be.
    record: str = ""


def read_key(records: list[str]) -> Key:
    """Read what DNS has for a selector."""
    if len(records) != 1:
        return Key(wrong="several" if records else "absent")
    key = _parse_key(records[0])
    _, flaws, mended = find_flawed(records if key.wrong == "syntax" else [], "DKIM1", _is_key)
    return Key(wrong="flawed", reason=flaws, record=mended[0]) if any(mended) else key


def _is_key(record: str) -> bool:
    return not _parse_key(record).wrong


def _parse_key(record: str) -> Key:
    try:
        octets = parse_tag_value(record.encode("latin-1"))
        tags = {name.decode("latin-1"): value.decode("latin-1") for name, value in octets.items()}
        if strange := [name for name in tags if not re.fullmatch(r"[a-z]\w*", name)]:
            return Key(wrong="syntax", reason=f"it has unknown tags: {', '.join(strange)}")
        text, kind = re.sub(r"\s", "", tags.get("p", "")), tags.get("k", "rsa").lower()
        if "p" in tags and not text:
            return Key(wrong="revoked")
        size = len(base64.b64decode(text, validate=True))
        if kind in ("rsa", "ed25519") and size and (size == 32) != (kind == "ed25519"):
            return Key(wrong="type", reason=f"k={kind}, but p= holds a key of another type, or in another form")
        # dkimpy takes no kind in capitals, which may be (RFC 6376 section 3.6.1).
        plain = f"v={tags.get('v', 'DKIM1')}; k={kind}; p={text}"
        _, bits, _, _ = dkim.evaluate_pk("", plain.encode())
    except dkim.NaClNotFoundError:
        return Key(kind, 256, "extra", "nacl")
    except InvalidTagValueList as error:
        return Key(wrong="syntax", reason=f"it has a tag twice, or one without an equals sign: {error}")
    except (dkim.DKIMException, ValueError, LookupError, TypeError) as error:
        return Key(wrong="syntax", reason=str(error).partition("(")[0].strip() or "p= is no key")
    serves = {"*", "email"} & _split_words(tags.get("s", "*"))
    wrong = "hash" if "sha256" not in _split_words(tags.get("h", "sha256")) else "" if serves else "service"
    return Key(kind, bits, wrong, record=plain)


def _split_words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(":")}


def check_keys(resolver: Resolver, selectors: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    """What is wrong with the key records.

    :param selectors: pairs of selector and signing domain.
    """
    if not selectors:
        yield tell("domain.dkim.selector")
    found = list(attempt("domain.dkim", *(_check_key(resolver, *pair) for pair in selectors)))
    yield from found
    if {finding.facts.get("kind", "unknown") for finding in found if finding.id != "domain.dkim.test"} == {"ed25519"}:
        yield tell("domain.dkim.ed25519")


def _check_key(resolver: Resolver, selector: str, domain: str) -> Iterator[Finding]:
    name = f"{selector}._domainkey.{domain}"
    records = resolver.texts(name)
    key = read_key(records)
    provider = find_provider_by_selector(selector)
    with suppress(Unsure):
        for record in resolver.records(name, "CNAME"):
            provider = find_provider(record.target.to_text())
    facts = {"name": name, "kind": key.kind, "bits": key.bits, "reason": key.reason or key.wrong}
    facts |= {"provider": provider["name"], "page": provider["keys"]} if provider else {}
    facts |= dict.fromkeys(("how", "command"), "provider" if provider else "own")
    good = key.kind != "rsa" or key.bits >= 2048
    end = key.wrong or ("key" if good else "low" if key.bits >= 1024 else "short")
    paste = format_record(name, key.record, _is_key) if key.wrong == "flawed" else None
    yield tell(f"domain.dkim.{end}", tuple(records) if key.wrong else (), paste, **facts)
    if records and "y" in _split_words(parse_tags(records[0]).get("t", "")):
        yield tell("domain.dkim.test", name=name)


def check_signatures(resolver: Resolver, sample: Sample) -> Iterator[Finding]:
    """Whether the signatures of a sample hold."""
    head, _, body = sample.raw.partition(b"\r\n\r\n")
    # dkimpy reads blanks again from each blank, so what has many of them would take it hours.
    if re.search(rb"\s{100}", head) or re.search(rb"[ \t]{200}", body):
        yield tell("message.dkim.unknown", reason="blanks")
        return
    looks = (_check_signature(resolver, sample, index, tags) for index, tags in enumerate(sample.signatures[:5]))
    yield from attempt("message.dkim", *looks)


def _check_signature(resolver: Resolver, sample: Sample, index: int, tags: dict[str, str]) -> Iterator[Finding]:
    if len(sample.all("DKIM-Signature")[index]) > 3_000:
        raise Unsure("long")
    domain, selector = tags.get("d", "").lower(), tags.get("s", "")
    records = resolver.texts(f"{selector}._domainkey.{domain}")
    end, reason = _judge(records, sample.raw, index, tags)
    arrived = any(domain in assessment.held for assessment in assess(sample))
    end = "since" if end != "valid" and arrived else end
    yield tell(f"message.dkim.{end}", domain=domain or "?", selector=selector, reason=reason)


def _judge(records: list[str], message: bytes, index: int, tags: dict[str, str]) -> tuple[str, str | list[str]]:
    """Whether a signature holds, as the end of an id, and why not.

    :raises Unsure: when nobody can tell.
    """
    key, ends = read_key(records), tags.get("x", "")
    if key.wrong == "extra":
        raise Unsure(key.reason)
    if key.wrong:
        return "key", key.reason or key.wrong
    if not tags.get("a", "").lower().startswith(key.kind):
        return "type", f"it says a={tags.get('a')}, and the key is an {key.kind} key"
    below = tags.get("i", "").rpartition("@")[2].lower() not in ("", tags.get("d", "").lower())
    if below and "s" in _split_words(parse_tags(records[0]).get("t", "")):  # which dkimpy passes over
        return "invalid", "its i= is below its d=, and the t=s of its key forbids that"
    if ends.isascii() and ends.isdigit() and int(ends[:12]) < time.time():  # dkimpy lets ten hours pass
        return "expired", f"x={ends}"
    try:
        # Short keys are judged where the key is; here the question is whether the message is as it was signed.
        verifier = dkim.DKIM(message, logger=logging.Logger("quiet", logging.CRITICAL), minkey=0)
        valid = verifier.verify(index, dnsfunc=lambda name, timeout: key.record.encode())
    except (dkim.DKIMException, ValueError, LookupError, TypeError, AttributeError) as error:
        return "body" if "body hash mismatch" in str(error) else "invalid", str(error)
    return ("valid", "") if valid else ("header", "header")
