"""A mail is no worse for being an invitation: the same message, plain and as invitation, on a real server's wire."""

from __future__ import annotations

import quopri
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flask_optout.addresses import parse
from tests.support.adapters import each_library, each_part
from tests.support.hosts import Host, Mailbox
from tests.support.library import Library, Wanted
from tests.support.written_mail import Wire, on_the_wire, write

pytestmark = pytest.mark.long

#: What an invitation has more than the message, and what is anew in each message.
ADDED = (b"List-Unsubscribe:", b"List-Unsubscribe-Post:", b"List-Id:", b"Auto-Submitted:")
ANEW = (b"Message-ID:", b"Date:")
FOOTER = b"Not Interested?"
ENCODING = b"Content-Transfer-Encoding:"


def compare(
    host: Host,
    smtp: Mailbox,
    library: Library,
    wanted: Wanted,
    change: Callable[[Any], object] = lambda message: None,
) -> str:
    """What became of a message: ``same``, or ``refused`` where the library alone cannot send it either.

    :param change: is made to the message.
    """
    plain, invitation = library.ordinary(host, wanted), library.invitation(host, wanted)
    change(plain)
    change(invitation)
    try:
        library.send_ungated(host, plain)
    except Exception:  # CPython's and the libraries' own faults stay
        return "refused"
    alone = on_the_wire(smtp)
    library.send(host, plain)
    assert without_what_is_new(on_the_wire(smtp)) == without_what_is_new(alone)
    library.send(host, invitation)
    compare_with(alone, on_the_wire(smtp))
    assert alone.recipients == [parse(wanted.to[0]).deliverable]
    return "same"


def without_what_is_new(wire: Wire) -> Wire:
    return replace(wire, fields=[field for field in wire.fields if not field.startswith(ANEW)])


def compare_with(plain: Wire, invitation: Wire) -> None:
    assert invitation.recipients == plain.recipients
    left = [field for field in invitation.fields if not field.startswith((*ADDED, *ANEW, ENCODING, b"Content-Type"))]
    wanted = [field for field in plain.fields if not field.startswith((*ANEW, ENCODING, b"Content-Type"))]
    assert left == wanted
    assert [field.partition(b" ")[0] for field in invitation.fields if field.startswith(ADDED)] == list(ADDED)
    compare_parts(plain, invitation)


def compare_parts(plain: Wire, invitation: Wire) -> None:
    assert len(plain.parts) == len(invitation.parts)
    footers = 0
    for (head, body), (new_head, new_body) in zip(plain.parts, invitation.parts, strict=True):
        if (head, body) == (new_head, new_body):
            continue
        old = decoded(plain, head, body)
        new = decoded(invitation, new_head, new_body)
        start, footer, rest = new.partition(FOOTER)
        assert footer, (old, new)
        before = start[: start.rindex(b"\n<table")] if b"\n<table" in start else start.rstrip(b"\n")
        assert old.startswith(before)
        end = rest.partition(b"</table>\n")[2] if b"</table>\n" in rest else b""
        assert old.rstrip(b"\n").endswith(end.rstrip(b"\n"))
        assert old.rstrip(b"\n") in (
            before.rstrip(b"\n") + b"\n" + end.rstrip(b"\n"),
            before + end.rstrip(b"\n"),
            before,
        )
        footers += 1
    assert footers


def decoded(wire: Wire, head: bytes, body: bytes) -> bytes:
    fields = b"\r\n".join([head] if len(wire.parts) > 1 else wire.fields).lower()
    if b"encoding: base64" in fields:
        body = b64decode(body)
    elif b"encoding: quoted-printable" in fields:
        body = quopri.decodestring(body)
    return body.replace(b"\r\n", b"\n")


@each_part
def test_a_message_keeps_its_parts(library: Library, part: str, host: Host, smtp: Mailbox) -> None:
    assert compare(host, smtp, library, Wanted(), library.parts[part]) == "same"


@each_library
def test_ordinary_mail_without_a_text_leaves_as_the_library_alone_sends_it(
    library: Library, host: Host, smtp: Mailbox
) -> None:
    message, outcomes = library.ordinary(host, Wanted(text=None, html=None)), list[object]()
    for send in (library.send, library.send_ungated):
        try:
            send(host, message)
        except Exception as error:
            outcomes.append(repr(error))
        else:
            outcomes.append(without_what_is_new(on_the_wire(smtp)))
    assert outcomes[0] == outcomes[1]


@each_library
def test_thousands_of_invitations_differ_only_in_what_is_added(library: Library, host: Host, smtp: Mailbox) -> None:
    became = [compare(host, smtp, library, write(seed)) for seed in range(2_000)]
    assert became.count("same") > 1_000
