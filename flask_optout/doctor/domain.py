"""The sending domain, as the world's mail servers see it: its records, and its hosts with their names and lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, ip_address, ip_network
from urllib.parse import urlsplit

from checkdmarc import mta_sts, smtp_tls_reporting

from .case import Case
from .dmarc import check_alignment, check_dmarc, is_aligned
from .finding import Finding, Unsure, attempt, is_below, tell
from .resolver import Resolver
from .signatures import check_keys
from .spf import check_spf

MOST_ADDRESSES = 4
#: As many as SPF follows (RFC 7208 section 4.6.4).
MOST_NAMES = 10
#: Blocks for documentation count as public addresses, so that tests can use them.
DOCUMENTED = [ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
#: Answers of block lists that refuse the query (such as that of a public resolver), and that a list does not take
#: names of this kind; https://www.spamhaus.org/faqs/dnsbl-usage/, https://uribl.com/refused.shtml.
REFUSED = [ip_network("127.255.255.0/24"), ip_network("127.0.0.1/32")]
NOT_MINE = "127.0.1.255"
#: What each list of addresses or of domains has (RFC 5782 section 5).
TEST_ENTRIES = ("2.0.0.127", "test")
#: The records that say how mail is encrypted: where they stand, how they begin, and what reads them.
ENCRYPTION: dict[str, tuple[str, str, Callable[[str], object]]] = {
    "MTA-STS": ("_mta-sts", "v=STSv1", mta_sts.parse_mta_sts_record),
    "TLS-RPT": ("_smtp._tls", "v=TLSRPTv1", smtp_tls_reporting.parse_smtp_tls_reporting_record),
}


def check_domain(case: Case, resolver: Resolver, link: str = "") -> Iterator[Finding]:
    """What is wrong with the domain that invitations come from, and with the one that bounces go to.

    :param link: a candidate's link.
    """
    if case.mailto is not None:
        yield from attempt("domain.mailto", check_mx("domain.mailto", resolver, case.mailto))
    author = case.author
    if author is None:
        yield tell("domain.name.unknown")
        return
    bounce, explicit, addresses = case.bounce or author, case.sender_is_explicit, []
    if case.bounce is None:
        yield tell("domain.bounce", author=author)
    try:
        addresses = find_senders(resolver, case.sending_host)
    except Unsure as reason:
        yield tell("domain.sender.unknown", host=case.sending_host, reason=reason)
    yield from attempt("domain.spf", check_spf(resolver, bounce, addresses, explicit))
    yield from check_keys(resolver, case.selectors)
    yield from attempt("domain.dmarc", check_dmarc(resolver, author))
    yield from attempt("domain.alignment", check_alignment(resolver, author, case.bounce, case.signers))
    names = dict.fromkeys((author, bounce))
    yield from attempt("domain.mx", *(check_mx("domain.mx", resolver, name) for name in names))
    yield from attempt("domain.ptr", *(check_ptr(resolver, address, explicit) for address in addresses))
    if case.helo is not None:
        yield from attempt("domain.helo", check_helo(resolver, case.helo, addresses))
    host = urlsplit(link).hostname or ""
    links = [host] if host.rpartition(".")[2].isalpha() else []  # a name, and no address
    yield from attempt("domain.link", *(_check_link(resolver, name, author) for name in links))
    subjects = {ip_address(address).reverse_pointer.rsplit(".", 2)[0]: address for address in addresses if explicit}
    subjects |= {name: name for name in (*names, *links)}
    yield from attempt(
        "domain.block-list", *(check_block_list(resolver, zone, subjects) for zone in case.block_lists)
    )
    yield from check_encryption(resolver, author)


def check_mx(id: str, resolver: Resolver, domain: str) -> Iterator[Finding]:
    """Whether a domain takes mail: one that invitations come from, or that of OPTOUT_MAILTO."""
    records = sorted(resolver.records(domain, "MX"))[:MOST_NAMES]
    hosts = [record.exchange.to_text(omit_final_dot=True) for record in records]
    null = hosts == ["."]  # RFC 7505
    places = hosts or [domain]
    works = not null and any(_is_public(address) for host in places for address in resolver.addresses(host))
    if not (null or works) and any(map(resolver.addresses, places)):
        raise Unsure(f"from here, {', '.join(places)} is inside a network of its own; try --nameserver")
    what = "null" if null else "lost" if hosts else "none"
    yield tell(id if works else f"{id}.none", domain=domain, what=what, hosts=places)


def find_senders(resolver: Resolver, host: str | None) -> list[str]:
    """The public addresses of the sending host.

    :raises Unsure: when they cannot be told; what it says is a word of the finding ``domain.sender.unknown``.
    """
    if not host:
        raise Unsure("unset")
    try:
        found = [str(ip_address(host))]
    except ValueError:
        found = resolver.addresses(host)
    public = list(filter(_is_public, found))
    if not public:
        raise Unsure("inside" if found else "lost")
    return public[:MOST_ADDRESSES]


def _is_public(address: str) -> bool:
    ip = ip_address(address)
    return ip.is_global or any(ip in block for block in DOCUMENTED)


def check_ptr(resolver: Resolver, address: str, explicit: bool) -> Iterator[Finding]:
    """Whether a sending address has a name that leads back to it.

    :param explicit: whether the host is known to send, and is not only the one that mail is given to.
    """
    pointer = ip_address(address).reverse_pointer
    records = resolver.records(pointer, "PTR")[:MOST_NAMES]
    names = [record.target.to_text(omit_final_dot=True) for record in records]
    back = [name for name in names if address in resolver.addresses(name)]
    end = "" if back else ".none" if explicit else ".relay.unknown"
    facts = {"address": address, "name": (back or names)[:1], "pointer": pointer}
    yield tell(f"domain.ptr{end}", **facts, what="other" if names else "none")


def check_helo(resolver: Resolver, name: str, addresses: list[str]) -> Iterator[Finding]:
    """Whether the name that the sending host gives itself is one, and leads to it."""
    found = resolver.addresses(name)
    well = set(found) & set(addresses) or (found and not addresses)
    yield tell("domain.helo" if well else "domain.helo.other", name=name, what="other" if found else "lost")


def _check_link(resolver: Resolver, host: str, author: str) -> Iterator[Finding]:
    """Whether links lead to the domain that invitations come from, or to another."""
    if not (is_below(host, [author]) or is_below(author, [host]) or is_aligned(resolver, author, host)):
        yield tell("domain.link", host=host, author=author)


def check_block_list(resolver: Resolver, zone: str, subjects: dict[str, str]) -> Iterator[Finding]:
    """Whether a block list in DNS names an address or a domain (RFC 5782).

    :param subjects: addresses and domains, by the names under which the list has them.
    """

    def ask(name: str) -> list[IPv4Address]:
        return [IPv4Address(found.address) for found in resolver.records(f"{name}.{zone}", "A")]

    listed = []
    for name, subject in subjects.items():
        answers = ask(name)
        if any(answer in block for answer in answers for block in REFUSED):
            raise Unsure(f"{zone} does not answer this nameserver: ask through one of your own")
        if any(answer.is_loopback and str(answer) != NOT_MINE for answer in answers):
            listed.append(subject)
    if not listed and not any(answer.is_loopback for entry in TEST_ENTRIES for answer in ask(entry)):
        raise Unsure(f"{zone} lacks the test entry of every list: its name is misspelt, or it was shut down")
    yield tell("domain.block-list.listed" if listed else "domain.block-list", zone=zone, subject=listed)


def check_encryption(resolver: Resolver, domain: str) -> Iterator[Finding]:
    """What the domain's MTA-STS and TLS-RPT records say, where it has them."""
    for kind, (label, version, read) in ENCRYPTION.items():
        with suppress(Unsure):
            for record in resolver.texts(f"{label}.{domain}"):
                if record.startswith(version):
                    try:
                        read(record)
                        yield tell("domain.encryption", kind=kind, domain=domain)
                    except (mta_sts.MTASTSError, smtp_tls_reporting.SMTPTLSReportingError) as error:
                        yield tell("domain.encryption.wrong", kind=kind, domain=domain, reason=error)
