"""The hosts of a sending domain: MX, reverse names, HELO, block lists, encryption, and the sizes that they take."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any

from checkdmarc import mta_sts
from checkdmarc import smtp_tls_reporting as tls
from checkdmarc.utils import DNSExceptionNXDOMAIN, get_mx_record_set

from .finding import Finding, Unsure, check, tell
from .resolver import Resolver

MOST_ADDRESSES = 4
SECONDS_FOR_SMTP = 5.0
#: Blocks for documentation count as the Internet's: only they tell a test from it.
DOCUMENTED = [ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
#: Answers of block lists that say that they do not answer (such as to a public resolver), and that a name is not of
#: their kind; https://www.spamhaus.org/faqs/dnsbl-usage/.
REFUSED = ip_network("127.255.255.0/24")
NOT_MINE = "127.0.1.255"
#: What asks for the records that say how mail is encrypted, and what reads them.
ENCRYPTION: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "MTA-STS": (mta_sts.query_mta_sts_record, mta_sts.parse_mta_sts_record),
    "TLS-RPT": (tls.query_smtp_tls_reporting_record, tls.parse_smtp_tls_reporting_record),
}
NO_RECORD: tuple[type[Exception], ...] = (Unsure, mta_sts.MTASTSRecordNotFound, tls.SMTPTLSReportingRecordNotFound)


def _takes_mail(id: str) -> Callable[[Resolver, str], Iterator[Finding]]:
    @check(id)
    def look(resolver: Resolver, domain: str) -> Iterator[Finding]:
        hosts, null = [], False
        with suppress(DNSExceptionNXDOMAIN):
            found = resolver.through(get_mx_record_set, domain)
            hosts = [host["hostname"] for host in found["hosts"]][:MOST_ADDRESSES]
            null = found["null_mx"]
        works = not null and any(resolver.addresses(host) for host in hosts or [domain])
        what = "null" if null else "lost" if hosts else "none"
        yield tell(id if works else f"{id}.none", domain=domain, what=what, hosts=hosts or [domain])

    return look


#: Whether a domain takes mail: one that invitations come from, and that of OPTOUT_MAILTO.
mx: Callable[[Resolver, str], Iterator[Finding]] = _takes_mail("domain.mx")
mailto: Callable[[Resolver, str], Iterator[Finding]] = _takes_mail("domain.mailto")


def senders(resolver: Resolver, host: str | None) -> list[str]:
    """The public addresses of the sending host.

    :raises Unsure: when they cannot be told; what it says is a word of the finding ``domain.sender.unknown``.
    """
    if not host:
        raise Unsure("unset")
    try:
        found = [str(ip_address(host))]
    except ValueError:
        found = resolver.addresses(host)
    public = [ip for ip in map(ip_address, found) if ip.is_global or any(ip in block for block in DOCUMENTED)]
    if not public:
        raise Unsure("inside" if found else "lost")
    return [str(ip) for ip in public[:MOST_ADDRESSES]]


@check("domain.ptr")
def ptr(resolver: Resolver, address: str, explicit: bool) -> Iterator[Finding]:
    """Whether a sending address has a name that leads back to it.

    :param explicit: whether the host is known to send, and is not only the one that mail is given to.
    """
    names = resolver.names_of(address)[:MOST_ADDRESSES]
    back = [name for name in names if address in resolver.addresses(name)]
    end = "domain.ptr" if back else "domain.ptr.none" if explicit else "domain.ptr.relay.unknown"
    facts = {"address": address, "name": (back or names)[:1], "pointer": ip_address(address).reverse_pointer}
    yield tell(end, **facts, what="other" if names else "none")


@check("domain.helo")
def helo(resolver: Resolver, name: str, addresses: list[str]) -> Iterator[Finding]:
    """Whether the name that the sending host gives itself is one, and leads to it."""
    found = resolver.addresses(name)
    well = set(found) & set(addresses) or (found and not addresses)
    yield tell("domain.helo" if well else "domain.helo.other", name=name, what="other" if found else "lost")


def block_lists(
    resolver: Resolver, lists: Sequence[str], addresses: list[str], domains: list[str]
) -> Iterator[Finding]:
    """Whether block lists in DNS name a sending address or a domain (RFC 5782)."""
    names = {ip_address(address).reverse_pointer.rsplit(".", 2)[0]: address for address in addresses}
    names |= {domain: domain for domain in domains}
    for zone in lists:
        yield from _block_list(resolver, zone, names)


@check("domain.block-list")
def _block_list(resolver: Resolver, zone: str, subjects: dict[str, str]) -> Iterator[Finding]:
    listed = []
    for name, subject in subjects.items():
        answers = [ip_address(found.address) for found in resolver.records(f"{name}.{zone}", "A")]
        if any(answer in REFUSED for answer in answers):
            raise Unsure(f"{zone} does not answer this nameserver: ask through one of your own")
        if any(answer.is_loopback and str(answer) != NOT_MINE for answer in answers):
            listed.append(subject)
    yield tell("domain.block-list.listed" if listed else "domain.block-list", zone=zone, subject=listed)


def encryption(resolver: Resolver, domain: str) -> Iterator[Finding]:
    """What the domain's MTA-STS and TLS-RPT records say, where it has them."""
    for kind, (query, parse) in ENCRYPTION.items():
        try:
            parse(resolver.through(query, domain)["record"])
            yield tell("domain.encryption", kind=kind, domain=domain)
        except NO_RECORD:
            pass
        except (mta_sts.MTASTSError, tls.SMTPTLSReportingError) as error:
            yield tell("domain.encryption.wrong", kind=kind, domain=domain, reason=error)


@check("message.size")
def size(config: Mapping[str, Any], octets: int) -> Iterator[Finding]:
    """Whether the server takes a message of this size, and says so before it has the text (RFC 1870)."""
    kind = smtplib.SMTP_SSL if config.get("MAIL_USE_SSL") else smtplib.SMTP
    try:
        with kind(
            config.get("MAIL_SERVER") or "localhost", config.get("MAIL_PORT") or 25, timeout=SECONDS_FOR_SMTP
        ) as smtp:
            smtp.ehlo()
            said = smtp.esmtp_features.get("size")
    except (OSError, smtplib.SMTPException) as error:
        raise Unsure(type(error).__name__) from None
    limit = int(said) if said and said.isdecimal() else 0
    end = ".unsaid" if said is None else ".small" if 0 < limit < octets else ""
    yield tell(f"message.size{end}", limit=limit // 1_000, size=octets // 1_000)
