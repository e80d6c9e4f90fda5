"""Addresses written in every way a person or a program writes them, read by several parsers and by a mail server."""

from __future__ import annotations

import contextlib
import random
import re
import smtplib
from dataclasses import dataclass
from email.utils import parseaddr
from inspect import signature

import email_validator
import idna

from flask_optout import OptOutError
from tests.support.hosts import Host, Mailbox, say

PEOPLE = ["jane", "bob.smith", "o'neil", "x_1", "kate"]
DOMAINS = ["x.org", "example.com", "straße.de", "sub.example.org"]
#: Whom the app must not invite; everybody else it may.
MUTED = {"jane@x.org", "bob.smith@example.com", "kate@xn--strae-oqa.de", "x_1@sub.example.org"}
NAMES = ["Jane", "Doe, Jane", "jane@x.org", "Müller", "", "a <b>", 'quo"te', "(c)"]
JUNK = ["(c)", " ", "\t", '"', "<", ">", ",", ";", ":", "@", ".", "\\", "\u200b", "\xa0", "=?utf-8?q?x?=", "%", "[1]"]


@dataclass
class Verdicts:
    """How many addresses were generated, and what became of them."""

    generated: int = 0
    refused: int = 0
    dropped: int = 0
    delivered: int = 0
    #: Messages that a mail server took for somebody who is muted.
    muted_mailed: int = 0
    #: Messages that left although another parser reads a muted person's address in what was written.
    read_otherwise: int = 0


def written(dice: random.Random) -> str:
    """One person's address, decorated and now and then damaged."""
    local, domain = dice.choice(PEOPLE), dice.choice(DOMAINS)
    if dice.random() < 0.2:
        local += dice.choice(["+1", "+news.letter", "+"])
    if dice.random() < 0.3:
        local = "".join(dice.choice((c.upper(), c, c)) for c in local)
    if dice.random() < 0.1:
        local = local.translate({ord("k"): "\N{KELVIN SIGN}", ord("a"): "ａ"})
    if dice.random() < 0.2:
        local = f'"{local}"' if dice.random() < 0.7 else '"' + "".join("\\" + c for c in local) + '"'
    if dice.random() < 0.2:
        local, domain = dice.choice([(f"{local}(c)", domain), (local, f"(c){domain}"), (local, f"{domain} (work)")])
    domain = dice.choice((domain, domain, domain.upper(), f"{domain}.", domain.encode("idna").decode()))
    text = f"{local}@{domain}"
    match dice.randrange(6):
        case 0:
            text = f"{dice.choice(NAMES)} <{text}>"
        case 1:
            text = f'"{dice.choice(NAMES)}" <{text}>'
        case 2:
            text = f"{text}{dice.choice([',', ';', ' '])}{dice.choice(PEOPLE)}@x.org"
    while dice.random() < 0.3:
        place = dice.randrange(len(text) + 1)
        text = text[:place] + dice.choice(JUNK) + text[place:]
    return text


def person(address: str) -> str:
    """Whom an address means, worked out without our parser."""
    local, _, domain = address.rpartition("@")
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    with contextlib.suppress(idna.IDNAError):
        domain = idna.encode(domain.rstrip("."), uts46=True).decode()
    return f"{local.partition('+')[0]}@{domain}".lower()


def other_readings(text: str) -> set[str]:
    """Whom the other parsers read in what was written."""
    read = {parseaddr(text)[1]}
    if "strict" in signature(parseaddr).parameters:
        read.add(parseaddr(text, strict=False)[1])  # type: ignore[call-arg,unused-ignore]
    with contextlib.suppress(ValueError):
        read.add(email_validator.validate_email(text, check_deliverability=False).normalized)
    return {person(address) for address in read if "@" in address}


def compare(host: Host, smtp: Mailbox, count: int, seed: int) -> Verdicts:
    """Mute some people, write ``count`` addresses, send to each, and see who got mail."""
    dice, verdicts = random.Random(seed), Verdicts()
    for who in MUTED:
        say(host, True, to=who)
    with host.mail.connect() as connection:
        for _ in range(count):
            text = written(dice)
            verdicts.generated += 1
            smtp.received.clear()
            try:
                connection.send(host.invitation(text, html=None))
            except OptOutError:
                verdicts.refused += 1
                continue
            except smtplib.SMTPException:
                verdicts.refused += 1
                if connection.host is not None:
                    connection.host.rset()
                continue
            if not smtp.received:
                verdicts.dropped += 1
                continue
            verdicts.delivered += 1
            [mail] = smtp.received
            verdicts.muted_mailed += any(person(rcpt) in MUTED for rcpt in mail.rcpt_to)
            verdicts.read_otherwise += bool(other_readings(text) & MUTED)
    return verdicts
