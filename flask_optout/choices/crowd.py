"""Many recipients at once: the canonical address of each, as :func:`parse` has it, for a fraction of its price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..addresses import ATEXT, LONGEST_ADDRESS, Recipient, ascii_domain, parse
from ..errors import AddressError

#: Every character of a plain address in ASCII (RFC 5322 section 3.2.3), and what stands between two addresses here.
PLAIN = ATEXT.replace("A-Z", "").replace("a-z", "").replace("0-9", "").replace("\\", "").encode()
PLAIN += b"abcdefghijklmnopqrstuvwxyz0123456789.@\n"
#: With these in the places of its neighbours, every misplaced dot or @ becomes a double dot.
DOTS = bytes.maketrans(b"@\n", b"..")
#: So few are parsed one by one; a larger part that is not plain is halved, so that one odd address slows few others.
FEW = 32


@dataclass
class Crowd:
    """Some recipients, in their order, up to the first malformed one.

    ``people``: the canonical addresses. ``bases``: those of tagged ones without their tag, by place. ``malformed``:
    why the next one was refused.
    """

    people: list[bytes] = field(default_factory=list)
    bases: dict[int, bytes] = field(default_factory=dict)
    malformed: AddressError | None = None

    def add(self, recipients: Sequence[Recipient]) -> None:
        """Add these recipients."""
        plain = _plain(recipients)
        if plain is not None:
            start = len(self.people)
            self.people += plain
            if b"+" in b"".join(plain):
                for place, person in enumerate(plain, start):
                    if b"+" in person:
                        self._note_base(place, parse(person.decode()).base)
        elif len(recipients) <= FEW:
            self._add_each(recipients)
        else:
            half = len(recipients) // 2
            self.add(recipients[:half])
            if self.malformed is None:
                self.add(recipients[half:])

    def _add_each(self, recipients: Sequence[Recipient]) -> None:
        for recipient in recipients:
            try:
                address = parse(recipient)
            except AddressError as error:
                self.malformed = error
                return
            self._note_base(len(self.people), address.base)
            self.people.append(address.canonical.encode())

    def _note_base(self, place: int, base: str | None) -> None:
        if base is not None:
            self.bases[place] = base.encode()


def _plain(recipients: Sequence[Recipient]) -> list[bytes] | None:
    """The canonical addresses, if each is a bare address in ASCII with a domain that is its own A-label.

    Each test looks at all of them in one call, as a call for each of a million costs more than its digests.
    """
    try:
        text = "\n".join(("", *recipients))  # type: ignore[arg-type]
    except TypeError:
        return None
    if not text.isascii():
        return None
    lower = text.lower().encode()
    if lower.translate(None, PLAIN) or b".." in lower.translate(DOTS):
        return None
    people = lower.split(b"\n")[1:]
    halves = lower.replace(b"@", b"\n@").split(b"\n")
    if len(people) != len(recipients) or len(halves) != 2 * len(people) + 1:
        return None
    if max(map(len, people), default=0) > LONGEST_ADDRESS:
        return None
    return people if all(map(_is_own_label, set(halves[2::2]))) else None


def _is_own_label(domain: bytes) -> bool:
    """Whether this, after its @, is a domain as it stands."""
    name = domain[1:].decode()
    try:
        return domain.startswith(b"@") and ascii_domain(name) == name
    except AddressError:
        return False
