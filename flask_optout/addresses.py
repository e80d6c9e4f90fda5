"""The only parser of email addresses: it decides who is meant and where the mail goes."""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import quote
from functools import lru_cache

from .errors import AddressError, InvitationError

#: A recipient as mail libraries take it: an address, or a display name and an address.
Recipient = str | tuple[str, str]

ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_ATOM = rf"[{ATEXT.translate({43: None, 63: None})}]+"
#: ASCII addresses, one per line, without "+" (tags) and "?" (encoded words); domains are checked separately.
PLAIN_LINES = re.compile(rf"(?:{_ATOM}(?:\.{_ATOM})*+@[a-zA-Z0-9.-]++(?:\n(?!\Z)|\Z))+", re.ASCII)
DOMAIN = re.compile(r"@(.*)")
#: A local part that needs no quotes, in ASCII (RFC 5322 section 3.2.3) and in any script (RFC 6531 section 3.3).
DOT_ATOM = re.compile(rf"[{ATEXT}]+(?:\.[{ATEXT}]+)*")
DOT_ATOM_INTL = re.compile(rf"[{ATEXT}\u0080-\U0010ffff]+(?:\.[{ATEXT}\u0080-\U0010ffff]+)*")
PLAIN = re.compile(rf"({DOT_ATOM.pattern})@([A-Za-z0-9.-]+)")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
MAILBOX = re.compile(rf'((?:{QUOTED.pattern}|[^<>"()])*)(?:<((?:{QUOTED.pattern}|[^<>"()])*)>\s*)?', re.DOTALL)
#: Characters that a display name may hold only in quotes (RFC 5322 section 3.2.3).
SPECIAL = re.compile(r'[()<>\[\]:;@\\,."]')
#: Control characters except tab, other characters that some program takes for a line end, and lone surrogates,
#: which no charset can encode.
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: An encoded word (RFC 2047 section 2), as the most lenient mail program reads it.
ENCODED_WORD = re.compile(r"=\?([^?]*)\?([bq])\?(.*?)\?=", re.IGNORECASE | re.DOTALL)
#: RFC 5321 section 4.5.3.1.3: a path of 256 octets, less its angle brackets.
LONGEST_ADDRESS = 254
#: RFC 5322 section 2.1.1: the longest line, which must hold a name and its address.
LONGEST = 998


@dataclass(frozen=True, slots=True)
class Address:
    """One person's address, parsed.

    ``deliverable`` is where the mail goes: minimal quoting, the domain as its A-label, the local part's case kept.
    ``canonical`` identifies the person: it is the same for every spelling of one mailbox. ``base`` is
    ``canonical`` without its ``+tag``, or ``None`` if it has no tag. ``name`` is the display name, or ``""``.
    """

    deliverable: str
    canonical: str
    base: str | None = None
    name: str = ""

    @property
    def domain(self) -> str:
        return self.canonical.rpartition("@")[2]

    @property
    def named(self) -> Recipient:
        """The pair of name and deliverable address, or the bare address if there is no name."""
        return (self.name, self.deliverable) if self.name else self.deliverable


def parse(recipient: Recipient) -> Address:
    """Parse one recipient.

    :param recipient: ``jane@example.org``, ``Jane <jane@example.org>`` or ``("Jane", "jane@example.org")``.
    :raises AddressError: when it is not exactly one well-formed address (RFC 5322 section 3.4, RFC 6531).
    """
    given, text = recipient if isinstance(recipient, tuple) and len(recipient) == 2 else ("", recipient)
    if not isinstance(given, str) or not isinstance(text, str):
        raise _malformed("A recipient is neither a string nor a (name, address) pair of strings.")
    if not given and (plain := PLAIN.fullmatch(text)):
        return _build_address(plain[1], plain[2])
    if len(text) > LONGEST:
        raise _malformed("The address is far too long.")
    if has_control(given) or has_control(text):
        raise _malformed("The address holds a control character or a line break.")
    name, spec = _split_name(text)
    if name and text is not recipient:
        raise _malformed("A (name, address) pair has a second name inside the address.")
    local, at, domain = spec.rpartition("@")
    if not at:
        raise _malformed("The address has no @.")
    return _build_address(local.strip(), domain.strip(), given or name)


def _build_address(local: str, domain: str, name: str = "") -> Address:
    host = encode_domain(domain)
    local, key = (local, local.lower()) if DOT_ATOM.fullmatch(local) else _normalize_local_part(local)
    if "=?" in local:
        raise _malformed("The part before the @ looks like an encoded word, which mail libraries decode.")
    if len(local.encode()) + 1 + len(host) > LONGEST_ADDRESS:
        raise _malformed("The address is too long.")
    stem, plus, _ = unquote_local_part(key).partition("+")
    base = f"{_quote_local_part(stem)}@{host}" if plus and stem else None
    return Address(f"{local}@{host}", f"{key}@{host}", base, name)


@lru_cache(maxsize=65_536)
def encode_domain(domain: str) -> str:
    """Return a domain as its lower-case A-label, by UTS 46 non-transitional mapping (RFC 5891)."""
    # Imported late: both are slow to import, and not needed before the first address.
    import email_validator
    import idna

    try:
        if len(domain) > LONGEST_ADDRESS:
            raise ValueError
        mapped = idna.uts46_remap(domain, std3_rules=True, transitional=False).removesuffix(".")
        found = idna.encode(mapped).decode()
        # Check the form alone: email-validator would refuse joiners that RFC 5892 appendix A.1 allows.
        email_validator.validate_email(f"a@{found.replace('xn--', 'xn00')}", check_deliverability=False)
    except ValueError:  # IDNAError is a ValueError
        labels = domain.lower().rstrip(".").split(".")
        if {".".join(labels[start:]) for start in range(len(labels))} & {*email_validator.SPECIAL_USE_DOMAIN_NAMES}:
            raise _malformed("The part after the @ is reserved and takes no mail, as .test and .local are.") from None
        raise _malformed("The part after the @ is not a domain that mail can be sent to.") from None
    return found


