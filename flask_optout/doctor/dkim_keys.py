"""DKIM (RFC 6376, 8301, 8463): the keys under the selectors, and whether a sample's signatures hold, by dkimpy."""

from __future__ import annotations

import base64
import binascii
import logging
import re
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import dkim
from dkim.util import InvalidTagValueList

from .finding import Finding, tell, unknown
from .providers import by_host, by_selector
from .records import flawed, paste_of
from .resolver import Resolver, Unsure
from .sample import tag_list

SHORTEST_KEY = 1024
GOOD_KEY = 2048
#: dkimpy reads blanks again from each blank, so what has many of them would take it hours.
LONGEST_SIGNATURE = 3_000
BLANKS_IN_HEAD = re.compile(rb"\s{100}")
BLANKS_IN_BODY = re.compile(rb"[ \t]{200}")
MOST_SIGNATURES = 5
#: Prints a TXT record in strings that fit DNS.
NEW_KEY = """openssl genrsa -out dkim.pem 2048
(printf '"v=DKIM1; k=rsa; p="'; openssl rsa -in dkim.pem -pubout -outform DER |
  base64 -w 240 | sed 's/.*/ "&"/') | tr -d '\\n'"""
NO_NACL = "PyNaCl is not installed"
#: dkimpy's words for why a signature does not hold, and the ends of the ids that say so.
CAUSES = (("x= value is past", "expired"), ("body hash mismatch", "body"))


class Key(NamedTuple):
    """What a key record holds: a size where it is a key, else the end of an id and what is wrong."""

    kind: str = ""
    bits: int = 0
    wrong: str = ""
    reason: str = ""
    #: The record as it should be, where only its writing is wrong.
    record: str = ""


def read(records: list[str]) -> Key:
    """Read what DNS has for a selector."""
    if len(records) != 1:
        wrong, reason = ("several", "there are several") if records else ("absent", "it is absent")
        return Key(wrong=wrong, reason=reason)
    key = _parsed(records[0])
    if (
        key.wrong == "syntax"
        and (found := flawed(records[0], "dkim1", lambda text: not _parsed(text).wrong))
        and found[1]
    ):
        return Key(wrong="flawed", reason=found[0], record=found[1])
    return key


def _parsed(record: str) -> Key:
    tags = tag_list(record)
    key = re.sub(r"\s", "", tags.get("p", ""))
    kind = tags.get("k", "rsa").lower()
    hashes = [name.strip().lower() for name in tags.get("h", "sha256").split(":")]
    services = {name.strip().lower() for name in tags.get("s", "*").split(":")}
    if "p" in tags and not key:
        return Key(wrong="revoked", reason="it is revoked")
    try:
        raw = base64.b64decode(key, validate=True)
        # The names of kinds may be in capitals (RFC 6376 section 3.6.1), which dkimpy does not take.
        text = re.sub(r"(?i)(^|;)(\s*k\s*=\s*)(rsa|ed25519)\b", lambda k: k[1] + k[2] + k[3].lower(), record)
        _, bits, kind_read, _ = dkim.evaluate_pk("", text.encode())
    except dkim.NaClNotFoundError:
        return Key(kind, 256, "unknown", NO_NACL)
    except (dkim.DKIMException, InvalidTagValueList, binascii.Error, ValueError, LookupError, TypeError) as error:
        return _unread(tags, key, kind, error)
    if (len(raw) == 32) != (kind == "ed25519"):
        return Key(wrong="type", reason=f"k={kind}, but p= holds a key of another type")
    if "sha256" not in hashes:
        return Key(wrong="hash", reason="it forbids sha256")
    if not {"*", "email"} & services:
        return Key(wrong="service", reason="it is not meant for mail")
    return Key(kind_read.decode(), bits)


def _unread(tags: dict[str, str], key: str, kind: str, error: Exception) -> Key:
    size = len(base64.b64decode(key + "=" * (-len(key) % 4))) if re.fullmatch(r"[A-Za-z0-9+/]+=*", key) else 0
    if kind in ("rsa", "ed25519") and size and (size == 32) == (kind == "rsa"):
        return Key(wrong="type", reason=f"k={kind}, but p= holds a key of another type")
    if "p" not in tags:
        return Key(wrong="syntax", reason="it has no p=")
    if tags.get("v", "DKIM1") != "DKIM1":
        return Key(wrong="syntax", reason=f"it begins with v={tags['v']}, and must begin with v=DKIM1")
    if kind not in ("rsa", "ed25519"):
        return Key(wrong="syntax", reason=f"k={kind} is no kind of key")
    return Key(wrong="syntax", reason=f"its p= is no key ({type(error).__name__})" if size else "its p= is no base64")


def _how(resolver: Resolver, selector: str, name: str) -> tuple[str, str]:
    """What makes a new key, and the command to paste: the provider that holds it has a page, else openssl does."""
    try:
        target = next((record.target.to_text() for record in resolver.records(name, "CNAME")), "")
    except Unsure:
        target = ""
    provider = by_host(target) if target else by_selector(selector)
    if provider is not None:
        return f"Publish the record that {provider.name} shows for your domain: {provider.keys}", ""
    return f"Make a new key, publish the line that this prints at {name}, and sign with it.", NEW_KEY


