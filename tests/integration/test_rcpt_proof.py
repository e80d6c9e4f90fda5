"""Whoever is muted gets nothing, however their address is spelled: what goes into RCPT TO is what was checked."""

from __future__ import annotations

import base64
import re
import smtplib
from collections.abc import Callable
from contextlib import suppress
from email.header import decode_header, make_header
from typing import Any

import pytest

from tests.support.adapters import each_library
from tests.support.hosts import Host, Mailbox, say
from tests.support.library import Library, Wanted

pytestmark = pytest.mark.long


def encoded(local: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(local.encode()).decode()}?="


SPELLINGS: dict[str, Callable[[str, str], str]] = {
    "as it is": lambda local, domain: f"{local}@{domain}",
    "capitals": lambda local, domain: f"{local}@{domain}".upper(),
    "quoted": lambda local, domain: f'"{local}"@{domain}',
    "each letter escaped": lambda local, domain: '"' + "".join(f"\\{each}" for each in local) + f'"@{domain}',
    "an encoded word, Q": lambda local, domain: f"=?utf-8?q?{local}?=@{domain}",
    "an encoded word, B": lambda local, domain: f"{encoded(local)}@{domain}",
    "an encoded word in capitals": lambda local, domain: f"=?US-ASCII?Q?{local}?=@{domain}",
    "an encoded word with a language": lambda local, domain: f"=?utf-8*en?q?{local}?=@{domain}",
    "an encoded word in quotes": lambda local, domain: f'"=?utf-8?q?{local}?="@{domain}',
    "an encoded word, escaped": lambda local, domain: f'"\\=\\?utf-8\\?q\\?{local}\\?="@{domain}',
    "half of it encoded": lambda local, domain: f"{local[:2]}=?utf-8?q?{local[2:]}?=@{domain}",
    "behind a name": lambda local, domain: f"Jane Doe <=?utf-8?q?{local}?=@{domain}>",
    "behind an encoded name": lambda local, domain: f"=?utf-8?q?J=C3=A4ne?= <{local}@{domain}>",
    "a comment before": lambda local, domain: f"(c){local}@{domain}",
    "a comment inside": lambda local, domain: f"{local}(c)@(d){domain}",
    "a route": lambda local, domain: f"<@relay.example:{local}@{domain}>",
    "a group": lambda local, domain: f"friends:{local}@{domain};",
    "a list": lambda local, domain: f"{local}@{domain}, nobody@example.com",
    "a dot before": lambda local, domain: f'".{local}"@{domain}',
    "a dot behind": lambda local, domain: f'"{local}."@{domain}',
    "spaces": lambda local, domain: f" {local} @ {domain} ",
    "a dot behind the domain": lambda local, domain: f"{local}@{domain}.",
    "wide letters": lambda local, domain: local.translate({97 + n: 0xFF41 + n for n in range(26)}) + f"@{domain}",
    "a wide domain": lambda local, domain: f"{local}@" + domain.translate({97 + n: 0xFF41 + n for n in range(26)}),
    "two brackets": lambda local, domain: f"<<{local}@{domain}>>",
    "its own name": lambda local, domain: f'"{local}@{domain}" <{local}@{domain}>',
    "a NUL": lambda local, domain: f"{local}\0@{domain}",
    "a percent sign": lambda local, domain: f"{local}%{domain}@{domain}",
}


def mailbox(rcpt: str) -> str:
    """Whose mailbox a lenient mail server puts this into."""
    local, _, domain = re.sub(r"\([^)]*\)", "", rcpt).rpartition("@")
    local = re.sub(r"\\(.)", r"\1", local.strip('"'))
    if "=?" in local:
        local = str(make_header(decode_header(local)))
    return f"{local}@{domain.rstrip('.')}".lower()


def spell(library: Library, host: Host, person: str) -> None:
    """Invite a person by every spelling, alone and behind a name."""
    for spelling in SPELLINGS.values():
        written = spelling(*person.split("@"))
        for to in (written, ("Jane", written)):
            with suppress(ValueError, smtplib.SMTPException):
                library.send(host, library.invitation(host, Wanted([to], html=None)))


@each_library
def test_no_spelling_reaches_the_mailbox_of_a_muted_person(library: Library, host: Host, smtp: Mailbox) -> None:
    muted = {f"jane{number}@example.org" for number in range(20)}
    for person in muted:
        say(host, True, person)
    for person in (*muted, "bob@example.org"):
        spell(library, host, person)
    reached = {mailbox(rcpt) for mail in smtp.received for rcpt in mail.rcpt_to}
    assert muted.isdisjoint(reached) and "bob@example.org" in reached


@each_library
@pytest.mark.parametrize("row", [row for row in SPELLINGS if "encoded word" in row or row == "behind a name"])
def test_an_encoded_word_for_an_address_is_refused(library: Library, row: str, host: Host, smtp: Mailbox) -> None:
    to: Any = SPELLINGS[row]("jane", "example.org")
    with pytest.raises(ValueError):
        library.send(host, library.invitation(host, Wanted([to])))
    assert smtp.received == []