def _normalize_local_part(local: str) -> tuple[str, str]:
    """Return a local part in NFC with minimal quotes (RFC 5321 section 4.1.2), and the form that is compared.

    The latter is NFKC in lower case, repeated until it is stable, with one sigma, as both have the same capital.
    casefold() would make "weiß" and "weiss" one person.
    """
    import email_validator

    try:
        checked = email_validator.validate_email(
            f"{local}@example.org", check_deliverability=False, allow_quoted_local=True
        )
    except ValueError:
        raise _malformed("The part before the @ is not valid.") from None
    text, before = unquote_local_part(checked.local_part), None
    while text != before:
        before, lower = text, unicodedata.normalize("NFKC", text).lower()
        text = unicodedata.normalize("NFKC", lower.replace("ς", "σ"))
    return checked.local_part, _quote_local_part(text)


def unquote_local_part(local: str) -> str:
    """Remove quotes and escapes from a local part, if it has any."""
    return re.sub(r"\\(.)", r"\1", local[1:-1], flags=re.DOTALL) if local.startswith('"') else local


def _quote_local_part(local: str) -> str:
    return local if DOT_ATOM_INTL.fullmatch(local) else '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'


def _split_name(text: str) -> tuple[str, str]:
    """Separate a display name from an addr-spec, without comments (RFC 5322 section 3.4).

    email-validator does not support comments, and accepts a name in another script or with a dot only in quotes.
    """
    mailbox = MAILBOX.fullmatch(_strip_comments(text))
    if mailbox is None:
        raise _malformed("The address's brackets or quotes do not match.")
    outside, inside = mailbox[1].strip(), mailbox[2]
    if inside is None:
        return "", outside
    if re.search(r"[@,;:\[\]\\]", QUOTED.sub("quoted", outside)):
        raise _malformed("A display name with a special character is not in quotes.")
    return QUOTED.sub(lambda quoted: unquote_local_part(quoted[0]), outside), inside.strip()


def _strip_comments(text: str) -> str:
    """Remove comments, which may nest (RFC 5322 section 3.2.2); a quote within one has no meaning."""
    kept: list[str] = []
    depth, quoted = 0, False
    for piece in re.findall(r"\\.|.", text, re.DOTALL):  # a quoted pair is one piece
        quoted ^= piece == '"' and not depth
        depth += piece == "(" and not quoted
        if depth == 0:
            kept.append(piece)
        depth -= piece == ")" and not quoted
        if depth < 0:
            break
    if depth != 0:
        raise _malformed("The address's comments do not match.")
    return "".join(kept)


def format_recipient(who: Recipient) -> str:
    """Return a recipient as one readable string, such as ``Jane <jane@example.org>``."""
    name, address = ("", who) if isinstance(who, str) else who
    quoted = f'"{quote(name)}"' if SPECIAL.search(name) else name
    return f"{quoted} <{address}>" if name else address


def has_control(text: str) -> bool:
    """Return whether a header value holds a control character, raw or in encoded words (RFC 2047)."""
    while not CONTROL.search(text):
        decoded = ENCODED_WORD.sub(_decode_word, text) if "=?" in text else text
        if decoded == text:
            return False
        text = decoded
    return True


def unfold(value: object, may_be_folded: bool = True) -> str:
    """Return a header value on one line, unfolded (RFC 5322 section 2.2.3).

    :raises InvitationError: when it is not a string, or holds another control character or a lone surrogate.
    """
    if isinstance(value, str):
        line = re.sub(r"\r?\n(?=[ \t]+\S)", "", value)
        if not has_control(line) and (may_be_folded or line == value):
            return line
    raise InvitationError(
        "A header of an invitation is not a string on one line.",
        "What follows a line break would become a header of its own.",
        "Remove line breaks, control characters and lone surrogates from the subject, the names and the headers.",
    )


def _decode_word(word: re.Match[str]) -> str:
    charset, encoding, text = word.groups()
    raw: bytes = text.encode("ascii", "replace")
    try:
        raw = binascii.a2b_qp(raw, header=True) if encoding in "qQ" else binascii.a2b_base64(raw + b"==")
        return raw.decode(charset.partition("*")[0])  # RFC 2231 section 5: a language may follow
    except (LookupError, ValueError, Warning):
        return raw.decode("latin-1")


def _malformed(what: str) -> AddressError:
    return AddressError(
        what,
        "An invitation goes to one person, so its recipient must be one well-formed address.",
        "Give one address per recipient, such as 'jane@example.org' or ('Jane', 'jane@example.org').",
    )


def parse_plain(recipients: Sequence[Recipient]) -> list[bytes] | None:
    """Return the canonical spellings of many plain addresses in ASCII, as :func:`parse` would, but faster.

    Return ``None`` if one is malformed or not plain: if it is not in ASCII, or has a name, quotes or a tag.
    """
    try:
        text = "\n".join(recipients)  # type: ignore[arg-type]
        if PLAIN_LINES.fullmatch(text) is None:
            return None
        text = text.lower()
        people, domains = text.encode().split(b"\n"), DOMAIN.findall(text)
        fits = len(domains) == len(people) == len(recipients) and max(map(len, people)) <= LONGEST_ADDRESS
        plain = fits and all(encode_domain(domain) == domain for domain in set(domains))
    except (TypeError, AddressError):
        return None
    return people if plain else None
