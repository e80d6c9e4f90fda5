"""DKIM (RFC 6376, 8301, 8463): the keys under the selectors, and whether a sample's signatures hold, by dkimpy."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Iterator

import dkim
from dkim.crypto import UnparsableKeyError, parse_public_key

from .finding import Finding, Severity, ok, tag_list, unknown
from .resolver import Resolver, Unsure

WHY = "Without a signature that holds, mail programs show no opt-out button, and invitations go to spam."
SHORTEST_KEY = 1024
GOOD_KEY = 2048
#: dkimpy reads blanks again from each blank, so what has many of them would take it hours.
LONGEST_SIGNATURE = 3_000
BLANKS_IN_HEAD = re.compile(rb"\s{100}")
BLANKS_IN_BODY = re.compile(rb"[ \t]{200}")
MOST_SIGNATURES = 5
NEW_KEY = "Make a new key, publish it in a record of this form under a new selector, then sign with dkim.pem."
COMMAND = "openssl genrsa -out dkim.pem 2048; openssl rsa -in dkim.pem -pubout -outform DER | base64 -w0"
PAGE = "https://support.google.com/a/answer/81126"


def keys(resolver: Resolver, selectors: list[tuple[str, str]]) -> Iterator[Finding]:
    """What is wrong with the key records.

    :param selectors: pairs of selector and signing domain.
    """
    if not selectors:
        yield Finding(
            "domain.dkim.selector",
            Severity.WARN,
            "Could not tell whether DKIM keys are right: no selector is known, and DNS cannot list them.",
            WHY,
            "Name the selectors (s= in your signatures), or give a delivered sample with --message.",
            "RFC 6376 section 3.6.2.1",
            paste='OPTOUT_DKIM_SELECTORS = ["(selector)"]',
        )
    kinds = set()
    for selector, domain in selectors:
        name = f"{selector}._domainkey.{domain}"
        try:
            records = resolver.texts(name)
        except Unsure as trouble:
            yield unknown("domain.dkim.key", f"which DKIM key {name} holds", str(trouble))
            kinds.add("unknown")
            continue
        if records:
            kinds.add(tag_list(records[0]).get("k", "rsa").lower())
        yield from _key(name, records)
    if kinds == {"ed25519"}:
        yield Finding(
            "domain.dkim.ed25519",
            Severity.WARN,
            "Every known key is an Ed25519 key.",
            "Many mail servers cannot check such a signature, and take the invitation for unsigned.",
            "Sign with an RSA key of 2048 bits as well.",
            "RFC 8463 section 5",
        )


def _key(name: str, records: list[str]) -> Iterator[Finding]:
    if not records:
        yield _wrong("record", name, "holds no key", "", "RFC 6376 section 3.6.2.2")
        return
    if len(records) > 1:
        mend = "Remove all TXT records at this name but the key."
        yield _wrong("several", name, "holds several records", mend, "RFC 6376 section 3.6.2.2")
        return
    tags = tag_list(records[0])
    section = "RFC 6376 section 3.6.1"
    hashes = [hash.strip().lower() for hash in tags.get("h", "sha256").split(":")]
    services = [service.strip().lower() for service in tags.get("s", "*").split(":")]
    if not re.sub(r"\s", "", tags.get("p", "")):
        what = "is revoked (its p= is empty)" if "p" in tags else "holds no key (it has no p=)"
        yield _wrong("revoked" if "p" in tags else "syntax", name, what, "", section)
    elif tags.get("v", "DKIM1") != "DKIM1":
        yield _wrong("syntax", name, "does not begin with v=DKIM1", "Write v=DKIM1 in front.", section)
    elif "sha256" not in hashes:
        yield _wrong("hash", name, "forbids sha256", "Remove its h= tag.", "RFC 8301 section 3.1")
    elif not {"*", "email"} & set(services):
        yield _wrong("service", name, "is not meant for mail", "Remove its s= tag.", section)
    else:
        yield _strength(name, tags)
    if "y" in tags.get("t", "").lower().split(":"):
        yield Finding(
            "domain.dkim.test",
            Severity.WARN,
            f"The key at {name} is in test mode (t=y).",
            "Mail servers may treat what it signs as unsigned.",
            "Remove t=y from the record.",
            section,
        )


def _strength(name: str, tags: dict[str, str]) -> Finding:
    kind = tags.get("k", "rsa").lower()
    if kind == "ed25519":
        return ok("domain.dkim.key", f"{name} holds an Ed25519 key.")
    bits = _bits(tags["p"]) if kind == "rsa" else None
    if bits is None:
        what = "cannot be read" if kind == "rsa" else f"is of an unknown kind (k={kind})"
        return _wrong("syntax", name, what, "", "RFC 6376 section 3.6.1")
    if bits < SHORTEST_KEY:
        what = f"holds a key of {bits} bits, and mail servers ignore keys below {SHORTEST_KEY}"
        return _wrong("short", name, what, "", f"RFC 8301 section 3.2; {PAGE}")
    if bits < GOOD_KEY:
        return Finding(
            "domain.dkim.short",
            Severity.WARN,
            f"The key at {name} has {bits} bits.",
            "It is at the lower limit, below which mail servers take invitations for unsigned.",
            NEW_KEY,
            f"RFC 8301 section 3.2; {PAGE}",
            paste=_new(name),
        )
    return ok("domain.dkim.key", f"{name} holds an RSA key of {bits} bits.")


def _bits(base64_text: str) -> int | None:
    try:
        der = base64.b64decode(re.sub(r"\s", "", base64_text), validate=True)
        modulus = parse_public_key(der)["modulus"]
        return int(modulus).bit_length()
    except (binascii.Error, UnparsableKeyError, ValueError, TypeError, LookupError):
        return None


def _wrong(end: str, name: str, what: str, mend: str, source: str) -> Finding:
    """A record that does not work; without a ``mend`` it takes a new key."""
    seen = f"The DKIM record {name} {what}."
    if mend:
        return Finding(f"domain.dkim.{end}", Severity.FAIL, seen, WHY, mend, source)
    return Finding(f"domain.dkim.{end}", Severity.FAIL, seen, WHY, NEW_KEY, source, paste=_new(name))


def _new(name: str) -> str:
    return f'{COMMAND}\n{name}. IN TXT "v=DKIM1; k=rsa; p=(what it prints)"'


def signatures(resolver: Resolver, message: bytes, headers: list[str]) -> Iterator[Finding]:
    """Whether the signatures of a message hold.

    :param headers: its DKIM-Signature headers, from the top.
    """
    head, _, body = message.partition(b"\r\n\r\n")
    if BLANKS_IN_HEAD.search(head) or BLANKS_IN_BODY.search(body):
        reason = "hundreds of blanks follow one another in the message"
        yield unknown(
            "message.dkim.valid", "whether a signature holds", reason, "Take them out, and send a new sample."
        )
        return
    for index, header in enumerate(headers[:MOST_SIGNATURES]):
        if len(header) > LONGEST_SIGNATURE:
            yield unknown("message.dkim.valid", "whether a signature holds", "it is too long to be one")
            continue
        tags = tag_list(header)
        who = f"The DKIM signature of {tags.get('d', '(no domain)')} (s={tags.get('s', '')})"
        before = len(resolver.trouble)
        try:
            valid, reason = _holds(resolver, message, index), "the message was changed, or the key is another one"
        except dkim.NaClNotFoundError:
            yield unknown("message.dkim.valid", "whether an Ed25519 signature holds", "PyNaCl is not installed")
            continue
        except (dkim.DKIMException, ValueError, LookupError, TypeError, AttributeError) as error:
            valid, reason = False, str(error)
        if resolver.trouble[before:]:
            yield unknown("message.dkim.valid", "whether a signature holds", resolver.trouble[-1])
        elif valid:
            yield ok("message.dkim.valid", f"{who} holds.")
        else:
            yield Finding(
                "message.dkim.valid",
                Severity.FAIL,
                f"{who} does not hold: {reason}",
                WHY,
                "Sign last, behind everything that changes a message (footers, scanners, mailing lists).",
                "RFC 6376 section 6.1",
            )


def _holds(resolver: Resolver, message: bytes, index: int) -> bool:
    def text(name: bytes, timeout: float) -> bytes | None:
        try:
            records = resolver.texts(name.decode("ascii"))
        except Unsure:
            return None
        return records[0].encode("latin-1") if records else None

    quiet = logging.getLogger(f"{__name__}.quiet")
    quiet.disabled = True
    # Short keys are judged where the key is; here the question is whether the message is as it was signed.
    return bool(dkim.DKIM(message, logger=quiet, minkey=0).verify(index, dnsfunc=text))
