"""A sample of an invitation: its headers, its bodies, its signatures."""

from __future__ import annotations

from collections.abc import Iterator

from .bodies import bodies
from .case import Case
from .finding import Finding, Severity
from .headers import headers


def message(case: Case, prefix: str | None) -> Iterator[Finding]:
    """What is wrong with a sample, as far as it can be seen without DNS.

    :param prefix: what a candidate's link starts with, where it is known.
    """
    how = "Send an invitation to yourself, save it with all its headers, and run this."
    command = "flask optout doctor --message invitation.eml"
    if case.unreadable is not None:
        seen = f"The sample cannot be read: {case.unreadable}."
        yield Finding("message.unreadable", Severity.FAIL, seen, "Nothing can be said about it.", how, paste=command)
    elif case.sample is None:
        why = "Only a delivered message shows what mail servers on the way make of headers and signatures."
        yield Finding("message.none", Severity.NOTE, "No sample was given.", why, how, paste=command)
    else:
        yield from headers(case.sample)
        yield from bodies(case.sample, prefix)