def keys(resolver: Resolver, selectors: list[tuple[str, str]]) -> Iterator[Finding]:
    """What is wrong with the key records.

    :param selectors: pairs of selector and signing domain.
    """
    if not selectors:
        yield tell("domain.dkim.selector")
    kinds = set()
    for selector, domain in selectors:
        name = f"{selector}._domainkey.{domain}"
        try:
            records = resolver.texts(name)
        except Unsure as trouble:
            yield unknown("domain.dkim", f"which DKIM key {name} holds", trouble)
            kinds.add("unknown")
            continue
        key = read(records)
        kinds.add(key.kind)
        yield _said(resolver, selector, name, records, key)
        if records and "y" in tag_list(records[0]).get("t", "").lower().split(":"):
            yield tell("domain.dkim.test", name=name)
    if kinds == {"ed25519"}:
        yield tell("domain.dkim.ed25519")


def _said(resolver: Resolver, selector: str, name: str, records: list[str], key: Key) -> Finding:
    shown = tuple(records)
    if key.wrong == "unknown":
        mend = "Run: pip install 'Flask-OptOut[doctor]'"
        return unknown("domain.dkim", f"whether {name} holds a good Ed25519 key", key.reason, mend)
    if key.wrong == "flawed":
        return tell("domain.dkim.flawed", shown, paste_of(name, key.record), name=name, reason=key.reason)
    if key.wrong or (key.kind == "rsa" and key.bits < GOOD_KEY):
        how, command = _how(resolver, selector, name)
        end = key.wrong or ("short" if key.bits < SHORTEST_KEY else "low")
        details = shown if end in ("syntax", "several", "type", "hash", "service") else ()
        command = "" if end in ("several", "hash", "service") else command
        return tell(f"domain.dkim.{end}", details, command, name=name, reason=key.reason, bits=key.bits, how=how)
    return tell(
        "domain.dkim.key",
        name=name,
        kind="an Ed25519 key" if key.kind == "ed25519" else f"an RSA key of {key.bits} bits",
    )


def signatures(resolver: Resolver, message: bytes, headers: list[str], held: Iterable[str] = ()) -> Iterator[Finding]:
    """Whether the signatures of a message hold.

    :param headers: its DKIM-Signature headers, from the top.
    :param held: signing domains whose signature held when the message arrived, as the receiver says.
    """
    head, _, body = message.partition(b"\r\n\r\n")
    if BLANKS_IN_HEAD.search(head) or BLANKS_IN_BODY.search(body):
        reason = "hundreds of blanks follow one another in the message"
        yield unknown("message.dkim", "whether a signature holds", reason, "Take them out, and send a new sample.")
        return
    for index, header in enumerate(headers[:MOST_SIGNATURES]):
        if len(header) > LONGEST_SIGNATURE:
            yield unknown("message.dkim", "whether a signature holds", "it is too long to be one")
            continue
        tags = tag_list(header)
        domain, selector = tags.get("d", "").lower(), tags.get("s", "")
        facts = {"domain": domain or "(no domain)", "selector": selector}
        try:
            end, reason = _judged(resolver, message, index, tags)
        except Unsure as trouble:
            yield unknown("message.dkim", f"whether the signature of {facts['domain']} holds", trouble)
            continue
        if end != "valid" and domain in held:
            end = "since"
        yield tell(f"message.dkim.{end}", **facts, reason=reason or "a signed header was changed")


def _judged(resolver: Resolver, message: bytes, index: int, tags: dict[str, str]) -> tuple[str, str]:
    """Whether a signature holds, as the end of an id, and why not.

    :raises Unsure: when nobody can tell.
    """
    records = resolver.texts(f"{tags.get('s', '')}._domainkey.{tags.get('d', '')}")
    key = read(records)
    if key.wrong == "unknown":
        raise Unsure(key.reason)
    if key.wrong:
        return "key", key.reason
    if not tags.get("a", "").lower().startswith(key.kind):
        return "type", f"it says a={tags.get('a')}, and the key is an {key.kind} key"
    ends = tags.get("x", "")
    if ends.isascii() and ends.isdigit() and int(ends[:12]) < time.time():
        return "expired", f"x={ends}"
    quiet = logging.getLogger(f"{__name__}.quiet")
    quiet.disabled = True
    try:
        # Short keys are judged where the key is; here the question is whether the message is as it was signed.
        verifier = dkim.DKIM(message, logger=quiet, minkey=0)
        valid = verifier.verify(index, dnsfunc=lambda name, timeout: records[0].encode())
    except (dkim.DKIMException, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = str(error)
        return next((end for words, end in CAUSES if words in reason), "invalid"), reason
    return ("valid", "") if valid else ("header", "")
